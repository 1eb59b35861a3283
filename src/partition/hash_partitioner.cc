// Which partition each row belongs to, and the batches that follow from it. Hashing is in key_hash, copying
// in take.
#include "arrowcdc/hash_partitioner.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <arrow/array.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/partition/key_hash.h"
#include "src/partition/modulo.h"
#include "src/partition/partition_key.h"
#include "src/partition/row_plan.h"
#include "src/partition/take.h"

namespace arrowcdc {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;
using Hashes = std::vector<std::vector<uint32_t>>;  // [key column][row]

static_assert(HashPartitioner::kEveryPartition == RowPlan::kEvery);

// Whether the old row may lack one of these columns, which not every partition carries.
bool LacksAny(const std::vector<int>& fields, const arrow::RecordBatch& rows, const ChangeRows& changes,
              int64_t row) {
  if (changes.op(row) != Op::kUpdateBefore && changes.op(row) != Op::kDelete) return false;
  return std::any_of(fields.begin(), fields.end(), [&](int field) {
    return rows.column(field)->IsNull(row) && !changes.IsUnrepresentable(row, field);
  });
}

// Whether the row in front is the update_before of the update_after `row`.
bool HasUpdateBefore(const ChangeRows& changes, int64_t row) {
  if (row == 0 || changes.op(row - 1) != Op::kUpdateBefore) return false;
  RowPosition before = changes.position(row - 1);
  ++before.ord;
  return before == changes.position(row);
}

// Gives unchanged keys the hash of their old row. The rows whose key is not known: those that have no such
// row, and old rows that lack one of `uncertain`.
std::vector<int64_t> FillUnchangedKeys(const arrow::RecordBatch& rows, const ChangeRows& changes,
                                       const std::vector<int>& key_fields, const std::vector<int>& uncertain,
                                       Hashes* hashes) {
  std::vector<int64_t> unroutable;
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    bool known = !LacksAny(uncertain, rows, changes, row);
    for (size_t k = 0; k < key_fields.size(); ++k) {
      if (changes.op(row) != Op::kUpdateAfter || !changes.IsUnchanged(row, key_fields[k])) continue;
      auto& column = (*hashes)[k];
      if (HasUpdateBefore(changes, row) && !LacksAny(uncertain, rows, changes, row - 1)) {
        column[static_cast<size_t>(row)] = column[static_cast<size_t>(row - 1)];
      } else {
        known = false;
      }
    }
    if (!known) unroutable.push_back(row);
  }
  return unroutable;
}

arrow::Status CheckPartitions(int partitions) {
  if (partitions >= 1 && partitions <= kPartitionsMax) return arrow::Status::OK();
  return MakeError(ErrorKind::kInvalidOption,
                   "a number of partitions out of range: " + std::to_string(partitions), "option partitions",
                   "choose 1 to " + std::to_string(kPartitionsMax));
}

// The batch of each partition of the plan.
arrow::Result<std::vector<Batch>> CopyRows(const arrow::RecordBatch& rows, const RowPlan& plan,
                                           arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(auto columns, TakeByPartition(rows.column_data(), plan, pool));
  std::vector<Batch> batches(plan.partitions());
  for (uint32_t p = 0; p < plan.partitions(); ++p) {
    const auto count = static_cast<int64_t>(plan.rows(p).size());
    if (count > 0) batches[p] = arrow::RecordBatch::Make(rows.schema(), count, std::move(columns[p]));
  }
  return batches;
}

}  // namespace

arrow::Status HashPartitioner::ChooseKey() {
  KeyCandidates candidates;
  candidates.object = "table " + ToString(table_->name);
  for (int i = 0; i < table_->column_count; ++i) {
    const arrow::Field& field = *table_->schema->field(i);
    candidates.columns.push_back({field.name(), field.type()->ToString(), IsHashable(*field.type())});
  }
  const auto& weakened = table_->weakened;
  candidates.replica_identity = weakened ? weakened->own_replica_identity : table_->replica_identity;
  candidates.identity = weakened ? weakened->own_key_fields : table_->key_fields;
  ARROW_ASSIGN_OR_RAISE(key_fields_, ChoosePartitionKey(candidates, options_.columns));
  if (!weakened) return arrow::Status::OK();
  const auto& carried = table_->key_fields;
  std::copy_if(key_fields_.begin(), key_fields_.end(), std::back_inserter(uncertain_fields_),
               [&](int field) { return std::find(carried.begin(), carried.end(), field) == carried.end(); });
  return arrow::Status::OK();
}

arrow::Result<HashPartitioner> HashPartitioner::Make(std::shared_ptr<const TableSchema> table,
                                                     PartitionOptions options, arrow::MemoryPool* pool) {
  ARROW_RETURN_NOT_OK(CheckPartitions(options.partitions));
  HashPartitioner partitioner;
  partitioner.table_ = std::move(table);
  partitioner.options_ = std::move(options);
  partitioner.pool_ = pool;
  ARROW_RETURN_NOT_OK(partitioner.ChooseKey());
  return partitioner;
}

arrow::Status HashPartitioner::CheckSchema(const arrow::RecordBatch& rows) const {
  if (rows.schema() == table_->schema || rows.schema()->Equals(*table_->schema, /*check_metadata=*/false))
    return arrow::Status::OK();
  return MakeError(ErrorKind::kInternal, "a batch has another schema than its partitioner",
                   "table " + ToString(table_->name), "");
}

arrow::Result<std::vector<uint32_t>> HashPartitioner::Route(const arrow::RecordBatch& rows,
                                                            uint64_t* unroutable_rows) const {
  const auto row_count = static_cast<size_t>(rows.num_rows());
  Hashes hashes;
  for (int field : key_fields_) {
    hashes.emplace_back(row_count);
    ARROW_RETURN_NOT_OK(HashColumn(*rows.column_data(field), options_.hash, hashes.back().data()));
  }
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*table_, rows));
  std::vector<int64_t> unroutable;
  if (changes.unchanged().any() || !uncertain_fields_.empty()) {
    unroutable = FillUnchangedKeys(rows, changes, key_fields_, uncertain_fields_, &hashes);
  }
  *unroutable_rows = unroutable.size();

  std::vector<uint32_t> partitions = CombineHashes(std::move(hashes), options_.hash);
  HashesToPartitions(partitions, static_cast<uint32_t>(options_.partitions));
  for (int64_t row : unroutable) partitions[static_cast<size_t>(row)] = 0;
  if (changes.Any(Op::kTruncate)) {
    for (size_t row = 0; row < row_count; ++row) {
      if (changes.op(static_cast<int64_t>(row)) == Op::kTruncate) partitions[row] = kEveryPartition;
    }
  }
  return partitions;
}

arrow::Result<std::vector<uint32_t>> HashPartitioner::PartitionsOf(const arrow::RecordBatch& rows) const {
  ARROW_RETURN_NOT_OK(CheckSchema(rows));
  uint64_t unroutable_rows = 0;
  return Route(rows, &unroutable_rows);
}

arrow::Result<std::vector<Batch>> HashPartitioner::Split(const Batch& rows) {
  ARROW_RETURN_NOT_OK(CheckSchema(*rows));
  const auto partitions = static_cast<uint32_t>(options_.partitions);
  std::vector<Batch> batches(partitions);
  uint64_t unroutable_rows = 0;
  if (partitions == 1) {
    batches[0] = rows;
  } else if (rows->num_rows() == 0) {
    return batches;
  } else {
    ARROW_ASSIGN_OR_RAISE(auto partition_of_row, Route(*rows, &unroutable_rows));
    const uint32_t first = partition_of_row[0];
    if (std::all_of(partition_of_row.begin(), partition_of_row.end(),
                    [&](uint32_t p) { return p == first; })) {
      if (first == kEveryPartition) {
        std::fill(batches.begin(), batches.end(), rows);
      } else {
        batches[first] = rows;
      }
    } else {
      if (rows->num_rows() >= UINT32_MAX) return arrow::Status::CapacityError("a batch of 2^32 rows or more");
      ARROW_ASSIGN_OR_RAISE(batches, CopyRows(*rows, RowPlan(partition_of_row, partitions), pool_));
    }
  }
  stats_.rows += static_cast<uint64_t>(rows->num_rows());
  stats_.unroutable_rows += unroutable_rows;
  return batches;
}

}  // namespace arrowcdc
