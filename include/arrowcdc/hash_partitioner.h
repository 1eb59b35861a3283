// HashPartitioner: splits record batches into a fixed number of partitions by a hash of chosen columns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// The hash of one value. partition = (hash & INT32_MAX) % partitions, for both.
//
// kMurmur3 is MurmurHash3 x86_32, seed 0, over the bytes that the Iceberg specification (appendix B) gives
// for the type:
// - bool: as the int 0 or 1
// - int8 to int64: as a 64-bit integer, little-endian
// - uint8 to uint64, which Iceberg does not have: likewise, uint64 by its bits
// - float, double: IEEE bits of the double as a 64-bit integer; every NaN as 0x7ff8000000000000, -0 as 0
// - decimal: the unscaled value, two's complement, big-endian, no more bytes than needed; scale plays no part
// - date: days since 1970-01-01 as a 64-bit integer
// - time, timestamp: microseconds as a 64-bit integer, nanoseconds rounded down
// - utf8, binary, fixed_size_binary, uuid: their bytes (a uuid's in big-endian order, as Arrow keeps them)
//
// kMurmur2 is the hash of Kafka's default partitioner (seed 0x9747b28c) over the bytes that Kafka's own
// serializers make:
// - bool: one byte
// - int8 to int64, uint8 to uint64: big-endian in their width
// - float, double: IEEE bits, big-endian in their width, NaN and -0 as above (Kafka's own -0 differs)
// - decimal: as above
// - utf8, binary, fixed_size_binary: their bytes; uuid: its 36 characters of text
// - date (days) as an int32, time and timestamp (microseconds) as an int64: Kafka has no serializer for them
//
// Dictionaries hash as their values, extension types as their storage (uuid apart). Lists, structs, maps,
// intervals, half floats, unions and run-end encoded columns have no hash: they are refused as keys.
//
// null: hash 0, so partition 0. (Iceberg keeps nulls in a partition of their own; Kafka spreads them at
// random, which would part a row from its later changes.) A key without an Arrow form (_unrepresentable) is
// null on both sides of a change.
//
// Several columns: the columns' hashes, in the order given and each as four bytes little-endian, are hashed
// again with the same function. One column: its hash as it is.
enum class PartitionHash { kMurmur3, kMurmur2 };

struct PartitionOptions {
  int partitions = 1;  // 1 to kPartitionsMax
  PartitionHash hash = PartitionHash::kMurmur3;
  // Names of columns of the replica identity, hashed in this order. Empty: all of them, in key order.
  std::vector<std::string> columns;
};
inline constexpr int kPartitionsMax = 1 << 16;

struct PartitionStats {
  uint64_t rows = 0;
  // Rows whose key is not known; they go to partition 0. update_after rows of which a key column is in
  // _unchanged while no update_before with its value stands in front; deletes and update_before rows from a
  // partition that carries less than the table's own identity (TableSchema::weakened): null in a column that
  // its key lacks. Under a weakened FULL that may as well be a null that was there.
  uint64_t unroutable_rows = 0;
};

// Splits the batches of one version of one table. A table whose identity is weakened is split as it would be
// by its own identity.
//
// Each row is hashed on its own. When a key change moves a row, its update_before, which bears the old key,
// goes to the old partition and its update_after to the new one. Where a key column of an update_after is in
// _unchanged (a key that is stored out of line and did not change), its value is that of the update_before
// right in front of it in the same batch. A truncate row goes to every partition.
//
// Ownership: a partition owns its memory, which its columns share; only dictionaries and the data of view
// columns are shared with the input. Threads: one caller at a time. Blocking: never.
class HashPartitioner {
 public:
  // Errors: kReplicaIdentity when a column is no part of the replica identity (FULL: every column is part;
  // `columns` must then be given) or the table has none, since the old side of a change could not be routed;
  // kUnsupported for a type without a hash; kInvalidOption for the rest. All name the table, and the column
  // where there is one.
  static arrow::Result<HashPartitioner> Make(std::shared_ptr<const TableSchema> table,
                                             PartitionOptions options,
                                             arrow::MemoryPool* pool = arrow::default_memory_pool());

  // One batch a partition, null where it has no rows; the order of rows inside a partition is that of the
  // input. Where all rows belong to one partition (always with a single partition), that is `rows` itself,
  // not a copy. Errors: kInternal when the batch has another schema; the pool's.
  arrow::Result<std::vector<std::shared_ptr<arrow::RecordBatch>>> Split(
      const std::shared_ptr<arrow::RecordBatch>& rows);

  // The partition of each row; kEveryPartition for truncate rows. Counts nothing.
  static constexpr uint32_t kEveryPartition = UINT32_MAX;
  arrow::Result<std::vector<uint32_t>> PartitionsOf(const arrow::RecordBatch& rows) const;

  const PartitionStats& stats() const { return stats_; }

 private:
  HashPartitioner() = default;

  arrow::Status ChooseKey();
  arrow::Status CheckSchema(const arrow::RecordBatch& rows) const;
  arrow::Result<std::vector<uint32_t>> Route(const arrow::RecordBatch& rows, uint64_t* unroutable_rows) const;

  std::shared_ptr<const TableSchema> table_;
  PartitionOptions options_;
  arrow::MemoryPool* pool_ = nullptr;
  std::vector<int> key_fields_;
  std::vector<int> uncertain_fields_;  // those of them that some old rows do not carry
  PartitionStats stats_;
};

}  // namespace arrowcdc
