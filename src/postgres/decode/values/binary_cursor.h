// Reads what PostgreSQL's send functions write: numbers in network order, parts behind their length. Every
// read is checked.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace arrowcdc {

// SAFETY: `bytes` has room for a T.
template <typename T>
T LoadBigEndian(const char* bytes) {
  static_assert(std::endian::native == std::endian::little && std::is_integral_v<T>);
  T value;
  memcpy(&value, bytes, sizeof(T));
  if constexpr (sizeof(T) == 2) value = static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4) value = static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8) value = static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  return value;
}

// False, and at the place where it was: less is left than that.
class BinaryCursor {
 public:
  explicit BinaryCursor(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  const char* at() const { return at_; }
  const char* end() const { return end_; }
  int64_t left() const { return end_ - at_; }
  bool AtEnd() const { return at_ == end_; }

  template <typename T>
  bool Read(T* value) {
    if (left() < static_cast<int64_t>(sizeof(T))) return false;
    *value = LoadBigEndian<T>(at_);
    at_ += sizeof(T);
    return true;
  }

  bool ReadBytes(int64_t count, std::string_view* bytes) {
    if (count < 0 || left() < count) return false;
    *bytes = std::string_view(at_, static_cast<size_t>(count));
    at_ += count;
    return true;
  }

  // A value behind its length; null where that is -1.
  bool ReadValue(std::string_view* value, bool* is_null) {
    const char* const before = at_;
    int32_t length;
    if (!Read(&length)) return false;
    *is_null = length == -1;
    if (*is_null || ReadBytes(length, value)) return true;
    at_ = before;
    return false;
  }

 private:
  const char* at_;
  const char* end_;
};

}  // namespace arrowcdc
