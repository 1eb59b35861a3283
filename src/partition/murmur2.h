// MurmurHash2, 32 bit, as Kafka's Java client has it: seed 0x9747b28c.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arrowcdc {

// The steps: start with the length in bytes, each block of four bytes little-endian, finish.
inline uint32_t Murmur2Start(uint32_t bytes) { return 0x9747b28cu ^ bytes; }

inline uint32_t Murmur2Block(uint32_t state, uint32_t block) {
  constexpr uint32_t kFactor = 0x5bd1e995u;
  block *= kFactor;
  block = (block ^ block >> 24) * kFactor;
  return state * kFactor ^ block;
}

inline uint32_t Murmur2Finish(uint32_t state) {
  state = (state ^ state >> 13) * 0x5bd1e995u;
  return state ^ state >> 15;
}

// Any bytes.
uint32_t Murmur2(const uint8_t* data, size_t bytes);

}  // namespace arrowcdc
