#!/usr/bin/env python3
"""Writes the worked example of docs/wire.md anew, between its two markers. Shares no code with the product:
the frames are laid with struct, the schema message is pyarrow's, the record batch message is laid by hand and
read back with pyarrow before it is printed.

    .venv/bin/python tools/wire_example.py
"""
import datetime
import pathlib
import struct
import textwrap

import pyarrow as pa

WIRE_MD = pathlib.Path(__file__).resolve().parent.parent / "docs" / "wire.md"
BEGIN = "<!-- example: written by tools/wire_example.py -->\n"
END = "<!-- end of the example -->\n"
COLUMNS = 110  # of a line of prose

SYSTEM_IDENTIFIER = 7574093012345678901
OID = 16385
XID = 745
LSN_INSERT, LSN_UPDATE, LSN_COMMIT, LSN_END = 0x1500028, 0x15000A0, 0x1500100, 0x1500130
COMMIT_TIME = datetime.datetime(2026, 11, 23, 4, 0, 0, 250000, tzinfo=datetime.timezone.utc)
UNIX_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
UNIX_US = (COMMIT_TIME - UNIX_EPOCH) // datetime.timedelta(microseconds=1)
POSTGRES_EPOCH_US = 946_684_800 * 1_000_000


class Dump:
    """Bytes in named pieces."""

    def __init__(self):
        self.pieces = []

    def add(self, data, comment, text=False):
        self.pieces.append((data, comment, text))
        return self

    def size(self):
        return sum(len(data) for data, _, _ in self.pieces)

    def bytes(self):
        return b"".join(data for data, _, _ in self.pieces)

    def lines(self):
        at = 0
        for data, comment, text in self.pieces:
            for start in range(0, len(data), 16):
                row = data[start : start + 16]
                note = comment if start == 0 else ""
                if text:
                    letters = "".join(chr(b) if 32 < b < 127 else "." for b in row)
                    note = letters + ("  " + note if note else "")
                yield f"{at + start:04x}  {row.hex(' '):<47}  {note}".rstrip()
            at += len(data)


def xlogdata(dump, start):
    sent = UNIX_US + 1500 - POSTGRES_EPOCH_US
    dump.add(b"w", "XLogData; its integers are big-endian")
    dump.add(struct.pack(">QQQ", start, start, sent), "dataStart, walEnd, sendTime")


def fixed_part(dump, kind, kind_name, flags, flag_names, header_bytes, sequence, safe_lsn, payload_bytes):
    dump.add(b"WA", "magic: the frame begins here, at 25")
    dump.add(struct.pack("<BB", 1, kind), f"layout_version 1, kind {kind} ({kind_name})")
    dump.add(struct.pack("<HH", flags, 32), f"flags: {flag_names}; fixed_bytes 32")
    dump.add(struct.pack("<II", header_bytes, sequence), f"header_bytes {header_bytes}, sequence {sequence}")
    dump.add(struct.pack("<QQ", safe_lsn, payload_bytes),
             f"safe_lsn 0/{safe_lsn:X}, payload_bytes {payload_bytes}")


def section(dump, tag, name, pieces):
    size = sum(len(data) for data, _ in pieces)
    dump.add(struct.pack("<HHI", tag, 0, size), f"section {tag} ({name}), {size} bytes")
    for data, comment in pieces:
        dump.add(data, comment)
    if size % 8:
        dump.add(bytes(-size % 8), "to a multiple of 8 from the frame's start")


def padded(content_bytes, metadata_bytes):
    """header_bytes, so that 25 + header_bytes + metadata_bytes (with its prefix of 8) is a multiple of 64."""
    return content_bytes + -(25 + content_bytes + metadata_bytes) % 64


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def hello():
    options = b"publication_names=shop\n"
    version = b"0.1.0"
    header_bytes = 32 + (8 + 16) + (8 + 24) + (8 + 8)
    dump = Dump()
    xlogdata(dump, LSN_COMMIT)
    fixed_part(dump, 1, "hello", 0, "none", header_bytes, 0, 0, 0)
    section(dump, 1, "hello", [
        (struct.pack("<HHI", 1, 0, 150020), "protocol_version 1, server_version_num 150020"),
        (struct.pack("<Q", SYSTEM_IDENTIFIER), f"system_identifier {SYSTEM_IDENTIFIER}")])
    section(dump, 2, "options", [(options, "publication_names=shop, end of line")])
    section(dump, 3, "plugin version", [(version, version.decode())])
    assert dump.size() == 25 + header_bytes
    return dump


def arrow_schema():
    def column(name, kind, typname, typoid, attnum, key=None):
        metadata = {"ADBC:postgresql:typname": typname, "arrowcdc:typoid": str(typoid),
                    "arrowcdc:typmod": "-1", "PARQUET:field_id": str(attnum)}
        if key:
            metadata["arrowcdc:key"] = str(key)
        return pa.field(name, kind, metadata=metadata)

    def role(name, kind):
        return pa.field("_" + name, kind, metadata={"arrowcdc:role": name})

    return pa.schema(
        [column("id", pa.int32(), "int4", 23, 1, key=1), column("note", pa.string(), "text", 25, 2),
         role("op", pa.int8()), role("lsn", pa.uint64()), role("ord", pa.uint16())],
        metadata={"arrowcdc:schema": "public", "arrowcdc:table": "items", "arrowcdc:oid": str(OID),
                  "arrowcdc:replica_identity": "d"})


def schema(payload):
    content = 32 + (8 + 40)
    header_bytes = padded(content, len(payload))
    dump = Dump()
    xlogdata(dump, LSN_COMMIT)
    fixed_part(dump, 2, "schema", 0, "none", header_bytes, 1, 0, len(payload))
    section(dump, 4, "table", [
        (struct.pack("<Q", fnv1a(payload)), f"fingerprint {fnv1a(payload):016x}: FNV-1a of the payload"),
        (struct.pack("<IB3x", OID, ord("d")), f"relation_oid {OID}, replica_identity d"),
        (struct.pack("<HHI", 6, 5, 0), "lengths of the names, reserved"),
        (b"publicitems", "both names")])
    dump.add(bytes(header_bytes - content), "tag 0, padding: the payload ends at a multiple of 64")
    assert dump.size() == 25 + header_bytes
    dump.add(payload[:8], f"continuation marker, metadata length {len(payload) - 8}")
    dump.add(payload[8:], "flatbuffer: Message with Schema", text=True)
    assert dump.size() % 64 == 0
    return dump


def batch_metadata(body_bytes, nodes, buffers):
    """The flatbuffer of a RecordBatch message in pieces."""
    dump = Dump()
    dump.add(struct.pack("<I", 16), "offset of the Message table")
    dump.add(struct.pack("<6H", 12, 24, 4, 6, 8, 16), "its vtable")
    dump.add(struct.pack("<iHBx", 12, 4, 3), "Message: to the vtable; V5; header is a RecordBatch")
    dump.add(struct.pack("<I4xq", 56 - 24, body_bytes), f"offset of the RecordBatch; bodyLength {body_bytes}")
    dump.add(struct.pack("<5H6x", 10, 24, 8, 16, 20), "vtable of the RecordBatch")
    dump.add(struct.pack("<i4xq", 16, 2), "RecordBatch: to the vtable; length 2")
    nodes_at, buffers_at = 84, 88 + 16 * len(nodes) + 4
    dump.add(struct.pack("<II4x", nodes_at - 72, buffers_at - 76), "offsets of nodes and buffers")
    dump.add(struct.pack("<I", len(nodes)), "nodes: length and null count of")
    for name, (length, null_count) in nodes:
        dump.add(struct.pack("<qq", length, null_count), "  " + name)
    dump.add(struct.pack("<4xI", len(buffers)), "buffers: offset in the body and length of")
    for name, (offset, length) in buffers:
        dump.add(struct.pack("<qq", offset, length), "  " + name)
    return dump


def batch(fingerprint):
    values = [
        ("id: values 1, 2", struct.pack("<ii", 1, 2)),
        ("note: validity, row 0 only", b"\x01"),
        ("note: offsets 0, 2, 2", struct.pack("<iii", 0, 2, 2)),
        ("note: bytes", b"hi"),
        ("_op: 0 insert, 2 update_after", struct.pack("<bb", 0, 2)),
        (f"_lsn: 0/{LSN_INSERT:X}, 0/{LSN_UPDATE:X}", struct.pack("<QQ", LSN_INSERT, LSN_UPDATE)),
        ("_ord: 0, 0", struct.pack("<HH", 0, 0))]
    body, places = Dump(), {}
    for name, data in values:
        places[name.split(",")[0]] = (body.size(), len(data))
        body.add(data, "body: " + name if body.size() == 0 else "  " + name)
        if len(data) % 16:
            body.add(bytes(-len(data) % 16), "  padding")
    nodes = [(name, (2, 1 if name == "note" else 0)) for name in ("id", "note", "_op", "_lsn", "_ord")]
    buffers = []
    for name, _ in values:
        column = name.split(":")[0]
        place = places[name.split(",")[0]]
        if column != "note":
            buffers.append((f"{column}: validity, none is null", (place[0], 0)))
        what = name.split(": ")[1].split(",")[0].split(" ")[0] if column in ("id", "note") else "values"
        buffers.append((f"{column}: {what}", place))
    metadata = batch_metadata(body.size(), nodes, buffers)
    message = struct.pack("<II", 0xFFFFFFFF, metadata.size()) + metadata.bytes() + body.bytes()
    content = 32 + (8 + 16) + (8 + 24) + (8 + 8)
    header_bytes = padded(content, 8 + metadata.size())

    dump = Dump()
    xlogdata(dump, LSN_COMMIT)
    fixed_part(dump, 3, "batch", 2, "GROUP_END", header_bytes, 2, LSN_END, len(message))
    section(dump, 5, "batch", [
        (struct.pack("<Q", fingerprint), "fingerprint of the schema"),
        (struct.pack("<II", OID, 2), f"relation_oid {OID}, rows 2")])
    section(dump, 6, "transactions", [
        (struct.pack("<Q", LSN_COMMIT), f"commit_lsn 0/{LSN_COMMIT:X}"),
        (struct.pack("<q", UNIX_US), f"commit_ts {COMMIT_TIME:%Y-%m-%d %H:%M:%S.%f} UTC"),
        (struct.pack("<II", XID, 2), f"xid {XID}, rows 2")])
    section(dump, 7, "unchanged", [(struct.pack("<IHH", 1, 1, 0), "row 1, field 1 (note)")])
    dump.add(bytes(header_bytes - content), "tag 0, padding: the body begins at a multiple of 64")
    dump.add(message[:8], f"continuation marker, metadata length {metadata.size()}")
    dump.pieces += metadata.pieces
    assert dump.size() % 64 == 0
    dump.pieces += body.pieces
    return dump, message


def check(message):
    read = pa.ipc.read_record_batch(pa.ipc.read_message(message), arrow_schema())
    read.validate(full=True)
    assert read.to_pydict() == {"id": [1, 2], "note": ["hi", None], "_op": [0, 2],
                                "_lsn": [LSN_INSERT, LSN_UPDATE], "_ord": [0, 0]}, read.to_pydict()


def text():
    payload = arrow_schema().serialize().to_pybytes()
    payload += bytes(-len(payload) % 8)
    batch_dump, message = batch(fnv1a(payload))
    check(message)
    rows = [("1", "hi", "insert", f"0/{LSN_INSERT:X}", "null"),
            ("2", "null", "update_after", f"0/{LSN_UPDATE:X}", "[note]")]
    out = [
        textwrap.fill(
            "`CREATE TABLE items (id int4 PRIMARY KEY, note text)`; one transaction inserts row 1 and "
            "updates row 2, whose long `note` it leaves as it is. Each block is one CopyData message of kind "
            "`w`; offsets count from the `w`, so bodies begin at multiples of 0x40.", COLUMNS),
        "", "The session opens with hello:", "", "```hex", *hello().lines(), "```", "",
        "Before its first batch the table is announced. Any Arrow library writes and reads this message:", "",
        "```hex", *schema(payload).lines(), "```", "",
        "The batch:", "", "```hex", *batch_dump.lines(), "```", "",
        "What a reader makes of hello:", "",
        "| field | value |", "|---|---|",
        "| protocol_version | 1 |", "| server_version_num | 150020 |",
        f"| system_identifier | {SYSTEM_IDENTIFIER} |",
        "| options | publication_names=shop |", "| plugin_version | 0.1.0 |", "",
        textwrap.fill(
            f"and of the batch, with `safe_lsn` 0/{LSN_END:X} in force once it has been processed (LSNs as "
            "PostgreSQL writes them):", COLUMNS), "",
        "| id | note | _op | _commit_lsn | _lsn | _ord | _xid | _commit_ts | _unchanged | _unrepresentable |",
        "|---|---|---|---|---|---|---|---|---|---|"]
    for identifier, note, op, lsn, unchanged in rows:
        out.append(f"| {identifier} | {note} | {op} | 0/{LSN_COMMIT:X} | {lsn} | 0 | {XID} | {UNIX_US} "
                   f"| {unchanged} | null |")
    return "\n".join(out) + "\n"


def main():
    document = WIRE_MD.read_text()
    before, rest = document.split(BEGIN)
    after = rest.split(END)[1]
    WIRE_MD.write_text(before + BEGIN + text() + END + after)


if __name__ == "__main__":
    main()
