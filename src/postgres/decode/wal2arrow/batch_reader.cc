// See batch_reader.h. Source of the format: Arrow columnar format, "Encapsulated message format", and its
// Message.fbs.
#include "src/postgres/decode/wal2arrow/batch_reader.h"

#include <algorithm>
#include <utility>

#include <arrow/extension_type.h>

#include "src/change/repair_text.h"
#include "src/change/validate_column.h"
#include "src/postgres/decode/wal2arrow/flatbuffer_table.h"
#include "src/postgres/decode/wal2arrow/ipc_message.h"

namespace arrowcdc {
namespace {

// Slots of Message and of RecordBatch, and what the first two hold here.
constexpr int kVersionSlot = 0;
constexpr int kHeaderTypeSlot = 1;
constexpr int kHeaderSlot = 2;
constexpr int kBodyLengthSlot = 3;
constexpr int kLengthSlot = 0;
constexpr int kNodesSlot = 1;
constexpr int kBuffersSlot = 2;
constexpr int kCompressionSlot = 3;
constexpr int kVariadicCountsSlot = 4;
constexpr int16_t kVersion5 = 4;
constexpr uint8_t kRecordBatch = 3;

constexpr int64_t kStructBytes = 16;  // of FieldNode and Buffer: two int64
constexpr int64_t kAlignment = 8;     // enough for every type

// What is wrong with the column is its text alone, or else nothing of the batch can be used.
arrow::Status RepairColumn(int index, int64_t rows, CheckedBatch* read, arrow::MemoryPool* pool) {
  std::shared_ptr<arrow::Array>& column = read->columns[static_cast<size_t>(index)];
  auto repaired = column->length() == rows ? RepairText(*column, pool)
                                           : arrow::Result<RepairedText>(arrow::Status::Invalid("length"));
  if (repaired.status().IsOutOfMemory()) return repaired.status();
  if (!repaired.ok()) {
    // Arrow's own text may quote the value that is wrong, and is left out.
    return arrow::Status::Invalid("column ", index, " is not a valid array of ", column->type()->name());
  }
  for (const int64_t row : repaired->rows) {
    read->repaired.push_back({static_cast<uint32_t>(row), static_cast<uint16_t>(index)});
  }
  column = repaired->column;
  return arrow::Status::OK();
}

}  // namespace

// Where a message is read, and how far.
struct BatchReader::Message {
  const std::shared_ptr<arrow::Buffer>& payload;
  int64_t body_at;
  const FlatbufferTable batch;
  FlatbufferVector fields;
  FlatbufferVector buffers;
  size_t next_node = 0;
  int64_t next_field = 0;
  int64_t next_buffer = 0;

  // Of the next structure of `vector`; false where there is none.
  bool Take(const FlatbufferVector& vector, int64_t* next, int64_t* first, int64_t* second) const {
    if (*next == vector.count) return false;
    const int64_t at = vector.at + kStructBytes * (*next)++;
    *first = batch.Load<int64_t>(at);
    *second = batch.Load<int64_t>(at + 8);
    return true;
  }

  // null where there is none of that place and length.
  std::shared_ptr<arrow::Buffer> TakeBuffer() {
    int64_t offset = 0;
    int64_t bytes = 0;
    if (!Take(buffers, &next_buffer, &offset, &bytes)) return nullptr;
    const int64_t body_bytes = payload->size() - body_at;
    if (offset < 0 || offset % kAlignment != 0 || bytes < 0 || bytes > body_bytes ||
        offset > body_bytes - bytes)
      return nullptr;
    return std::make_shared<arrow::Buffer>(payload, body_at + offset, bytes);
  }
};

BatchReader::BatchReader(std::shared_ptr<arrow::Schema> schema) : schema_(std::move(schema)) {
  for (const auto& field : schema_->fields()) AddNodes(field->type());
}

void BatchReader::AddNodes(const std::shared_ptr<arrow::DataType>& type) {
  const arrow::DataType& stored = type->id() == arrow::Type::EXTENSION
                                      ? *static_cast<const arrow::ExtensionType&>(*type).storage_type()
                                      : *type;
  const arrow::DataTypeLayout layout = stored.layout();
  is_plain_ = is_plain_ && !layout.has_dictionary && !layout.variadic_spec.has_value() &&
              !layout.buffers.empty() && layout.buffers[0].kind == arrow::DataTypeLayout::BITMAP;
  nodes_.push_back({type, static_cast<int>(layout.buffers.size()), stored.num_fields()});
  for (const auto& child : stored.fields()) AddNodes(child->type());
}

// null where something is not plainly good.
std::shared_ptr<arrow::ArrayData> BatchReader::ReadNode(Message* message) const {
  const Node& node = nodes_[message->next_node++];
  int64_t length = 0;
  int64_t nulls = 0;
  if (!message->Take(message->fields, &message->next_field, &length, &nulls)) return nullptr;
  if (length < 0 || nulls < 0 || nulls > length) return nullptr;
  auto data = std::make_shared<arrow::ArrayData>(node.type, length, nulls);
  data->buffers.resize(static_cast<size_t>(node.buffers));
  for (auto& buffer : data->buffers) {
    // Without nulls the bitmap's place is passed over.
    if (&buffer == &data->buffers[0] && nulls == 0) {
      ++message->next_buffer;
      if (message->next_buffer > message->buffers.count) return nullptr;
      continue;
    }
    buffer = message->TakeBuffer();
    if (buffer == nullptr) return nullptr;
  }
  data->child_data.reserve(static_cast<size_t>(node.children));
  for (int i = 0; i < node.children; ++i) {
    data->child_data.push_back(ReadNode(message));
    if (data->child_data.back() == nullptr) return nullptr;
  }
  return KeysAreThere(*data) ? data : nullptr;
}

std::optional<arrow::ArrayVector> BatchReader::ReadPlain(const std::shared_ptr<arrow::Buffer>& payload,
                                                         int64_t rows) const {
  const int64_t body_at = BodyOffset(payload->data(), payload->size());
  if (!is_plain_ || body_at == 0 || body_at > payload->size()) return std::nullopt;
  if (reinterpret_cast<uintptr_t>(payload->data() + body_at) % kAlignment != 0) return std::nullopt;
  const arrow::Buffer metadata(payload->data() + kMessagePrefixBytes, body_at - kMessagePrefixBytes);
  const FlatbufferTable header = FlatbufferTable::At(metadata, 0);
  const int64_t batch_at = header.Slot(kHeaderSlot);
  if (batch_at == 0 || header.Number<int16_t>(kVersionSlot) != kVersion5 ||
      header.Number<uint8_t>(kHeaderTypeSlot) != kRecordBatch ||
      header.Number<int64_t>(kBodyLengthSlot) != payload->size() - body_at)
    return std::nullopt;
  Message message{.payload = payload,
                  .body_at = body_at,
                  .batch = FlatbufferTable::At(metadata, batch_at),
                  .fields = {},
                  .buffers = {}};
  message.fields = message.batch.Vector(kNodesSlot, kStructBytes);
  message.buffers = message.batch.Vector(kBuffersSlot, kStructBytes);
  if (message.batch.Number<int64_t>(kLengthSlot) != rows || message.batch.Slot(kCompressionSlot) != 0 ||
      message.batch.Slot(kVariadicCountsSlot) != 0)
    return std::nullopt;
  arrow::ArrayVector columns;
  columns.reserve(static_cast<size_t>(schema_->num_fields()));
  while (message.next_node < nodes_.size()) {
    auto data = ReadNode(&message);
    if (data == nullptr || data->length != rows) return std::nullopt;
    columns.push_back(arrow::MakeArray(data));
  }
  return columns;
}

arrow::Result<CheckedBatch> BatchReader::Read(const std::shared_ptr<arrow::Buffer>& payload, int64_t rows,
                                              int64_t bytes_max, arrow::MemoryPool* pool) const {
  CheckedBatch read;
  if (auto plain = ReadPlain(payload, rows); plain.has_value()) {
    read.columns = *std::move(plain);
  } else {
    ARROW_ASSIGN_OR_RAISE(read.columns, ReadBatchPayload(payload, schema_, rows, bytes_max, pool));
  }
  for (int i = 0; i < schema_->num_fields(); ++i) {
    const arrow::Array& column = *read.columns[static_cast<size_t>(i)];
    if (column.length() == rows && ValidateColumn(column).ok()) continue;
    ARROW_RETURN_NOT_OK(RepairColumn(i, rows, &read, pool));
  }
  std::sort(read.repaired.begin(), read.repaired.end());
  return read;
}

}  // namespace arrowcdc
