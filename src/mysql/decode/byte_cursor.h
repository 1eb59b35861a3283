// Reading the bytes of an event from front to back, every read checked: each by its answer, or all at the end
// by failed(). Numbers are little-endian but where a name says otherwise.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

namespace arrowcdc::mysql {

// SAFETY: N bytes are there; the caller has looked. Other sizes than a register's are put together from them:
// a copy of three bytes into eight goes over the stack, and the processor waits for it.
template <int N>
inline uint64_t LoadLittle(const uint8_t* bytes) {
  static_assert(std::endian::native == std::endian::little && N >= 1 && N <= 8);
  if constexpr (N == 3) {
    return LoadLittle<2>(bytes) | uint64_t{bytes[2]} << 16;
  } else if constexpr (N > 4 && N < 8) {
    return LoadLittle<4>(bytes) | LoadLittle<N - 4>(bytes + 4) << 32;
  } else {
    std::conditional_t<N == 1, uint8_t,
                       std::conditional_t<N == 2, uint16_t, std::conditional_t<N == 4, uint32_t, uint64_t>>>
        value;
    memcpy(&value, bytes, N);
    return value;
  }
}
template <int N>
inline uint64_t LoadBig(const uint8_t* bytes) {
  return __builtin_bswap64(LoadLittle<N>(bytes)) >> (64 - 8 * N);
}
// SAFETY: the same, `size` from 0 to 8.
inline uint64_t LoadLittle(const uint8_t* bytes, int size) {
  switch (size) {
    case 0:
      return 0;
    case 1:
      return *bytes;
    case 2:
      return LoadLittle<2>(bytes);
    case 3:
      return LoadLittle<3>(bytes);
    default:  // two pieces that may overlap
      return LoadLittle<4>(bytes) | LoadLittle<4>(bytes + size - 4) << 8 * (size - 4);
  }
}
inline uint64_t LoadBig(const uint8_t* bytes, int size) {
  return size == 0 ? 0 : __builtin_bswap64(LoadLittle(bytes, size)) >> (64 - 8 * size);
}

inline std::string_view AsText(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Each read returns false, and stays where it is, when the bytes are not all there.
class ByteCursor {
 public:
  explicit ByteCursor(std::span<const uint8_t> bytes)
      : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  uint64_t left() const { return static_cast<uint64_t>(end_ - at_); }
  uint64_t offset() const { return static_cast<uint64_t>(at_ - begin_); }
  const uint8_t* at() const { return at_; }
  std::span<const uint8_t> rest() const { return {at_, end_}; }

  bool Skip(uint64_t size) {
    if (size > left()) return false;
    at_ += size;
    return true;
  }
  template <int N, typename T>
  bool Read(T* value) {
    if (left() < N) return false;
    *value = static_cast<T>(LoadLittle<N>(at_));
    at_ += N;
    return true;
  }
  bool ReadBytes(uint64_t size, std::span<const uint8_t>* bytes) {
    if (size > left()) return false;
    *bytes = {at_, static_cast<size_t>(size)};
    at_ += size;
    return true;
  }
  // A "length-encoded integer" of the protocol: one byte, or 0xfc to 0xfe and 2, 3 or 8 bytes.
  bool ReadPacked(uint64_t* value) {
    if (left() == 0) return false;
    const int size = *at_ < 0xfb ? 0 : *at_ == 0xfc ? 2 : *at_ == 0xfd ? 3 : *at_ == 0xfe ? 8 : -1;
    if (size < 0 || left() < 1 + static_cast<uint64_t>(size)) return false;
    *value = size == 0 ? *at_ : LoadLittle(at_ + 1, size);
    at_ += 1 + size;
    return true;
  }
  // Such a number, and as many bytes.
  bool ReadPackedBytes(std::span<const uint8_t>* bytes) {
    const uint8_t* const before = at_;
    uint64_t size;
    if (ReadPacked(&size) && ReadBytes(size, bytes)) return true;
    at_ = before;
    return false;
  }

  // --- what is not there is nothing, and failed() says so ---

  // Of 0 to 8 bytes.
  uint64_t Uint(size_t width) {
    const auto bytes = Bytes(width);
    return bytes.empty() ? 0 : LoadLittle(bytes.data(), static_cast<int>(bytes.size()));
  }
  std::span<const uint8_t> Bytes(uint64_t count) {
    std::span<const uint8_t> bytes;
    if (!ReadBytes(count, &bytes)) Fail();
    return bytes;
  }
  std::string_view Text(uint64_t count) { return AsText(Bytes(count)); }
  // Up to a zero byte, which is passed over.
  std::string_view TextToZero() {
    uint64_t length = 0;
    while (length < left() && at_[length] != 0) ++length;
    const std::string_view text = Text(length);
    (void)Bytes(1);
    return text;
  }
  uint64_t Packed() {
    uint64_t value = 0;
    if (!ReadPacked(&value)) Fail();
    return value;
  }
  // An integer of MySQL's serialization library: as many ones as there are below the lowest zero of the first
  // byte, so many bytes follow it.
  uint64_t VarUint() {
    const auto first = static_cast<uint8_t>(Uint(1));
    size_t more = 0;
    while (more < 8 && (first >> more & 1) != 0) ++more;
    if (more == 8) return Uint(8);
    const uint64_t rest = Uint(more);
    const uint64_t low = first >> (more + 1);
    return more == 7 ? rest : low | rest << (7 - more);
  }
  int64_t VarInt() {
    const uint64_t coded = VarUint();
    return static_cast<int64_t>(coded >> 1 ^ (0 - (coded & 1)));
  }
  bool failed() const { return failed_; }

 private:
  void Fail() {
    failed_ = true;
    at_ = end_;
  }

  const uint8_t* begin_;
  const uint8_t* at_;
  const uint8_t* end_;
  bool failed_ = false;
};

}  // namespace arrowcdc::mysql
