// MurmurHash3 x86_32, by Austin Appleby's public description. Inline, so that hashes of fixed-length values
// unroll.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace arrowcdc {

inline uint32_t LoadLittleEndian32(const uint8_t* bytes) {
  static_assert(std::endian::native == std::endian::little);
  uint32_t value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

// The steps: each block of four bytes goes through Murmur3Block, then Murmur3Finish takes the length in
// bytes.
inline uint32_t Murmur3Scramble(uint32_t block) { return std::rotl(block * 0xcc9e2d51u, 15) * 0x1b873593u; }

inline uint32_t Murmur3Block(uint32_t state, uint32_t block) {
  return std::rotl(state ^ Murmur3Scramble(block), 13) * 5u + 0xe6546b64u;
}

inline uint32_t Murmur3Finish(uint32_t state, uint32_t bytes) {
  state ^= bytes;
  state = (state ^ state >> 16) * 0x85ebca6bu;
  state = (state ^ state >> 13) * 0xc2b2ae35u;
  return state ^ state >> 16;
}

// Any bytes.
uint32_t Murmur3(const uint8_t* data, size_t bytes, uint32_t seed = 0);

// Murmur3Long of `count` integers side by side, at any alignment.
void Murmur3Longs(const uint8_t* values, int64_t count, uint32_t* hashes);

// The eight bytes of a 64-bit integer, little-endian, seed 0.
inline uint32_t Murmur3Long(uint64_t value) {
  uint32_t state = Murmur3Block(0, static_cast<uint32_t>(value));
  return Murmur3Finish(Murmur3Block(state, static_cast<uint32_t>(value >> 32)), 8);
}

}  // namespace arrowcdc
