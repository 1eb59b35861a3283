// Flatbuffers written front to back: a parent stands before its children, as the unsigned offsets of the
// format ask, and each offset is filled in when the child's place is known. Every table has its vtable right
// in front of it.
#include "format/ipc_writer.h"

namespace arrowcdc::format {
namespace {

// Numbers of Schema.fbs and Message.fbs.
constexpr int16_t kMetadataV5 = 4;
enum MessageHeader : uint8_t { kHeaderSchema = 1, kHeaderRecordBatch = 3 };
enum TypeUnion : uint8_t {
  kUnionInt = 2,
  kUnionFloatingPoint = 3,
  kUnionBinary = 4,
  kUnionUtf8 = 5,
  kUnionBool = 6,
  kUnionDecimal = 7,
  kUnionDate = 8,
  kUnionTime = 9,
  kUnionTimestamp = 10,
  kUnionInterval = 11,
  kUnionList = 12,
  kUnionStruct = 13,
  kUnionFixedSizeBinary = 15,
  kUnionFixedSizeList = 16,
  kUnionMap = 17,
};
constexpr int16_t kPrecisionSingle = 1;
constexpr int16_t kPrecisionDouble = 2;
constexpr int16_t kUnitMicrosecond = 2;
constexpr int16_t kDateUnitDay = 0;
constexpr int16_t kIntervalMonthDayNano = 2;

constexpr size_t kPrefixBytes = 8;  // continuation marker and metadata length
// A RecordBatch message in front of its vectors: root offset and vtable up to byte 16, Message table to 40,
// padding and vtable to 56, RecordBatch table to 80; then 4 bytes of padding and a count before the 16-byte
// entries of each vector.
constexpr size_t kRecordBatchFixedBytes = kPrefixBytes + 80 + 8 + 8;
// A further slot of the RecordBatch table fits into its padding; the BodyCompression table behind it and what
// aligns the nodes take this.
constexpr size_t kBodyCompressionBytes = 16;
constexpr int8_t kMethodBuffer = 0;
constexpr int kSlotsMax = 8;

// Place of each slot of a table that has been laid out, counted from the start of the flatbuffer.
struct Table {
  size_t slots[kSlotsMax];
};

// One flatbuffer at the end of *out; positions are counted from its first byte, which is 8-aligned in the
// message.
class Flatbuffer {
 public:
  explicit Flatbuffer(ByteBuffer* out) : out_(out), base_(out->size) {}

  size_t position() const { return out_->size - base_; }

  template <typename T>
  void Set(size_t at, T value) {
    memcpy(out_->data + base_ + at, &value, sizeof(T));
  }

  // Fills the offset at `at` with the distance to what is written next.
  void PointHere(size_t at) { Set<uint32_t>(at, static_cast<uint32_t>(position() - at)); }

  // The offset in front of everything, for the first table to fill.
  size_t Root() {
    AppendZeros(out_, 4);
    return 0;
  }

  // Writes vtable and zeroed table. sizes[i]: bytes of slot i, 1, 2, 4 or 8; 0: absent. `parent` is the
  // offset that points to the table.
  Table AddTable(size_t parent, const uint8_t* sizes, int count);

  // Vectors are preceded by their length; what follows the length is aligned to `alignment`.
  void StartVector(size_t parent, uint32_t count, size_t alignment) {
    AppendZeros(out_, RoundUp(position() + 4, alignment) - 4 - position());
    PointHere(parent);
    AppendValue(out_, count);
  }

  // A vector of offsets, zero for now; returns the place of the first.
  size_t AddOffsets(size_t parent, int32_t count) {
    StartVector(parent, static_cast<uint32_t>(count), 4);
    size_t first = position();
    AppendZeros(out_, static_cast<size_t>(count) * 4);
    return first;
  }

  void AddString(size_t parent, const char* text) {
    size_t bytes = strlen(text);
    StartVector(parent, static_cast<uint32_t>(bytes), 4);
    Append(out_, text, bytes + 1);
  }

  void AddBytes(const void* data, size_t bytes) { Append(out_, data, bytes); }

 private:
  ByteBuffer* out_;
  size_t base_;
};

Table Flatbuffer::AddTable(size_t parent, const uint8_t* sizes, int count) {
  uint16_t offsets[kSlotsMax];
  size_t table_bytes = 4;
  size_t alignment = 4;
  for (int i = 0; i < count; ++i) {
    if (sizes[i] == 0) {
      offsets[i] = 0;
      continue;
    }
    table_bytes = RoundUp(table_bytes, sizes[i]);
    offsets[i] = static_cast<uint16_t>(table_bytes);
    table_bytes += sizes[i];
    if (sizes[i] > alignment) alignment = sizes[i];
  }
  size_t vtable_bytes = 4 + 2 * static_cast<size_t>(count);
  size_t table = RoundUp(RoundUp(position(), 2) + vtable_bytes, alignment);
  AppendZeros(out_, table - vtable_bytes - position());
  AppendValue(out_, static_cast<uint16_t>(vtable_bytes));
  AppendValue(out_, static_cast<uint16_t>(table_bytes));
  AddBytes(offsets, 2 * static_cast<size_t>(count));
  PointHere(parent);
  AppendValue(out_, static_cast<int32_t>(vtable_bytes));
  AppendZeros(out_, table_bytes - 4);
  Table result = {};
  for (int i = 0; i < count; ++i) result.slots[i] = table + offsets[i];
  return result;
}

void AddMetadata(Flatbuffer* fb, size_t parent, const KeyValue* metadata, int32_t count) {
  constexpr uint8_t kSlots[] = {4, 4};  // key, value
  size_t first = fb->AddOffsets(parent, count);
  for (int32_t i = 0; i < count; ++i) {
    Table entry = fb->AddTable(first + 4 * static_cast<size_t>(i), kSlots, 2);
    fb->AddString(entry.slots[0], metadata[i].key);
    fb->AddString(entry.slots[1], metadata[i].value);
  }
}

void AddInt(Flatbuffer* fb, size_t parent, int32_t bits, bool is_signed) {
  constexpr uint8_t kSlots[] = {4, 1};
  Table table = fb->AddTable(parent, kSlots, 2);
  fb->Set<int32_t>(table.slots[0], bits);
  fb->Set<uint8_t>(table.slots[1], is_signed);
}

// FloatingPoint, Date and Interval: one enumeration of 16 bits.
void AddUnit(Flatbuffer* fb, size_t parent, int16_t unit) {
  constexpr uint8_t kSlots[] = {2};
  Table table = fb->AddTable(parent, kSlots, 1);
  fb->Set<int16_t>(table.slots[0], unit);
}

void AddDecimal(Flatbuffer* fb, size_t parent, const Field& field, int32_t bits) {
  constexpr uint8_t kSlots[] = {4, 4, 4};
  Table table = fb->AddTable(parent, kSlots, 3);
  fb->Set<int32_t>(table.slots[0], field.precision);
  fb->Set<int32_t>(table.slots[1], field.scale);
  fb->Set<int32_t>(table.slots[2], bits);
}

void AddTime64(Flatbuffer* fb, size_t parent) {
  constexpr uint8_t kSlots[] = {2, 4};
  Table table = fb->AddTable(parent, kSlots, 2);
  fb->Set<int16_t>(table.slots[0], kUnitMicrosecond);
  fb->Set<int32_t>(table.slots[1], 64);
}

void AddTimestamp(Flatbuffer* fb, size_t parent, bool utc) {
  const uint8_t slots[] = {2, static_cast<uint8_t>(utc ? 4 : 0)};
  Table table = fb->AddTable(parent, slots, 2);
  fb->Set<int16_t>(table.slots[0], kUnitMicrosecond);
  if (utc) fb->AddString(table.slots[1], "UTC");
}

// FixedSizeBinary and FixedSizeList.
void AddSize(Flatbuffer* fb, size_t parent, int32_t size) {
  constexpr uint8_t kSlots[] = {4};
  Table table = fb->AddTable(parent, kSlots, 1);
  fb->Set<int32_t>(table.slots[0], size);
}

TypeUnion UnionOf(ArrowTypeId type) {
  switch (type) {
    case ArrowTypeId::kBool:
      return kUnionBool;
    case ArrowTypeId::kInt8:
    case ArrowTypeId::kInt16:
    case ArrowTypeId::kInt32:
    case ArrowTypeId::kInt64:
    case ArrowTypeId::kUint8:
    case ArrowTypeId::kUint16:
    case ArrowTypeId::kUint32:
    case ArrowTypeId::kUint64:
      return kUnionInt;
    case ArrowTypeId::kFloat32:
    case ArrowTypeId::kFloat64:
      return kUnionFloatingPoint;
    case ArrowTypeId::kUtf8:
      return kUnionUtf8;
    case ArrowTypeId::kBinary:
      return kUnionBinary;
    case ArrowTypeId::kFixedSizeBinary:
      return kUnionFixedSizeBinary;
    case ArrowTypeId::kDecimal128:
    case ArrowTypeId::kDecimal256:
      return kUnionDecimal;
    case ArrowTypeId::kDate32:
      return kUnionDate;
    case ArrowTypeId::kTime64Us:
      return kUnionTime;
    case ArrowTypeId::kTimestampUs:
      return kUnionTimestamp;
    case ArrowTypeId::kMonthDayNano:
      return kUnionInterval;
    case ArrowTypeId::kList:
      return kUnionList;
    case ArrowTypeId::kFixedSizeList:
      return kUnionFixedSizeList;
    case ArrowTypeId::kMap:
      return kUnionMap;
    case ArrowTypeId::kStruct:
      return kUnionStruct;
  }
  __builtin_unreachable();
}

void AddType(Flatbuffer* fb, size_t parent, const Field& field) {
  switch (field.type) {
    case ArrowTypeId::kInt8:
      return AddInt(fb, parent, 8, true);
    case ArrowTypeId::kInt16:
      return AddInt(fb, parent, 16, true);
    case ArrowTypeId::kInt32:
      return AddInt(fb, parent, 32, true);
    case ArrowTypeId::kInt64:
      return AddInt(fb, parent, 64, true);
    case ArrowTypeId::kUint8:
      return AddInt(fb, parent, 8, false);
    case ArrowTypeId::kUint16:
      return AddInt(fb, parent, 16, false);
    case ArrowTypeId::kUint32:
      return AddInt(fb, parent, 32, false);
    case ArrowTypeId::kUint64:
      return AddInt(fb, parent, 64, false);
    case ArrowTypeId::kFloat32:
      return AddUnit(fb, parent, kPrecisionSingle);
    case ArrowTypeId::kFloat64:
      return AddUnit(fb, parent, kPrecisionDouble);
    case ArrowTypeId::kFixedSizeBinary:
      return AddSize(fb, parent, field.byte_width);
    case ArrowTypeId::kFixedSizeList:
      return AddSize(fb, parent, field.list_size);
    case ArrowTypeId::kDecimal128:
      return AddDecimal(fb, parent, field, 128);
    case ArrowTypeId::kDecimal256:
      return AddDecimal(fb, parent, field, 256);
    case ArrowTypeId::kDate32:
      return AddUnit(fb, parent, kDateUnitDay);
    case ArrowTypeId::kTime64Us:
      return AddTime64(fb, parent);
    case ArrowTypeId::kTimestampUs:
      return AddTimestamp(fb, parent, field.utc);
    case ArrowTypeId::kMonthDayNano:
      return AddUnit(fb, parent, kIntervalMonthDayNano);
    case ArrowTypeId::kBool:
    case ArrowTypeId::kUtf8:
    case ArrowTypeId::kBinary:
    case ArrowTypeId::kList:
    case ArrowTypeId::kMap:
    case ArrowTypeId::kStruct:
      fb->AddTable(parent, nullptr, 0);
      return;
  }
}

void AddFields(Flatbuffer* fb, size_t parent, const Field* fields, int32_t count);

void AddField(Flatbuffer* fb, size_t parent, const Field& field) {
  // name, nullable, type_type, type, dictionary (absent), children, custom_metadata
  constexpr uint8_t kSlots[] = {4, 1, 1, 4, 0, 4, 4};
  constexpr uint8_t kSlotsWithoutMetadata[] = {4, 1, 1, 4, 0, 4};
  bool has_metadata = field.metadata_count > 0;
  Table table = fb->AddTable(parent, has_metadata ? kSlots : kSlotsWithoutMetadata, has_metadata ? 7 : 6);
  fb->Set<uint8_t>(table.slots[1], !field.required);
  fb->Set<uint8_t>(table.slots[2], UnionOf(field.type));
  fb->AddString(table.slots[0], field.name);
  AddType(fb, table.slots[3], field);
  AddFields(fb, table.slots[5], field.children, field.children_count);
  if (has_metadata) AddMetadata(fb, table.slots[6], field.metadata, field.metadata_count);
}

void AddFields(Flatbuffer* fb, size_t parent, const Field* fields, int32_t count) {
  size_t first = fb->AddOffsets(parent, count);
  for (int32_t i = 0; i < count; ++i) AddField(fb, first + 4 * static_cast<size_t>(i), fields[i]);
}

// Message table: version, header_type, header, bodyLength. Returns the place of the header's offset.
size_t AddMessage(Flatbuffer* fb, MessageHeader header, int64_t body_bytes) {
  constexpr uint8_t kSlots[] = {2, 1, 4, 8};
  Table message = fb->AddTable(fb->Root(), kSlots, 4);
  fb->Set<int16_t>(message.slots[0], kMetadataV5);
  fb->Set<uint8_t>(message.slots[1], header);
  fb->Set<int64_t>(message.slots[3], body_bytes);
  return message.slots[2];
}

void AddBodyCompression(Flatbuffer* fb, size_t parent, BodyCodec codec) {
  constexpr uint8_t kSlots[] = {1, 1};
  Table table = fb->AddTable(parent, kSlots, 2);
  fb->Set<int8_t>(table.slots[0], static_cast<int8_t>(codec));
  fb->Set<int8_t>(table.slots[1], kMethodBuffer);
}

// Continuation marker and a metadata length of 0 for now; returns where the length stands.
size_t StartPrefix(ByteBuffer* out) {
  AppendValue(out, uint32_t{0xFFFFFFFF});
  size_t at = out->size;
  AppendValue(out, uint32_t{0});
  return at;
}

void FinishPrefix(ByteBuffer* out, size_t at) {
  size_t metadata_bytes = out->size - at - 4;
  AppendZeros(out, RoundUp(metadata_bytes, 8) - metadata_bytes);
  uint32_t length = static_cast<uint32_t>(out->size - at - 4);
  memcpy(out->data + at, &length, sizeof(length));
}

}  // namespace

void WriteSchemaMessage(const Field* fields, int32_t field_count, const KeyValue* metadata,
                        int32_t metadata_count, ByteBuffer* out) {
  size_t length_at = StartPrefix(out);
  Flatbuffer fb(out);
  size_t header = AddMessage(&fb, kHeaderSchema, 0);
  constexpr uint8_t kSlots[] = {2, 4, 4};  // endianness (0: little), fields, custom_metadata
  constexpr uint8_t kSlotsWithoutMetadata[] = {2, 4};
  bool has_metadata = metadata_count > 0;
  Table schema = fb.AddTable(header, has_metadata ? kSlots : kSlotsWithoutMetadata, has_metadata ? 3 : 2);
  AddFields(&fb, schema.slots[1], fields, field_count);
  if (has_metadata) AddMetadata(&fb, schema.slots[2], metadata, metadata_count);
  FinishPrefix(out, length_at);
}

size_t RecordBatchMetadataBytes(int32_t node_count, int32_t buffer_count, BodyCodec codec) {
  return kRecordBatchFixedBytes + (codec == BodyCodec::kNone ? 0 : kBodyCompressionBytes) +
         16 * (static_cast<size_t>(node_count) + static_cast<size_t>(buffer_count));
}

void WriteRecordBatchMetadata(int64_t rows, const FieldNode* nodes, int32_t node_count,
                              const BufferRef* buffers, int32_t buffer_count, int64_t body_bytes,
                              ByteBuffer* out, BodyCodec codec) {
  static_assert(sizeof(FieldNode) == 16 && sizeof(BufferRef) == 16);
  Reserve(out, RecordBatchMetadataBytes(node_count, buffer_count, codec));
  size_t length_at = StartPrefix(out);
  Flatbuffer fb(out);
  size_t header = AddMessage(&fb, kHeaderRecordBatch, body_bytes);
  constexpr uint8_t kSlots[] = {8, 4, 4, 4};  // length, nodes, buffers, compression
  Table batch = fb.AddTable(header, kSlots, codec == BodyCodec::kNone ? 3 : 4);
  fb.Set<int64_t>(batch.slots[0], rows);
  if (codec != BodyCodec::kNone) AddBodyCompression(&fb, batch.slots[3], codec);
  fb.StartVector(batch.slots[1], static_cast<uint32_t>(node_count), 8);
  fb.AddBytes(nodes, sizeof(FieldNode) * static_cast<size_t>(node_count));
  fb.StartVector(batch.slots[2], static_cast<uint32_t>(buffer_count), 8);
  fb.AddBytes(buffers, sizeof(BufferRef) * static_cast<size_t>(buffer_count));
  FinishPrefix(out, length_at);
}

}  // namespace arrowcdc::format
