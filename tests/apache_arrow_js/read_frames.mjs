// Reads the Arrow messages of wal2arrow with npm's apache-arrow, exactly as they came off the socket.
//   node read_frames.mjs DIRECTORY
// Each file of the directory, in the order of the names, is the payload of one CopyData message. Writes a
// line of JSON for every batch: {"columns": ["name: type"], "rows": [[values]]}. 64-bit integers and decimals
// are strings, bytes are hexadecimal, times are in the units of their type.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv, exit, stderr, stdout } from 'node:process';
import { CompressionType, DataType, Vector, compressionRegistry, tableFromIPC } from 'apache-arrow';
import { decompress as decompressZstd } from 'fzstd';
import lz4 from 'lz4js';

// The library brings no codecs; these are JavaScript, too.
compressionRegistry.set(CompressionType.LZ4_FRAME, {
  decode: (bytes) => Uint8Array.from(lz4.decompress(bytes)),
});
compressionRegistry.set(CompressionType.ZSTD, { decode: (bytes) => decompressZstd(bytes) });

const XLOGDATA_BYTES = 25;
const KIND_SCHEMA = 2;
const KIND_BATCH = 3;
const SECTION_TABLE = 4;
const SECTION_BATCH = 5;
const END_OF_STREAM = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0);

function readFrame(message) {
  const frame = message.subarray(XLOGDATA_BYTES);
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame[0] !== 0x57 || frame[1] !== 0x41) throw new Error('no frame');
  const headerBytes = view.getUint32(8, true);
  const sections = new Map();
  for (let at = view.getUint16(6, true); headerBytes - at >= 8; ) {
    const tag = view.getUint16(at, true);
    if (tag === 0) break;
    const bytes = view.getUint32(at + 4, true);
    sections.set(tag, at + 8);
    at = Math.ceil((at + 8 + bytes) / 8) * 8;
  }
  return {
    kind: frame[3],
    payload: frame.subarray(headerBytes),
    fingerprint: (tag) => view.getBigUint64(sections.get(tag), true),
  };
}

function hex(bytes) {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

// Two's complement, little-endian words of 32 bits, and a scale.
function decimal(words, scale) {
  let value = 0n;
  for (let i = words.length - 1; i >= 0; --i) value = (value << 32n) | BigInt(words[i]);
  value = BigInt.asIntN(words.length * 32, value);
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const text = scale > 0 ? `${digits.slice(0, -scale)}.${digits.slice(-scale)}` : digits;
  return value < 0n ? `-${text}` : text;
}

// Element `index` of one chunk of a column: the library's own value, or its raw number where that would be
// rounded.
function valueOf(data, index) {
  const { type } = data;
  if (!data.getValid(index)) return null;
  if (DataType.isTimestamp(type) || DataType.isTime(type)) return data.values[index].toString();
  if (DataType.isDate(type)) return data.values[index];
  const words = () => data.values.subarray(data.stride * index, data.stride * (index + 1));
  if (DataType.isDecimal(type)) return decimal(words(), type.scale);
  if (DataType.isInterval(type)) return Array.from(words());
  if (DataType.isList(type)) {
    const items = [];
    for (let i = data.valueOffsets[index]; i < data.valueOffsets[index + 1]; ++i) {
      items.push(valueOf(data.children[0], i));
    }
    return items;
  }
  if (DataType.isStruct(type)) {
    const values = type.children.map((field, i) => [field.name, valueOf(data.children[i], index)]);
    return Object.fromEntries(values);
  }
  const own = new Vector([data]).get(index);
  if (typeof own === 'bigint') return own.toString();
  if (own instanceof Uint8Array) return hex(own);
  return own;
}

function describe(payloads) {
  const table = tableFromIPC(Buffer.concat([...payloads, END_OF_STREAM]));
  const columns = table.schema.fields.map((field, i) => [field, table.getChildAt(i)]);
  const rows = [];
  for (let row = 0; row < table.numRows; ++row) {
    rows.push(columns.map(([, column]) => valueOf(column.data[0], row)));
  }
  return { columns: columns.map(([field]) => `${field.name}: ${field.type}`), rows };
}

function main(directory) {
  const schemas = new Map();
  for (const name of readdirSync(directory).sort()) {
    const frame = readFrame(readFileSync(join(directory, name)));
    if (frame.kind === KIND_SCHEMA) schemas.set(frame.fingerprint(SECTION_TABLE), frame.payload);
    if (frame.kind !== KIND_BATCH) continue;
    const schema = schemas.get(frame.fingerprint(SECTION_BATCH));
    if (schema === undefined) throw new Error(`${name}: its schema was not announced`);
    stdout.write(`${JSON.stringify(describe([schema, frame.payload]))}\n`);
  }
}

if (argv.length !== 3) {
  stderr.write('usage: node read_frames.mjs DIRECTORY\n');
  exit(2);
}
main(argv[2]);
