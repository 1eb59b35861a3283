// Columns grow as the plugin's do: values are written by their place, validity is kept from the first null
// on.
#include "src/change/column_builder.h"

#include <algorithm>
#include <utility>

#include <arrow/extension_type.h>
#include <arrow/type_traits.h>
#include <arrow/util/bit_util.h>

namespace arrowcdc {

namespace {

using arrow::Type;

constexpr int64_t kValuesMin = 64;
constexpr int64_t kDataMin = 256;
constexpr int64_t kOffsetMax = INT32_MAX;

int64_t BitBytes(int64_t bits) { return (bits + 7) / 8; }

}  // namespace

ColumnBuilder::ColumnBuilder(std::shared_ptr<arrow::DataType> type, BuilderMemory* memory)
    : type_(std::move(type)), memory_(memory) {}

arrow::Result<std::unique_ptr<ColumnBuilder>> ColumnBuilder::Make(std::shared_ptr<arrow::DataType> type,
                                                                  BuilderMemory* memory) {
  std::unique_ptr<ColumnBuilder> builder(new ColumnBuilder(std::move(type), memory));
  const arrow::DataType& type_of_column = *builder->type_;
  ARROW_RETURN_NOT_OK(
      builder->SetLayout(type_of_column.id() == Type::EXTENSION
                             ? *static_cast<const arrow::ExtensionType&>(type_of_column).storage_type()
                             : type_of_column));
  return builder;
}

arrow::Status ColumnBuilder::AddChild(const arrow::Field& field) {
  ARROW_ASSIGN_OR_RAISE(auto child, Make(field.type(), memory_));
  children_.push_back(std::move(child));
  return arrow::Status::OK();
}

arrow::Status ColumnBuilder::SetLayout(const arrow::DataType& storage) {
  switch (storage.id()) {
    case Type::BOOL:
      layout_ = Layout::kBits;
      break;
    case Type::STRING:
    case Type::BINARY:
      layout_ = Layout::kVariable;
      fixed_bytes_ = sizeof(int32_t);
      break;
    case Type::LIST:
    case Type::MAP:
      layout_ = Layout::kList;
      fixed_bytes_ = sizeof(int32_t);
      ARROW_RETURN_NOT_OK(AddChild(*storage.field(0)));
      break;
    case Type::FIXED_SIZE_LIST:
      layout_ = Layout::kFixedSizeList;
      list_size_ = static_cast<const arrow::FixedSizeListType&>(storage).list_size();
      ARROW_RETURN_NOT_OK(AddChild(*storage.field(0)));
      if (children_[0]->layout_ != Layout::kFixed) {
        return arrow::Status::NotImplemented("no column builder for ", storage.ToString());
      }
      fixed_bytes_ = list_size_ * children_[0]->fixed_bytes_;
      break;
    case Type::STRUCT:
      layout_ = Layout::kStruct;
      for (const auto& field : storage.fields()) {
        ARROW_RETURN_NOT_OK(AddChild(*field));
        fixed_bytes_ += children_.back()->fixed_bytes_;
      }
      break;
    default:
      if (!arrow::is_fixed_width(storage.id()) || storage.id() == Type::DICTIONARY) {
        return arrow::Status::NotImplemented("no column builder for ", storage.ToString());
      }
      layout_ = Layout::kFixed;
      width_ = storage.bit_width() / 8;
      fixed_bytes_ = width_;
  }
  ++fixed_bytes_;  // validity, rounded up
  return arrow::Status::OK();
}

bool ColumnBuilder::Resize(BufferPointer* buffer, int64_t bytes) {
  const int64_t before = *buffer == nullptr ? 0 : (*buffer)->capacity();
  if (memory_->allocated_bytes + bytes - before > BuilderMemory::kBytesMax) return false;
  arrow::Status status;
  if (*buffer == nullptr) {
    auto made = arrow::AllocateResizableBuffer(bytes, memory_->pool);
    status = made.status();
    if (made.ok()) *buffer = std::move(*made);
  } else {
    status = (*buffer)->Resize(bytes, /*shrink_to_fit=*/false);
  }
  if (!status.ok()) {
    if (memory_->status.ok()) memory_->status = status;
    return false;
  }
  memory_->allocated_bytes += (*buffer)->capacity() - before;
  return true;
}

bool ColumnBuilder::Grow(int64_t values) {
  int64_t capacity = std::max({kValuesMin, values, 2 * capacity_});
  if (capacity_ == 0) capacity = std::max(capacity, last_length_);
  capacity = (capacity + 63) / 64 * 64;
  if (layout_ == Layout::kFixed || layout_ == Layout::kBits) {
    const int64_t bytes = layout_ == Layout::kBits ? BitBytes(capacity) : capacity * width_;
    if (!Resize(&data_buffer_, bytes)) return false;
    data_ = data_buffer_->mutable_data();
  }
  if (layout_ == Layout::kVariable || layout_ == Layout::kList) {
    const bool first = offsets_buffer_ == nullptr;
    if (!Resize(&offsets_buffer_, (capacity + 1) * static_cast<int64_t>(sizeof(int32_t)))) return false;
    offsets_ = reinterpret_cast<int32_t*>(offsets_buffer_->mutable_data());
    if (first) offsets_[0] = 0;
  }
  if (validity_ != nullptr) {
    if (!Resize(&validity_buffer_, BitBytes(capacity))) return false;
    validity_ = validity_buffer_->mutable_data();
    memset(validity_ + BitBytes(capacity_), 0xff,
           static_cast<size_t>(BitBytes(capacity) - BitBytes(capacity_)));
  }
  capacity_ = capacity;
  return true;
}

bool ColumnBuilder::GrowData(int64_t extra) {
  if (extra > kOffsetMax - data_size_) return false;
  int64_t capacity = std::max({kDataMin, data_size_ + extra, std::min(2 * data_capacity_, kOffsetMax)});
  if (data_capacity_ == 0) capacity = std::max(capacity, last_data_size_);
  if (!Resize(&data_buffer_, capacity)) return false;
  data_ = data_buffer_->mutable_data();
  data_capacity_ = capacity;
  return true;
}

bool ColumnBuilder::StartValidity() {
  if (!Resize(&validity_buffer_, BitBytes(capacity_))) return false;
  validity_ = validity_buffer_->mutable_data();
  memset(validity_, 0xff, static_cast<size_t>(BitBytes(capacity_)));
  return true;
}

void ColumnBuilder::EndNull() {
  validity_[length_ >> 3] = static_cast<uint8_t>(validity_[length_ >> 3] & ~(1 << (length_ & 7)));
  ++null_count_;
  ++length_;
}

bool ColumnBuilder::AppendNull() {
  if (!Reserve(1) || (validity_ == nullptr && !StartValidity())) return false;
  switch (layout_) {
    case Layout::kBits:
      data_[length_ >> 3] = static_cast<uint8_t>(data_[length_ >> 3] & ((1 << (length_ & 7)) - 1));
      break;
    case Layout::kFixed:
      memset(data_ + length_ * width_, 0, static_cast<size_t>(width_));
      break;
    case Layout::kVariable:
    case Layout::kList:
      offsets_[length_ + 1] = offsets_[length_];
      break;
    case Layout::kFixedSizeList:
      if (!children_[0]->AppendZeros(list_size_)) return false;
      break;
    case Layout::kStruct:
      for (const auto& child : children_) {
        if (child->AppendNull()) continue;
        Truncate(length_);
        return false;
      }
      break;
  }
  EndNull();
  return true;
}

bool ColumnBuilder::AppendNulls(int64_t count) {
  if (layout_ != Layout::kFixed) {
    for (; count > 0; --count) {
      if (!AppendNull()) return false;
    }
    return true;
  }
  if (count == 0) return true;
  if (!Reserve(count) || (validity_ == nullptr && !StartValidity())) return false;
  memset(data_ + length_ * width_, 0, static_cast<size_t>(count * width_));
  arrow::bit_util::SetBitsTo(validity_, length_, count, false);
  null_count_ += count;
  length_ += count;
  return true;
}

bool ColumnBuilder::AppendZeros(int64_t count) {
  if (!Reserve(count)) return false;
  memset(data_ + length_ * width_, 0, static_cast<size_t>(count * width_));
  length_ += count;
  return true;
}

bool ColumnBuilder::AppendBool(bool value) {
  if (!Reserve(1)) return false;
  uint8_t* const byte = data_ + (length_ >> 3);
  const int below = (1 << (length_ & 7)) - 1;
  *byte = static_cast<uint8_t>((*byte & below) | (static_cast<int>(value) << (length_ & 7)));
  ++length_;
  return true;
}

bool ColumnBuilder::EndList() {
  const ColumnBuilder& elements = *children_[0];
  if (elements.length_ > kOffsetMax || !Reserve(1)) {
    Truncate(length_);
    return false;
  }
  memory_->variable_bytes += (elements.length_ - offsets_[length_]) * elements.fixed_bytes_;
  offsets_[++length_] = static_cast<int32_t>(elements.length_);
  return true;
}

bool ColumnBuilder::EndStruct() {
  if (!Reserve(1)) {
    Truncate(length_);
    return false;
  }
  ++length_;
  return true;
}

void ColumnBuilder::Truncate(int64_t length) {
  if (validity_ != nullptr) {
    for (int64_t i = length; i < length_; ++i) {
      if (!IsNull(i)) continue;
      validity_[i >> 3] = static_cast<uint8_t>(validity_[i >> 3] | (1 << (i & 7)));
      --null_count_;
    }
  }
  if (layout_ == Layout::kVariable && length < length_) {
    memory_->variable_bytes -= data_size_ - offsets_[length];
    data_size_ = offsets_[length];
  } else if (layout_ == Layout::kList) {
    const int64_t elements = offsets_ == nullptr ? 0 : offsets_[length];
    if (length < length_) {
      memory_->variable_bytes -= (offsets_[length_] - elements) * children_[0]->fixed_bytes_;
    }
    children_[0]->Truncate(elements);
  } else if (layout_ == Layout::kFixedSizeList || layout_ == Layout::kStruct) {
    for (const auto& child : children_) {
      child->Truncate(layout_ == Layout::kStruct ? length : length * list_size_);
    }
  }
  length_ = length;
}

arrow::Result<std::shared_ptr<arrow::Buffer>> ColumnBuilder::TakeBuffer(BufferPointer* buffer,
                                                                        int64_t bytes) {
  if (*buffer == nullptr) return arrow::AllocateBuffer(0, memory_->pool);
  memory_->allocated_bytes -= (*buffer)->capacity();
  // A copy costs less than a queue full of half empty buffers.
  const bool shrink = bytes < (*buffer)->capacity() / 4 * 3;
  ARROW_RETURN_NOT_OK((*buffer)->Resize(bytes, shrink));
  (*buffer)->ZeroPadding();
  return std::shared_ptr<arrow::Buffer>(std::exchange(*buffer, nullptr));
}

arrow::Result<std::shared_ptr<arrow::ArrayData>> ColumnBuilder::Finish() {
  auto array = std::make_shared<arrow::ArrayData>(type_, length_, null_count_);
  std::shared_ptr<arrow::Buffer> validity;
  if (null_count_ > 0) {
    ARROW_ASSIGN_OR_RAISE(validity, TakeBuffer(&validity_buffer_, BitBytes(length_)));
  } else if (validity_buffer_ != nullptr) {
    memory_->allocated_bytes -= validity_buffer_->capacity();
    validity_buffer_ = nullptr;
  }
  array->buffers.push_back(std::move(validity));
  if (layout_ == Layout::kVariable || layout_ == Layout::kList) {
    if (!Reserve(1)) return arrow::Status::OutOfMemory("offsets of a column");
    const int64_t bytes = (length_ + 1) * static_cast<int64_t>(sizeof(int32_t));
    ARROW_ASSIGN_OR_RAISE(auto offsets, TakeBuffer(&offsets_buffer_, bytes));
    array->buffers.push_back(std::move(offsets));
  }
  if (layout_ == Layout::kBits || layout_ == Layout::kFixed || layout_ == Layout::kVariable) {
    const int64_t bytes = layout_ == Layout::kBits    ? BitBytes(length_)
                          : layout_ == Layout::kFixed ? length_ * width_
                                                      : data_size_;
    ARROW_ASSIGN_OR_RAISE(auto data, TakeBuffer(&data_buffer_, bytes));
    array->buffers.push_back(std::move(data));
  }
  for (const auto& child : children_) {
    ARROW_ASSIGN_OR_RAISE(auto data, child->Finish());
    array->child_data.push_back(std::move(data));
  }
  memory_->variable_bytes -= data_size_;
  if (layout_ == Layout::kList) {
    memory_->variable_bytes -= array->child_data[0]->length * children_[0]->fixed_bytes_;
  }
  last_length_ = length_;
  last_data_size_ = data_size_;
  length_ = capacity_ = null_count_ = data_size_ = data_capacity_ = 0;
  data_ = validity_ = nullptr;
  offsets_ = nullptr;
  return array;
}

}  // namespace arrowcdc
