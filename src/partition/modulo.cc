// Division by multiplication (Granlund and Montgomery, Division by Invariant Integers using Multiplication,
// 1994): with 2^(s-1) < partitions <= 2^s and factor = ceil(2^(31+s) / partitions), hash * factor >> (31 + s)
// is the quotient of every hash below 2^31. The factor is at most 2^32 - 1, the product stays below 2^63.
#include "src/partition/modulo.h"

#include <bit>

namespace arrowcdc {

// The compiler makes four lanes of it where the processor has them.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((target_clones("avx2", "default")))
#endif
void HashesToPartitions(std::span<uint32_t> hashes, uint32_t partitions) {
  const int shift = 31 + std::bit_width(partitions - 1);
  const auto factor = static_cast<uint32_t>(((uint64_t{1} << shift) + partitions - 1) / partitions);
  for (uint32_t& hash : hashes) {
    const uint32_t value = hash & 0x7fffffffu;
    const auto quotient = static_cast<uint32_t>(uint64_t{value} * factor >> shift);
    hash = value - quotient * partitions;
  }
}

}  // namespace arrowcdc
