#!/usr/bin/env python3
"""Replays the change rows in a Parquet directory and compares the result with the tables they came from.

Shares no code with the product: DuckDB reads the files, psql reads the source, the replay is the plain Python
below. Both ways, with multiplicity. The last line is `total rows=N lost=N duplicated=N wrong=N`; exit code 0
only if all three are 0.

  lost        in the source, not in the replay; or a change of a row that the replay does not have
  duplicated  in the replay, not in the source; or a change row that is there twice; or an insert of a row
              that is there already
  wrong       in both, with different values; or a change row that contradicts docs/wire.md
"""

import argparse
import collections
import glob
import heapq
import json
import os
import re
import struct
import subprocess
import sys
import urllib.parse

import duckdb

METADATA = ["_op", "_commit_lsn", "_lsn", "_ord", "_xid", "_commit_ts", "_unchanged", "_unrepresentable"]


class Mark:
    """A cell that is not a value."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return self.name


UNREPRESENTABLE = Mark("<unrepresentable>")  # no Arrow form; the source's value must be one of those
UNKNOWN = Mark("<unknown>")  # no change row carried this column: it was added later (see --allow-unknown)
UNREPRESENTABLE_TEXT = "<no arrow form>"  # how the source query writes such a value


# --- the source ------------------------------------------------------------------------------------------

Column = collections.namedtuple("Column", "attnum name type element_type")
Table = collections.namedtuple("Table", "schema name identity columns key relation")


class Source:
    def __init__(self, conninfo):
        self.conninfo = conninfo

    def psql(self, sql):
        settings = ("SET timezone = 'UTC'; SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; "
                    "SET bytea_output = 'hex'; SET extra_float_digits = 1;")
        run = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo],
                             input=f"SET client_encoding = 'UTF8'; {settings}\n{sql};\n".encode(),
                             capture_output=True)
        if run.returncode != 0:
            raise SystemExit("compare_replay: psql: " + run.stderr.decode(errors="replace").strip())
        return run.stdout.decode("utf-8", "surrogateescape")

    def copy(self, query):
        """Rows of a query as tuples of str or None, through COPY's text format."""
        for line in self.psql(f"COPY ({query}) TO STDOUT").split("\n")[:-1]:
            cells = line.split("\t")
            if "\\" in line:
                cells = [None if cell == r"\N" else unescape(cell) for cell in cells]
            yield tuple(cells)

    def table(self, name, key_names):
        quoted = "'" + name.replace("'", "''") + "'"
        answer = self.psql(f"""
            SELECT json_build_object(
              'schema', n.nspname, 'name', c.relname, 'identity', c.relreplident,
              'partitioned', c.relkind = 'p',
              'columns', (SELECT json_agg(json_build_array(
                              a.attnum, a.attname, coalesce(nullif(b.typbasetype, 0), t.oid)::regtype::text,
                              (SELECT e.oid::regtype::text FROM pg_type e
                               WHERE e.oid = t.typelem AND t.typcategory = 'A')) ORDER BY a.attnum)
                          FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                          LEFT JOIN pg_type b ON b.oid = t.oid AND b.typtype = 'd'
                          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                            AND a.attgenerated = ''),
              'key', (SELECT json_agg(k.attnum ORDER BY k.place)
                      FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, place)
                      WHERE i.indrelid = c.oid AND k.place <= i.indnkeyatts AND
                            CASE c.relreplident WHEN 'd' THEN i.indisprimary
                                                WHEN 'i' THEN i.indisreplident ELSE false END))
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.oid = to_regclass({quoted})""").strip()
        if not answer:
            raise SystemExit(f"compare_replay: no table {name} in the source")
        found = json.loads(answer)
        columns = [Column(*column) for column in found["columns"]]
        key = found["key"] or []
        if key_names:
            by_name = {column.name: column.attnum for column in columns}
            key = [by_name[key_name] for key_name in key_names]
        relation = f"{identifier(found['schema'])}.{identifier(found['name'])}"
        # Children by inheritance are tables of their own.
        relation = relation if found["partitioned"] else "ONLY " + relation
        return Table(found["schema"], found["name"], found["identity"], columns, key, relation)

    def rows(self, table):
        expressions = ", ".join(source_expression(column) for column in table.columns)
        return self.copy(f"SELECT {expressions} FROM {table.relation}")


def identifier(name):
    return '"' + name.replace('"', '""') + '"'


ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def unescape(cell):
    if "\\" not in cell:
        return cell
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match.group(1), match.group(1)), cell, flags=re.S)


def source_scalar(pg_type, value):
    """SQL whose text is the canonical form of one value: as canonical() makes it of the Parquet value."""
    base = pg_type.split("(")[0]
    no_form = f"'{UNREPRESENTABLE_TEXT}'"
    if base in ("real", "double precision"):
        return f"encode({'float4send' if base == 'real' else 'float8send'}({value}), 'hex')"
    if base == "boolean":
        return f"{value}::text"
    if base == "date":
        return f"CASE WHEN NOT isfinite({value}) THEN {no_form} ELSE ({value} - date '1970-01-01')::text END"
    if base.startswith("timestamp"):
        micros = f"trunc(extract(epoch FROM {value}) * 1000000)"
        return (f"CASE WHEN NOT isfinite({value}) OR {micros} > 9223372036854775807 THEN {no_form} "
                f"ELSE {micros}::bigint::text END")
    if base == "time without time zone":
        return (f"CASE WHEN {value} = time '24:00' THEN {no_form} "
                f"ELSE (extract(epoch FROM {value}) * 1000000)::bigint::text END")
    if base == "interval":
        time = (f"extract(hour FROM {value}) * 3600000000 + extract(minute FROM {value}) * 60000000 "
                f"+ extract(microseconds FROM {value})")
        months = f"extract(year FROM {value}) * 12 + extract(month FROM {value})"
        return f"(({months})::int || ' ' || extract(day FROM {value})::int || ' ' || ({time})::bigint)"
    if base == "pg_lsn":
        return f"({value} - pg_lsn '0/0')::text"
    if base == "money":
        return f"{value}::numeric::text"
    if base == '"char"':
        return f"({value}::int & 255)::text"
    if base.startswith("reg"):
        return f"{value}::oid::text"
    if base == "numeric":
        return f"{value}::text"
    return value


def source_expression(column):
    name = identifier(column.name)
    if column.element_type is None:
        value = source_scalar(column.type, name)
        return value
    element = source_scalar(column.element_type, "e")
    return (f"CASE WHEN {name} IS NULL THEN NULL "
            f"WHEN array_ndims({name}) > 1 OR array_lower({name}, 1) <> 1 THEN '{UNREPRESENTABLE_TEXT}' "
            f"ELSE ARRAY(SELECT ({element})::text FROM unnest({name}) WITH ORDINALITY u(e, o) "
            "ORDER BY o)::text END")


def same(replayed, sourced):
    if replayed is UNREPRESENTABLE:
        # A numeric without a precision has its NaN and infinities as text, one with a precision has no Arrow
        # form for them.
        return sourced in (UNREPRESENTABLE_TEXT, "NaN", "Infinity", "-Infinity")
    return replayed is UNKNOWN or replayed == sourced


# --- the Parquet files -----------------------------------------------------------------------------------

Change = collections.namedtuple("Change", "position op xid values")


def duck_expression(name, duck_type, pg_type):
    """A value in its canonical text, as far as DuckDB can make it; converter() does the rest."""
    if duck_type.endswith("[]"):
        return f"list_transform({name}, lambda x: {duck_expression('x', duck_type[:-2], None)})"
    if duck_type in ("FLOAT", "DOUBLE", "VARCHAR"):
        return name
    if duck_type.replace('"', "").startswith("STRUCT(months "):
        return f"({name}.months || ' ' || {name}.days || ' ' || {name}.nanoseconds // 1000)"
    if duck_type == "DATE":
        name = f"date_diff('day', DATE '1970-01-01', {name})"
    elif duck_type.startswith("TIMESTAMP"):
        name = f"epoch_us({name})"
    elif duck_type == "TIME":
        name = f"date_diff('microsecond', TIME '00:00:00', {name})"
    elif duck_type == "BLOB" and pg_type == "uuid":
        parts = "(.{8})(.{4})(.{4})(.{4})(.{12})"
        name = f"regexp_replace(lower(hex({name})), '{parts}', '\\1-\\2-\\3-\\4-\\5')"
    elif duck_type == "BLOB":
        return f"'\\x' || lower(hex({name}))"
    return f"{name}::VARCHAR"


def converter(duck_type, pg_type, element_type):
    """None where DuckDB's text is canonical; else a function for a value that is not None."""
    if duck_type.endswith("[]"):
        convert = converter(duck_type[:-2], element_type, None)
        if convert is None:
            return array_text
        return lambda items: array_text([None if item is None else convert(item) for item in items])
    if duck_type in ("FLOAT", "DOUBLE"):
        form = ">f" if pg_type == "real" else ">d"
        return lambda value: struct.pack(form, value).hex()
    return None


def array_text(items):
    """PostgreSQL's array_out for one dimension."""

    def quoted(item):
        if item is None:
            return "NULL"
        if item == "" or item.upper() == "NULL" or re.search(r'[{}",\\\s]', item):
            return '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return item

    return "{" + ",".join(quoted(item) for item in items) + "}"


class Files:
    """The change rows of one table, in the order of the source."""

    def __init__(self, directory, table):
        self.table = table
        self.database = duckdb.connect()
        self.paths = []
        self.manifest = os.path.join(directory, "_arrowcdc_manifest.json")
        for entry in sorted(os.listdir(directory)):
            parts = entry.split(".")
            if [urllib.parse.unquote(part) for part in parts] == [table.schema, table.name]:
                folder = glob.escape(os.path.join(directory, entry))
                self.paths = sorted(glob.glob(os.path.join(folder, "*.parquet")))
        self.problems = []
        self.last_attnums = None  # of the newest row: which columns the newest schema has

    def changes(self):
        groups = collections.defaultdict(list)
        for path in self.paths:
            groups[self.layout(path)].append(path)
        streams = [self.read(paths, list(layout)) for layout, paths in groups.items()]
        return heapq.merge(*streams, key=lambda change: change.position)

    def layout(self, path):
        """((name, DuckDB type, field id), ...) of the columns."""
        described = self.database.execute("DESCRIBE SELECT * FROM read_parquet(?)", [[path]]).fetchall()
        tree = self.database.execute(
            "SELECT num_children, field_id FROM parquet_schema(?)", [path]).fetchall()
        ids = []
        place = 1
        while place < len(tree):
            ids.append(tree[place][1])
            pending = 1
            while pending:
                pending += (tree[place][0] or 0) - 1
                place += 1
        return tuple((name, duck_type, field_id)
                     for (name, duck_type, *_), field_id in zip(described, ids, strict=True))

    def copies(self):
        """(first, last) _commit_lsn of the copied rows of each copy. One that was interrupted has rows of
        several points; with a truncate row in front, at its own position, another one begins."""
        points = set()
        for path in self.paths:
            op, commit_lsn, lsn = [identifier(name) for name, _, _ in self.layout(path)[-len(METADATA):][:3]]
            points.update(self.database.execute(
                f"SELECT {commit_lsn}, bool_or({op} = 'truncate') FROM read_parquet(?) WHERE "
                f"{op} = 'snapshot' OR ({op} = 'truncate' AND {lsn} = 0) GROUP BY 1", [[path]]).fetchall())
        voids = {point for point, voids in points if voids}
        copies = []
        for point in sorted({point for point, _ in points}):
            if not copies or point in voids:
                copies.append((point, point))
            copies[-1] = (copies[-1][0], point)
        return copies + self.points_of_manifest()

    def points_of_manifest(self):
        """The same as the sink notes it: at one of its points a copy may have found no rows."""
        if not os.path.exists(self.manifest):
            return []
        with open(self.manifest, encoding="utf-8", errors="surrogateescape") as file:
            snapshot = json.load(file).get("snapshot") or {}
        return [tuple(int(point["order"]) - 1 for point in (copied["point"], *copied["later_points"][-1:]))
                for copied in snapshot.get("tables", ())
                if [copied["schema"], copied["name"]] == [self.table.schema, self.table.name]
                and copied.get("later_points")]

    def read(self, paths, layout):
        own, metadata = layout[:-len(METADATA)], layout[-len(METADATA):]
        if [name.lstrip("_") for name, _, _ in metadata] != [name.lstrip("_") for name in METADATA]:
            self.problems.append(f"metadata columns are {[name for name, _, _ in metadata]}")
            return
        # The attribute number follows a column through renames; the name does in a file without field ids.
        by_attnum = {column.attnum: column for column in self.table.columns}
        by_name = {column.name: column for column in self.table.columns}
        sources = [by_attnum.get(field_id) if field_id is not None and field_id > 0 else by_name.get(name)
                   for name, _, field_id in own]
        source_of = {name: source for (name, _, _), source in zip(own, sources)}
        place_of = {column.attnum: place for place, column in enumerate(self.table.columns)}
        meta = [identifier(name) for name, _, _ in metadata]
        selected = [f"{meta[0]}::VARCHAR", *meta[1:5], meta[6], meta[7]]
        # The source's columns in their order; NULL where these files do not have one.
        converters = []
        found = {column.attnum: index for index, column in enumerate(sources) if column is not None}
        for place, column in enumerate(self.table.columns):
            if column.attnum not in found:
                selected.append("NULL")
                converters.append((place, None))
                continue
            name, duck_type, _ = own[found[column.attnum]]
            selected.append(duck_expression(identifier(name), duck_type, column.type))
            convert = converter(duck_type, column.type, column.element_type)
            if convert is not None:
                converters.append((place, convert))
        cursor = self.database.cursor()
        cursor.execute(f"SELECT {', '.join(selected)} FROM read_parquet(?) "
                       f"ORDER BY {meta[1]}, {meta[2]}, {meta[3]}", [paths])
        attnums = frozenset(found)
        while rows := cursor.fetchmany(20000):
            for op, commit_lsn, lsn, ord_, xid, unchanged, unrepresentable, *values in rows:
                for place, convert in converters:
                    if convert is None:
                        values[place] = UNKNOWN
                    elif values[place] is not None:
                        values[place] = convert(values[place])
                for mark, names in ((Unchanged, unchanged), (UNREPRESENTABLE, unrepresentable)):
                    for name in names or ():
                        if name not in source_of:
                            self.problems.append(
                                f"{name} is marked and no column of the file, at {commit_lsn}/{lsn}/{ord_}")
                            continue
                        if source_of[name] is None:
                            continue
                        place = place_of[source_of[name].attnum]
                        if values[place] is not None:
                            self.problems.append(
                                f"{name} is marked and has a value at {commit_lsn}/{lsn}/{ord_}")
                        values[place] = mark
                self.last_attnums = attnums
                yield Change((commit_lsn, lsn, ord_), op, xid, values)


class Unchanged:
    """Stands in a cell: keep the old value."""


# --- the replay ------------------------------------------------------------------------------------------

OPS = ("insert", "update_before", "update_after", "delete", "snapshot", "truncate")


class Report:
    def __init__(self, name):
        self.name = name
        self.rows = self.lost = self.duplicated = self.wrong = self.unknown = 0
        self.ops = collections.Counter()
        self.examples = []

    def add(self, what, example, count=1):
        setattr(self, what, getattr(self, what) + count)
        if len(self.examples) < 10:
            self.examples.append(f"{what}: {example}")

    def forget(self):
        """What was found so far is of rows that do not count."""
        self.lost = self.duplicated = self.wrong = 0
        self.examples = []


class Replay:
    """The state of one table. With a key: a row per key; without one, or with the identity FULL: a bag of
    rows."""

    def __init__(self, table, report, copies):
        self.table = table
        self.report = report
        self.copies = copies
        places = {column.attnum: place for place, column in enumerate(table.columns)}
        self.key = [places[attnum] for attnum in table.key]
        self.state = {} if self.key else collections.Counter()
        self.before = None  # the old side of the update that follows

    def apply(self, change):
        op, values = change.op, change.values
        before, self.before = self.before, None
        if before is not None and op != "update_after":
            self.report.add("wrong", f"an update_before without its update_after before {change.position}")
        if op == "truncate":
            if any(value is not None and value is not UNKNOWN for value in values):
                self.report.add("wrong", f"a truncate row with values at {change.position}")
            if change.xid is None:  # of no transaction: the copy of the table begins here
                self.report.forget()
            self.state.clear()
        elif op == "update_before":
            self.before = change
        elif op not in OPS:
            self.report.add("wrong", f"_op is {op!r} at {change.position}")
        elif self.key:
            self.apply_keyed(op, values, before, change.position)
        else:
            self.apply_bag(op, values, before, change.position)

    def being_copied(self, position):
        """Whether the rest of the rows, as they are at a later point, is still to come."""
        return any(first < position[0] <= last for first, last in self.copies)

    def take_copied(self, key, values, position):
        """A row that changed since the copy began: what its changes made of it is what the copy found."""
        for column, mine, copied in zip(self.table.columns, self.state[key], values):
            if mine is not UNKNOWN and mine != copied:
                self.report.add("wrong", f"key {key}: the copy at {position} has another {column.name}")

    def apply_keyed(self, op, values, before, position):
        key = tuple(values[place] for place in self.key)
        if None in key or Unchanged in key:
            # An unchanged toasted key is not carried by the new side; the old side is then the key.
            if op != "update_after" or before is None:
                return self.report.add("wrong", f"a key without a value at {position}")
            key = tuple(before.values[place] if value is Unchanged else value
                        for place, value in zip(self.key, key))
        if op in ("insert", "snapshot"):
            if key in self.state and op == "snapshot" and self.being_copied(position):
                self.take_copied(key, values, position)
            elif key in self.state:
                self.report.add("duplicated", f"insert of key {key}, which is there, at {position}")
            if Unchanged in values:
                self.report.add("wrong", f"an insert with unchanged columns at {position}")
            self.state[key] = values
        elif op == "delete":
            if self.state.pop(key, None) is None and not self.being_copied(position):
                self.report.add("lost", f"delete of key {key}, which is not there, at {position}")
        else:
            old_key = key if before is None else tuple(before.values[place] for place in self.key)
            old = self.state.pop(old_key, None)
            if old is None:
                if not self.being_copied(position):
                    self.report.add("lost", f"update of key {old_key}, which is not there, at {position}")
                old = [UNKNOWN] * len(values)
            if key in self.state:
                self.report.add("duplicated", f"update to key {key}, which is there, at {position}")
            self.state[key] = [was if now is Unchanged else now for was, now in zip(old, values)]

    def apply_bag(self, op, values, before, position):
        if Unchanged in values or (before is not None and Unchanged in before.values):
            self.report.add("wrong", f"unchanged columns in a table whose rows have no key, at {position}")
        if op == "delete":
            self.remove(values, position)
        elif op == "update_after" and before is not None:
            self.remove(before.values, position)
        elif op == "update_after":
            self.report.add("wrong", f"an update without its old row in a table without key, at {position}")
        if op != "delete":
            self.state[tuple(values)] += 1

    def remove(self, values, position):
        row = tuple(values)
        if self.state[row] <= 0:
            # A column that was added meanwhile is unknown in the older of the two.
            near = (other for other in self.state
                    if all(a is b or a == b or UNKNOWN in (a, b) for a, b in zip(other, row)))
            row = next(near, None)
            if row is None:
                return self.report.add("lost", f"removal of a row that is not there, at {position}")
        self.state[row] -= 1
        if self.state[row] == 0:
            del self.state[row]

    def finish(self):
        if self.before is not None:
            self.report.add("wrong", "an update_before without its update_after at the end")


def compare_keyed(replay, source_rows, report):
    names = [column.name for column in replay.table.columns]
    left = replay.state
    for row in source_rows:
        key = tuple(row[place] for place in replay.key)
        replayed = left.pop(key, None)
        if replayed is None:
            report.add("lost", f"key {key}")
            continue
        report.unknown += sum(value is UNKNOWN for value in replayed)
        different = [name for name, mine, theirs in zip(names, replayed, row) if not same(mine, theirs)]
        if different:
            report.add("wrong", f"key {key}: {', '.join(different)}")
    for key in left:
        report.add("duplicated", f"key {key} is not in the source")


def compare_bags(replay, source_rows, report):
    left = collections.Counter(replay.state)
    unmatched = collections.Counter()
    for row in source_rows:
        if left[row] > 0:
            left[row] -= 1
        else:
            unmatched[row] += 1
    inexact = [row for row, count in left.items() if count > 0 and (UNKNOWN in row or UNREPRESENTABLE in row)]
    for row, count in list(unmatched.items()):
        for other in inexact:
            taken = min(count, left[other])
            if taken > 0 and all(same(mine, theirs) for mine, theirs in zip(other, row)):
                report.unknown += sum(value is UNKNOWN for value in other) * taken
                left[other] -= taken
                count -= taken
        if count > 0:
            report.add("lost", f"{count} times one row", count)
    for row, count in left.items():
        if count > 0:
            report.add("duplicated", f"{count} times one row that the source does not have", count)


# --- the whole -------------------------------------------------------------------------------------------


class Transactions:
    """Each transaction has one commit position, and each commit position one transaction, over all tables."""

    def __init__(self):
        self.xid_of = {}

    def check(self, change, report):
        commit_lsn = change.position[0]
        if self.xid_of.setdefault(commit_lsn, change.xid) != change.xid:
            report.add("wrong", f"two transactions with the commit position {commit_lsn}")


JOURNAL_OPS = {"insert": "insert", "update_after": "update", "delete": "delete", "truncate": "truncate"}


def compare_table(source, directory, table, transactions, journal):
    report = Report(f"{table.schema}.{table.name}")
    files = Files(directory, table)
    replay = Replay(table, report, files.copies())
    seen = collections.Counter()
    previous = None
    for change in files.changes():
        report.rows += 1
        if change.position == previous:
            report.add("duplicated", f"change row {change.position} is there twice")
            continue
        previous = change.position
        report.ops[change.op] += 1
        transactions.check(change, report)
        replay.apply(change)
        if change.op in JOURNAL_OPS:
            keyed = journal is not None and replay.key and change.op != "truncate"
            key = "|".join(str(change.values[place]) for place in replay.key) if keyed else None
            seen[(change.xid, JOURNAL_OPS[change.op], key)] += 1
    replay.finish()
    for problem in files.problems:
        report.add("wrong", problem)
    if report.rows and any(column.attnum not in files.last_attnums for column in table.columns):
        absent = [column.name for column in table.columns if column.attnum not in files.last_attnums]
        report.add("wrong", f"the newest change row has no column {', '.join(absent)}")
    if replay.key:
        compare_keyed(replay, source.rows(table), report)
    else:
        compare_bags(replay, source.rows(table), report)
    if journal is not None:
        compare_journal(journal[report.name], seen, report)
    return report


def compare_journal(wanted, seen, report):
    for entry, count in (wanted - seen).items():
        report.add("lost", f"the journal has {entry} {count} times more", count)
    for entry, count in (seen - wanted).items():
        report.add("duplicated", f"the journal has {entry} {count} times less", count)


def read_journal(source, journal):
    """{table: Counter of (xid, operation, key)} of all committed changes; the journal's own columns are tbl,
    op, xid, key."""
    entries = collections.defaultdict(collections.Counter)
    for tbl, op, xid, key in source.copy(f"SELECT tbl, op, xid, key FROM {journal}"):
        entries[tbl][(int(xid) & 0xFFFFFFFF, op, key)] += 1
    return entries


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parquet", required=True, metavar="DIR")
    parser.add_argument("--conninfo", required=True, help="of the source, for psql")
    parser.add_argument("--tables", required=True, nargs="+", metavar="SCHEMA.TABLE",
                        help="as SQL writes them, quotes included")
    parser.add_argument("--key", action="append", default=[], metavar="SCHEMA.TABLE=COLUMN,...",
                        help="instead of the replica identity's")
    parser.add_argument("--journal", metavar="SCHEMA.TABLE",
                        help="table of the source (tbl, op, xid, key) in which triggers record every change; "
                             "finds what cancels out")
    parser.add_argument("--allow-unknown", action="store_true",
                        help="columns added later may be unknown in older rows")
    parser.add_argument("--quiet", action="store_true", help="the last line only, unless something differs")
    arguments = parser.parse_args()

    source = Source(arguments.conninfo)
    keys = dict(item.split("=", 1) for item in arguments.key)
    transactions = Transactions()
    journal = read_journal(source, arguments.journal) if arguments.journal else None
    totals = collections.Counter()
    for name in arguments.tables:
        table = source.table(name, keys[name].split(",") if name in keys else None)
        report = compare_table(source, arguments.parquet, table, transactions, journal)
        if report.unknown and not arguments.allow_unknown:
            report.add("wrong", f"{report.unknown} cells that no change row carried", report.unknown)
        counts = {what: getattr(report, what) for what in ("rows", "lost", "duplicated", "wrong")}
        totals.update(counts)
        if not arguments.quiet or report.examples:
            ops = ", ".join(f"{op} {report.ops[op]}" for op in OPS if report.ops[op])
            print(report.name, *(f"{what}={count}" for what, count in counts.items()),
                  f"({ops or 'no changes'})")
        for example in report.examples:
            print("  " + example)
    print("total", *(f"{what}={totals[what]}" for what in ("rows", "lost", "duplicated", "wrong")))
    return 1 if totals["lost"] or totals["duplicated"] or totals["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
