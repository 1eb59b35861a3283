// Kafka's MurmurHash2 of any bytes.
#include "src/partition/murmur2.h"

#include "src/partition/murmur3.h"

namespace arrowcdc {

uint32_t Murmur2(const uint8_t* data, size_t bytes) {
  uint32_t state = Murmur2Start(static_cast<uint32_t>(bytes));
  const uint8_t* tail = data + bytes / 4 * 4;
  for (; data != tail; data += 4) state = Murmur2Block(state, LoadLittleEndian32(data));
  if (bytes % 4 != 0) {
    for (size_t i = 0; i < bytes % 4; ++i) state ^= static_cast<uint32_t>(tail[i]) << (8 * i);
    state *= 0x5bd1e995u;
  }
  return Murmur2Finish(state);
}

}  // namespace arrowcdc
