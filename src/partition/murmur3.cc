// MurmurHash3 x86_32 of any bytes.
#include "src/partition/murmur3.h"

namespace arrowcdc {

uint32_t Murmur3(const uint8_t* data, size_t bytes, uint32_t seed) {
  uint32_t state = seed;
  const uint8_t* tail = data + bytes / 4 * 4;
  for (; data != tail; data += 4) state = Murmur3Block(state, LoadLittleEndian32(data));
  uint32_t rest = 0;
  for (size_t i = bytes % 4; i > 0; --i) rest = rest << 8 | tail[i - 1];
  return Murmur3Finish(state ^ Murmur3Scramble(rest), static_cast<uint32_t>(bytes));
}

// The compiler makes eight lanes of it where the processor has them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))
#endif
void Murmur3Longs(const uint8_t* values, int64_t count, uint32_t* hashes) {
  for (int64_t i = 0; i < count; ++i) {
    uint64_t value;
    std::memcpy(&value, values + i * 8, sizeof(value));
    hashes[i] = Murmur3Long(value);
  }
}

}  // namespace arrowcdc
