// Bytes of a binlog's event, read from the front. What is not there is an error once, asked for at the end.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace arrowcdc::mysql {

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  // Little-endian, of 1 to 8 bytes. 0 where they are not there.
  uint64_t Uint(size_t width) {
    uint64_t value = 0;
    const auto bytes = Bytes(width);
    for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
    return value;
  }

  std::span<const uint8_t> Bytes(size_t count) {
    if (count > bytes_.size()) {
      failed_ = true;
      bytes_ = {};
      return {};
    }
    const auto front = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return front;
  }

  std::string_view Text(size_t count) {
    const auto bytes = Bytes(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // Up to a zero byte, which is passed over.
  std::string_view TextToZero() {
    size_t length = 0;
    while (length < bytes_.size() && bytes_[length] != 0) ++length;
    const std::string_view text = Text(length);
    (void)Bytes(1);
    return text;
  }

  // The client protocol's length-encoded integer.
  uint64_t Packed() {
    const uint64_t first = Uint(1);
    if (first < 251) return first;
    if (first == 252) return Uint(2);
    if (first == 253) return Uint(3);
    if (first == 254) return Uint(8);
    failed_ = true;
    return 0;
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

  size_t left() const { return bytes_.size(); }
  std::span<const uint8_t> rest() const { return bytes_; }
  // Something was asked for that was not there.
  bool failed() const { return failed_; }

 private:
  std::span<const uint8_t> bytes_;
  bool failed_ = false;
};

}  // namespace arrowcdc::mysql
