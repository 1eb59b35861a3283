// Reads flatbuffers from bytes nobody vouches for: whatever they say, nothing outside of them is looked at.
// Source of the format: FlatBuffers, "Internals".
#pragma once

#include <cstdint>
#include <cstring>

#include <arrow/buffer.h>

namespace arrowcdc {

// A vector of structures of one size.
struct FlatbufferVector {
  int64_t at = 0;  // of the first
  int64_t count = 0;
};

class FlatbufferTable {
 public:
  // `bytes` stays the caller's. at: where the table is.
  FlatbufferTable(const arrow::Buffer& bytes, int64_t at) : bytes_(bytes), at_(at) {}

  // The table that the offset at `at` points to.
  static FlatbufferTable At(const arrow::Buffer& bytes, int64_t at) {
    const FlatbufferTable offset(bytes, at);
    return FlatbufferTable(bytes, at + (offset.Inside(at, 4) ? offset.Load<uint32_t>(at) : 0));
  }

  // Where the table's slot of `bytes` bytes stands, 0 where it is absent.
  int64_t Slot(int index, int64_t bytes = 4) const {
    if (!Inside(at_, 4)) return 0;
    const int64_t vtable = at_ - Load<int32_t>(at_);
    const int64_t entry = vtable + 4 + 2 * index;
    if (!Inside(vtable, 4) || 4 + 2 * index + 2 > Load<uint16_t>(vtable) || !Inside(entry, 2)) return 0;
    const uint16_t offset = Load<uint16_t>(entry);
    return offset == 0 || !Inside(at_ + offset, bytes) ? 0 : at_ + offset;
  }

  // The number in slot `index`; 0, which flatbuffers leave out, where it is absent.
  template <typename T>
  T Number(int index) const {
    const int64_t slot = Slot(index, sizeof(T));
    return slot == 0 ? T{0} : Load<T>(slot);
  }

  // The vector that slot `index` points to; empty where it is absent.
  FlatbufferVector Vector(int index, int64_t struct_bytes) const {
    const int64_t slot = Slot(index);
    if (slot == 0) return {};
    const int64_t at = slot + Load<uint32_t>(slot);
    if (!Inside(at, 4)) return {};
    const int64_t count = Load<uint32_t>(at);
    return Inside(at + 4, count * struct_bytes) ? FlatbufferVector{at + 4, count} : FlatbufferVector{};
  }

  // At a place inside.
  template <typename T>
  T Load(int64_t at) const {
    T value;
    memcpy(&value, bytes_.data() + at, sizeof(T));
    return value;
  }

 private:
  bool Inside(int64_t at, int64_t count) const { return at >= 0 && at <= bytes_.size() - count; }

  const arrow::Buffer& bytes_;
  int64_t at_;
};

}  // namespace arrowcdc
