// Hashes to partitions.
#pragma once

#include <cstdint>
#include <span>

namespace arrowcdc {

// Each hash becomes (hash & INT32_MAX) % partitions, as Iceberg's bucket transform and Kafka's default
// partitioner have it. `partitions` is 1 to 2^31.
void HashesToPartitions(std::span<uint32_t> hashes, uint32_t partitions);

}  // namespace arrowcdc
