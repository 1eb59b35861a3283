// Writes the flatbuffer metadata of Arrow IPC messages (Schema and RecordBatch, metadata V5, little-endian).
// Used inside the server: no C++ heap, no exceptions, no static state; memory comes from the caller's
// allocator, which never returns null (it may leave by longjmp). Source of the format: Arrow columnar format,
// "Encapsulated message format", and its Schema.fbs and Message.fbs.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/byte_buffer.h"

namespace arrowcdc::format {

enum class ArrowTypeId : uint8_t {
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kFloat32,
  kFloat64,
  kUtf8,
  kBinary,
  kFixedSizeBinary,
  kDecimal128,
  kDecimal256,
  kDate32,
  kTime64Us,
  kTimestampUs,
  kMonthDayNano,
  kList,
  kFixedSizeList,
  kMap,  // keys are not sorted
  kStruct,
};

struct KeyValue {
  const char* key;
  const char* value;
};

struct Field {
  const char* name;  // UTF-8, NUL-terminated
  ArrowTypeId type;
  bool utc;            // kTimestampUs: timezone "UTC"
  int32_t byte_width;  // kFixedSizeBinary
  int32_t list_size;   // kFixedSizeList
  int32_t precision;   // decimals
  int32_t scale;       // decimals; may be negative or larger than precision
  const KeyValue* metadata;
  int32_t metadata_count;
  // kList, kFixedSizeList: one, usually named "item"; kMap: one, the struct of key and value, which is
  // required as the key is; kStruct: its fields.
  const Field* children;
  int32_t children_count;
  bool required;  // is never null
};

struct FieldNode {
  int64_t length;
  int64_t null_count;
};

// How the buffers of a body are compressed: Arrow's CompressionType, and none. Method is always BUFFER, each
// buffer by itself.
enum class BodyCodec : int8_t {
  kNone = -1,
  kLz4Frame = 0,
  kZstd = 1,
};
// A compressed body's buffer begins with its length before compression, an int64; this one says that what
// follows was left as it is.
inline constexpr int64_t kLeftUncompressed = -1;

// Place of one buffer in the body, which follows the metadata.
struct BufferRef {
  int64_t offset;
  int64_t length;
};

// Appends a whole encapsulated message (0xFFFFFFFF, metadata length, metadata; no body) to *out.
// The message's length is a multiple of 8, and its bytes depend on the arguments only. Recurses once a level
// of nesting; readers refuse more than 64.
void WriteSchemaMessage(const Field* fields, int32_t field_count, const KeyValue* metadata,
                        int32_t metadata_count, ByteBuffer* out);

// Length in bytes that WriteRecordBatchMetadata will append (a multiple of 8), so that the caller can choose
// its padding first.
size_t RecordBatchMetadataBytes(int32_t node_count, int32_t buffer_count, BodyCodec codec = BodyCodec::kNone);

// Appends 0xFFFFFFFF, metadata length and metadata of a RecordBatch message; the caller appends the body of
// body_bytes, in which the buffers lie as `buffers` says.
void WriteRecordBatchMetadata(int64_t rows, const FieldNode* nodes, int32_t node_count,
                              const BufferRef* buffers, int32_t buffer_count, int64_t body_bytes,
                              ByteBuffer* out, BodyCodec codec = BodyCodec::kNone);

}  // namespace arrowcdc::format
