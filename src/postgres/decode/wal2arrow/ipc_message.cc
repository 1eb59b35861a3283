// Arrow's reader, fenced: what it does not check is checked here.
#include "src/postgres/decode/wal2arrow/ipc_message.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/message.h>
#include <arrow/ipc/options.h>
#include <arrow/ipc/reader.h>
#include <arrow/util/key_value_metadata.h>
#include <arrow/util/utf8.h>

#include "format/ipc_writer.h"
#include "src/postgres/decode/wal2arrow/flatbuffer_table.h"

namespace arrowcdc {
namespace {

constexpr uint32_t kContinuationMarker = 0xFFFFFFFF;

uint32_t LoadU32(const uint8_t* from) {
  uint32_t value;
  memcpy(&value, from, sizeof(value));
  return value;
}

arrow::ipc::IpcReadOptions ReadOptions(arrow::MemoryPool* pool) {
  auto options = arrow::ipc::IpcReadOptions::Defaults();
  options.max_recursion_depth = kNestingMax;
  options.memory_pool = pool;
  options.use_threads = false;
  options.ensure_native_endian = false;
  options.ensure_alignment = arrow::ipc::Alignment::kDataTypeSpecificAlignment;
  return options;
}

// The message that fills the payload from first byte to last; its flatbuffer is verified by Arrow.
arrow::Result<std::unique_ptr<arrow::ipc::Message>> OpenMessage(const std::shared_ptr<arrow::Buffer>& payload,
                                                                arrow::ipc::MessageType type,
                                                                arrow::MemoryPool* pool) {
  int64_t body_at = BodyOffset(payload->data(), payload->size());
  if (body_at == 0) return arrow::Status::Invalid("no encapsulated Arrow message");
  if (body_at > payload->size()) return arrow::Status::Invalid("Arrow metadata longer than the payload");
  auto metadata = arrow::SliceBuffer(payload, kMessagePrefixBytes, body_at - kMessagePrefixBytes);
  if (reinterpret_cast<uintptr_t>(metadata->data()) % 8 != 0) {  // flatbuffers are read in place
    ARROW_ASSIGN_OR_RAISE(metadata, arrow::Buffer::Copy(metadata, arrow::CPUDevice::memory_manager(pool)));
  }
  auto body = arrow::SliceBuffer(payload, body_at, payload->size() - body_at);
  ARROW_ASSIGN_OR_RAISE(auto message, arrow::ipc::Message::Open(metadata, body));
  if (message->type() != type) {
    return arrow::Status::Invalid("Arrow message of type ", arrow::ipc::FormatMessageType(message->type()));
  }
  if (message->metadata_version() != arrow::ipc::MetadataVersion::V5) {
    return arrow::Status::Invalid("Arrow metadata version other than V5");
  }
  if (message->body_length() != body->size()) {
    return arrow::Status::Invalid("Arrow body of ", body->size(), " bytes that says ",
                                  message->body_length());
  }
  return message;
}

constexpr int64_t kStructBytes = 16;  // of FieldNode and Buffer in Message.fbs

// The lengths that a compressed body's buffers name for themselves. Arrow allocates what they say before it
// decompresses, so they are held against what the rows can need first, column by column as Arrow orders nodes
// and buffers.
class CompressedBody {
 public:
  CompressedBody(const FlatbufferTable& batch, const FlatbufferTable& compression, const arrow::Buffer& body,
                 int64_t bytes_max)
      : batch_(batch),
        body_(body),
        is_zstd_(IsZstd(compression)),
        nodes_(batch.Vector(kNodesSlot, kStructBytes)),
        buffers_(batch.Vector(kBuffersSlot, kStructBytes)),
        bytes_left_(bytes_max) {}

  arrow::Status CheckColumn(const arrow::DataType& type, int64_t rows) {
    ARROW_ASSIGN_OR_RAISE(int64_t length, CheckValues(type));
    if (length != rows) return arrow::Status::Invalid("column of ", length, " rows where ", rows, " are");
    return arrow::Status::OK();
  }

 private:
  static constexpr int kNodesSlot = 1;
  static constexpr int kBuffersSlot = 2;
  static constexpr int64_t kPrefixBytes = 8;
  static constexpr int64_t kLengthMax =
      std::numeric_limits<int32_t>::max();  // of a list's values, of a text column

  arrow::Result<int64_t> CheckValues(const arrow::DataType& type) {
    if (type.id() == arrow::Type::EXTENSION) {
      return CheckValues(*static_cast<const arrow::ExtensionType&>(type).storage_type());
    }
    if (next_node_ == nodes_.count) return arrow::Status::Invalid("fewer field nodes than the schema has");
    auto length = batch_.Load<int64_t>(nodes_.at + kStructBytes * next_node_++);
    if (length < 0 || length > kLengthMax) return arrow::Status::Invalid("field node of ", length, " values");
    for (const auto& buffer : type.layout().buffers) ARROW_RETURN_NOT_OK(CheckBuffer(buffer, length));
    for (const auto& child : type.fields()) ARROW_RETURN_NOT_OK(CheckValues(*child->type()));
    return length;
  }

  arrow::Status CheckBuffer(const arrow::DataTypeLayout::BufferSpec& spec, int64_t length) {
    int64_t needed = 0;
    switch (spec.kind) {
      case arrow::DataTypeLayout::FIXED_WIDTH:
        needed = spec.byte_width * (length + 1);  // offsets are one more than values
        break;
      case arrow::DataTypeLayout::BITMAP:
        needed = length / 8 + 1;
        break;
      case arrow::DataTypeLayout::VARIABLE_WIDTH:
        needed = kLengthMax;
        break;
      case arrow::DataTypeLayout::ALWAYS_NULL:  // not in the body
        return arrow::Status::OK();
    }
    int64_t index = next_buffer_++;
    if (index >= buffers_.count) return arrow::Status::Invalid("fewer buffers than the schema has");
    auto offset = batch_.Load<int64_t>(buffers_.at + kStructBytes * index);
    auto bytes = batch_.Load<int64_t>(buffers_.at + kStructBytes * index + 8);
    if (bytes == 0) return arrow::Status::OK();
    if (bytes < kPrefixBytes || offset < 0 || bytes > body_.size() || offset > body_.size() - bytes) {
      return arrow::Status::Invalid("buffer ", index, " of ", bytes, " bytes at ", offset,
                                    " of the compressed body");
    }
    int64_t expanded;
    memcpy(&expanded, body_.data() + offset, sizeof(expanded));
    const bool compressed = expanded != format::kLeftUncompressed;
    if (!compressed) expanded = bytes - kPrefixBytes;
    if (expanded < 0 || expanded > needed) {
      return arrow::Status::Invalid("buffer ", index, " at ", offset, " of the compressed body expands to ",
                                    expanded, " bytes, and at most ", needed, " are needed");
    }
    if (compressed && expanded > ExpandsToMost(body_.data() + offset + kPrefixBytes, bytes - kPrefixBytes)) {
      return arrow::Status::Invalid("buffer ", index, " at ", offset, " of the compressed body says ",
                                    expanded, " bytes, to which its own do not expand");
    }
    if (expanded > bytes_left_) {
      return arrow::Status::Invalid("buffer ", index, " at ", offset, " of the compressed body expands to ",
                                    expanded, " bytes, which makes the body longer than this client takes");
    }
    bytes_left_ -= expanded;
    return arrow::Status::OK();
  }

  static bool IsZstd(const FlatbufferTable& compression) {
    constexpr int kCodecSlot = 0;
    constexpr int8_t kZstd = 1;  // CompressionType in Message.fbs; LZ4_FRAME is the default
    const int64_t at = compression.Slot(kCodecSlot);
    return at != 0 && compression.Load<int8_t>(at) == kZstd;
  }

  // LZ4 has at most 255 bytes for one.
  int64_t ExpandsToMost(const uint8_t* data, int64_t bytes) const {
    constexpr int64_t kLz4Ratio = 255;
    return is_zstd_ ? ZstdBytesMax(data, bytes) : kLz4Ratio * bytes;
  }

  // A frame of Zstandard is a header and blocks, each of which says itself how long it is (RFC 8878, 3.1.1).
  // One of repeated bytes says of how many, compressed ones have a limit. 0 for what is none.
  static int64_t ZstdBytesMax(const uint8_t* data, int64_t bytes) {
    constexpr int64_t kMagicBytes = 4;
    constexpr int64_t kBlockHeaderBytes = 3;
    constexpr int64_t kBlockBytesMax = int64_t{128} << 10;
    constexpr int64_t kDictionaryIdBytes[] = {0, 1, 2, 4};
    enum BlockType { kRaw, kRepeated, kCompressed };
    if (bytes <= kMagicBytes) return 0;
    const unsigned descriptor = data[kMagicBytes];
    const bool single_segment = (descriptor & 0x20) != 0;
    const unsigned size_flag = descriptor >> 6;
    const int64_t size_bytes = size_flag == 0 ? (single_segment ? 1 : 0) : int64_t{1} << size_flag;
    int64_t at = kMagicBytes + 1 + (single_segment ? 0 : 1) + kDictionaryIdBytes[descriptor & 3] + size_bytes;
    int64_t sum = 0;
    for (bool last = false; !last && at + kBlockHeaderBytes <= bytes;) {
      const uint32_t header = data[at] | data[at + 1] << 8 | data[at + 2] << 16;
      last = (header & 1) != 0;
      const unsigned type = header >> 1 & 3;
      const int64_t size = header >> 3;
      sum += std::min(type == kCompressed ? kBlockBytesMax : size, kBlockBytesMax);
      at += kBlockHeaderBytes + (type == kRepeated ? 1 : size);
    }
    return sum;
  }

  const FlatbufferTable& batch_;
  const arrow::Buffer& body_;
  const bool is_zstd_;
  const FlatbufferVector nodes_;
  const FlatbufferVector buffers_;
  int64_t next_node_ = 0;
  int64_t next_buffer_ = 0;
  int64_t bytes_left_;
};

// Views, which are read by counts they bring, are not in the protocol; compressed bodies may only expand to
// what is needed, and to bytes_max altogether.
arrow::Status CheckBody(const arrow::ipc::Message& message, const arrow::Schema& schema, int64_t rows,
                        int64_t bytes_max) {
  constexpr int kMessageHeaderSlot = 2;
  constexpr int kBatchCompressionSlot = 3;
  constexpr int kBatchVariadicCountsSlot = 4;
  const arrow::Buffer& metadata = *message.metadata();
  int64_t header = FlatbufferTable::At(metadata, 0).Slot(kMessageHeaderSlot);
  if (header == 0) return arrow::Status::Invalid("Arrow message without a header");
  auto batch = FlatbufferTable::At(metadata, header);
  if (batch.Slot(kBatchVariadicCountsSlot) != 0) return arrow::Status::Invalid("Arrow body with views");
  const int64_t compression = batch.Slot(kBatchCompressionSlot);
  if (compression == 0) return arrow::Status::OK();
  CompressedBody body(batch, FlatbufferTable::At(metadata, compression), *message.body(), bytes_max);
  for (const auto& field : schema.fields()) ARROW_RETURN_NOT_OK(body.CheckColumn(*field->type(), rows));
  return arrow::Status::OK();
}

arrow::Status CheckType(const arrow::DataType& type, int depth) {
  if (depth > kNestingMax) return arrow::Status::Invalid("types nested more than ", kNestingMax, " deep");
  switch (type.id()) {
    case arrow::Type::DICTIONARY:
    case arrow::Type::RUN_END_ENCODED:
    case arrow::Type::SPARSE_UNION:
    case arrow::Type::DENSE_UNION:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
    case arrow::Type::LIST_VIEW:
    case arrow::Type::LARGE_LIST_VIEW:
      return arrow::Status::Invalid("type ", type.name(), " is not in the protocol");
    case arrow::Type::EXTENSION:
      return CheckType(*static_cast<const arrow::ExtensionType&>(type).storage_type(), depth + 1);
    default:
      break;
  }
  for (const auto& child : type.fields()) {
    if (!IsName(child->name())) return arrow::Status::Invalid("field name that is no name");
    ARROW_RETURN_NOT_OK(CheckType(*child->type(), depth + 1));
  }
  return arrow::Status::OK();
}

arrow::Status CheckMetadata(const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  if (metadata == nullptr) return arrow::Status::OK();
  for (int64_t i = 0; i < metadata->size(); ++i) {
    if (!arrow::util::ValidateUTF8(metadata->key(i)) || !arrow::util::ValidateUTF8(metadata->value(i))) {
      return arrow::Status::Invalid("metadata that is not UTF-8");
    }
  }
  return arrow::Status::OK();
}

bool AllKeysAreThere(const arrow::ArrayData& data) {
  return KeysAreThere(data) && std::all_of(data.child_data.begin(), data.child_data.end(),
                                           [](const auto& child) { return AllKeysAreThere(*child); });
}

}  // namespace

bool KeysAreThere(const arrow::ArrayData& data) {
  const arrow::DataType& type = data.type->id() == arrow::Type::EXTENSION
                                    ? *static_cast<const arrow::ExtensionType&>(*data.type).storage_type()
                                    : *data.type;
  if (type.id() != arrow::Type::MAP) return true;
  const arrow::ArrayData& entries = *data.child_data[0];
  return entries.null_count == 0 && entries.child_data[0]->null_count == 0;
}

bool IsName(std::string_view name) {
  arrow::util::InitializeUTF8();
  return name.size() <= kNameBytesMax && name.find('\0') == std::string_view::npos &&
         arrow::util::ValidateUTF8(name);
}

int64_t BodyOffset(const uint8_t* payload, int64_t bytes) {
  if (bytes < kMessagePrefixBytes || LoadU32(payload) != kContinuationMarker) return 0;
  return kMessagePrefixBytes + int64_t{LoadU32(payload + 4)};
}

arrow::Result<std::shared_ptr<arrow::Schema>> ReadSchemaPayload(const std::shared_ptr<arrow::Buffer>& payload,
                                                                arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(auto message, OpenMessage(payload, arrow::ipc::MessageType::SCHEMA, pool));
  arrow::ipc::DictionaryMemo memo;
  ARROW_ASSIGN_OR_RAISE(auto schema, arrow::ipc::ReadSchema(*message, &memo));
  if (!schema->is_native_endian()) return arrow::Status::Invalid("big-endian schema");
  if (schema->num_fields() > kColumnsMax + 3) {
    return arrow::Status::Invalid("more columns than the ", kColumnsMax, " a table can have");
  }
  ARROW_RETURN_NOT_OK(CheckMetadata(schema->metadata()));
  for (const auto& field : schema->fields()) {
    if (!IsName(field->name())) return arrow::Status::Invalid("column name that is no name");
    ARROW_RETURN_NOT_OK(CheckType(*field->type(), 1));
    ARROW_RETURN_NOT_OK(CheckMetadata(field->metadata()));
  }
  return schema;
}

arrow::Result<arrow::ArrayVector> ReadBatchPayload(const std::shared_ptr<arrow::Buffer>& payload,
                                                   const std::shared_ptr<arrow::Schema>& schema, int64_t rows,
                                                   int64_t bytes_max, arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(auto message, OpenMessage(payload, arrow::ipc::MessageType::RECORD_BATCH, pool));
  ARROW_RETURN_NOT_OK(CheckBody(*message, *schema, rows, bytes_max));
  arrow::ipc::DictionaryMemo memo;
  ARROW_ASSIGN_OR_RAISE(auto batch, arrow::ipc::ReadRecordBatch(*message, schema, &memo, ReadOptions(pool)));
  if (batch->num_rows() != rows) {
    return arrow::Status::Invalid("Arrow batch of ", batch->num_rows(), " rows where ", rows,
                                  " were announced");
  }
  for (int i = 0; i < batch->num_columns(); ++i) {
    if (!AllKeysAreThere(*batch->column_data(i)))
      return arrow::Status::Invalid("column ", i, " has a map with an entry or a key that is null");
  }
  return batch->columns();
}

}  // namespace arrowcdc
