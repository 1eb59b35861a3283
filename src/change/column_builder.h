// A growing Arrow column that can be cut back, which Arrow's own builders cannot: a value may turn out to
// have no Arrow form, or a row not to come whole, when half of it is written.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/memory_pool.h>
#include <arrow/result.h>
#include <arrow/type.h>

namespace arrowcdc {

// What the columns of a batch share.
struct BuilderMemory {
  // More than this is not allocated: a few bytes of input can be a null struct of many columns.
  static constexpr int64_t kBytesMax = int64_t{8} << 30;

  arrow::MemoryPool* pool = nullptr;
  int64_t variable_bytes = 0;  // of all columns, beyond what every row takes
  int64_t allocated_bytes = 0;
  arrow::Status status;  // the first allocation that failed
};

// One column, or a child of one. Values are appended by the methods that suit its layout. All of them return
// false, and append nothing, where the value does not fit into the column (offsets are int32) or memory
// cannot be had. One thread.
class ColumnBuilder {
 public:
  enum class Layout : uint8_t {
    kBits,           // bool
    kFixed,          // width() bytes a value
    kVariable,       // utf8, binary
    kList,           // list, map: one child
    kFixedSizeList,  // one child, of kFixed
    kStruct,
  };

  // `memory` outlives the builder. Errors: NotImplemented for types that have none of these layouts.
  static arrow::Result<std::unique_ptr<ColumnBuilder>> Make(std::shared_ptr<arrow::DataType> type,
                                                            BuilderMemory* memory);

  Layout layout() const { return layout_; }
  int64_t length() const { return length_; }
  int32_t width() const { return width_; }
  int32_t list_size() const { return list_size_; }
  int child_count() const { return static_cast<int>(children_.size()); }
  ColumnBuilder* child(int i) const { return children_[static_cast<size_t>(i)].get(); }
  // Bytes every value takes whatever it is, children of structs included.
  int64_t fixed_bytes() const { return fixed_bytes_; }

  // Room for `values` more; only makes appending faster.
  bool Reserve(int64_t values) { return length_ + values <= capacity_ || Grow(length_ + values); }

  bool AppendNull();
  bool AppendNulls(int64_t count);

  // kFixed, T of width() bytes.
  template <typename T>
  bool Append(T value) {
    if (length_ == capacity_ && !Grow(length_ + 1)) return false;
    memcpy(data_ + length_ * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
    ++length_;
    return true;
  }
  // The same value `count` times.
  template <typename T>
  bool AppendRepeated(T value, int64_t count) {
    if (!Reserve(count)) return false;
    for (int64_t i = length_; i < length_ + count; ++i)
      memcpy(data_ + i * static_cast<int64_t>(sizeof(T)), &value, sizeof(T));
    length_ += count;
    return true;
  }
  bool AppendFixed(const void* bytes) {
    if (length_ == capacity_ && !Grow(length_ + 1)) return false;
    memcpy(data_ + length_ * width_, bytes, static_cast<size_t>(width_));
    ++length_;
    return true;
  }

  // kBits.
  bool AppendBool(bool value);

  // kVariable.
  bool AppendBytes(const void* bytes, int64_t size) {
    char* const room = Room(size);
    if (room == nullptr) return false;
    Copy(room, bytes, static_cast<size_t>(size));
    return EndBytes(size);
  }
  // The same in two steps: where a value of at most `bytes_max` may be written, null where it does not fit;
  // then how long it is.
  char* Room(int64_t bytes_max) {
    return data_size_ + bytes_max < data_capacity_ || GrowData(bytes_max)
               ? reinterpret_cast<char*>(data_) + data_size_
               : nullptr;
  }
  bool EndBytes(int64_t size) {
    if (!Reserve(1)) return false;
    data_size_ += size;
    memory_->variable_bytes += size;
    offsets_[++length_] = static_cast<int32_t>(data_size_);
    return true;
  }

  // kList: what was appended to the child since the last value is the next one.
  bool EndList();
  // kStruct: each child has got its value; kFixedSizeList: the child has got list_size() of them.
  bool EndStruct();

  // The column has `length` values again, its children what belongs to them and no more.
  void Truncate(int64_t length);

  // What was appended, as an array of the builder's type; then the builder is empty, and takes memory for as
  // much again at its next value. Errors: OutOfMemory.
  arrow::Result<std::shared_ptr<arrow::ArrayData>> Finish();

 private:
  // Most texts are short: two pieces that overlap, instead of a call.
  static void Copy(char* to, const void* from, size_t size) {
    const auto* const bytes = static_cast<const char*>(from);
    const auto pieces = [&]<typename T>(T first, T last) {
      memcpy(&first, bytes, sizeof(T));
      memcpy(&last, bytes + size - sizeof(T), sizeof(T));
      memcpy(to, &first, sizeof(T));
      memcpy(to + size - sizeof(T), &last, sizeof(T));
    };
    if (size > 16) {
      memcpy(to, from, size);
    } else if (size >= 8) {
      pieces(uint64_t{}, uint64_t{});
    } else if (size >= 4) {
      pieces(uint32_t{}, uint32_t{});
    } else {
      for (size_t i = 0; i < size; ++i) to[i] = bytes[i];
    }
  }

  using BufferPointer = std::shared_ptr<arrow::ResizableBuffer>;

  ColumnBuilder(std::shared_ptr<arrow::DataType> type, BuilderMemory* memory);
  arrow::Status SetLayout(const arrow::DataType& storage);
  arrow::Status AddChild(const arrow::Field& field);
  bool Grow(int64_t values);
  bool GrowData(int64_t extra);
  bool Resize(BufferPointer* buffer, int64_t bytes);
  bool StartValidity();
  bool AppendZeros(int64_t count);
  bool IsNull(int64_t index) const { return (validity_[index >> 3] & (1 << (index & 7))) == 0; }
  void EndNull();
  arrow::Result<std::shared_ptr<arrow::Buffer>> TakeBuffer(BufferPointer* buffer, int64_t bytes);

  std::shared_ptr<arrow::DataType> type_;
  BuilderMemory* memory_;
  Layout layout_ = Layout::kFixed;
  int32_t width_ = 0;
  int32_t list_size_ = 0;
  int64_t fixed_bytes_ = 0;

  int64_t length_ = 0;
  int64_t capacity_ = 0;  // values that validity, offsets, and data but for kVariable have room for
  int64_t null_count_ = 0;
  int64_t data_size_ = 0;  // kVariable
  int64_t data_capacity_ = 0;
  int64_t last_length_ = 0;  // of the last array, for the next one's memory
  int64_t last_data_size_ = 0;
  uint8_t* data_ = nullptr;
  uint8_t* validity_ = nullptr;  // null while there is no null; bits not yet used are 1
  int32_t* offsets_ = nullptr;   // kVariable, kList: one more than there are values

  BufferPointer data_buffer_;
  BufferPointer validity_buffer_;
  BufferPointer offsets_buffer_;
  std::vector<std::unique_ptr<ColumnBuilder>> children_;
};

}  // namespace arrowcdc
