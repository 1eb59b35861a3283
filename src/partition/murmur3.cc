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

}  // namespace arrowcdc
