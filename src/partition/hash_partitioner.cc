// Which partition each row belongs to, and the batches that follow from it. Hashing is in key_hash, copying
// in take.
#include "arrowcdc/hash_partitioner.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <arrow/array.h>
#include <arrow/util/checked_cast.h>

#include "arrowcdc/error.h"
#include "src/partition/key_hash.h"
#include "src/partition/modulo.h"
#include "src/partition/partition_key.h"
#include "src/partition/row_plan.h"
#include "src/partition/take.h"

namespace arrowcdc {
namespace {

using arrow::internal::checked_cast;
using Batch = std::shared_ptr<arrow::RecordBatch>;
using Hashes = std::vector<std::vector<uint32_t>>;  // [key column][row]

static_assert(HashPartitioner::kEveryPartition == RowPlan::kEvery);

// The metadata columns of a change batch that matter here.
class ChangeColumns {
 public:
  ChangeColumns(const TableSchema& table, const arrow::RecordBatch& rows)
      : table_(table), rows_(rows), ops_(Column(MetadataColumn::kOp).GetValues<int8_t>(1)) {
    const auto& names = checked_cast<const arrow::StringArray&>(
        *checked_cast<const arrow::DictionaryArray&>(*rows.column(table.column_count)).dictionary());
    for (int64_t code = 0; code < names.length(); ++code) {
      if (names.GetView(code) == "truncate") truncate_ = static_cast<int8_t>(code);
      if (names.GetView(code) == "update_before") update_before_ = static_cast<int8_t>(code);
      if (names.GetView(code) == "update_after") update_after_ = static_cast<int8_t>(code);
      if (names.GetView(code) == "delete") delete_ = static_cast<int8_t>(code);
    }
  }

  bool IsTruncate(int64_t row) const { return ops_[row] == truncate_; }
  bool AnyTruncate() const {
    return std::find(ops_, ops_ + rows_.num_rows(), truncate_) != ops_ + rows_.num_rows();
  }
  bool AnyUnchanged() const { return Column(MetadataColumn::kUnchanged).GetNullCount() < rows_.num_rows(); }

  bool IsUnchanged(int64_t row, int field) const {
    return ops_[row] == update_after_ && ListsColumn(table_, rows_, MetadataColumn::kUnchanged, row, field);
  }

  // Whether the old row may lack one of these columns, which not every partition carries.
  bool Lacks(int64_t row, const std::vector<int>& fields) const {
    if (ops_[row] != update_before_ && ops_[row] != delete_) return false;
    return std::any_of(fields.begin(), fields.end(), [&](int field) {
      return rows_.column(field)->IsNull(row) &&
             !ListsColumn(table_, rows_, MetadataColumn::kUnrepresentable, row, field);
    });
  }

  // Whether the row in front is the update_before of the update_after `row`.
  bool HasUpdateBefore(int64_t row) const {
    if (row == 0 || ops_[row - 1] != update_before_) return false;
    RowPosition before = RowPositionAt(table_, rows_, row - 1);
    ++before.ord;
    return before == RowPositionAt(table_, rows_, row);
  }

 private:
  const arrow::ArrayData& Column(MetadataColumn which) const {
    return *rows_.column_data(table_.column_count + static_cast<int>(which));
  }

  const TableSchema& table_;
  const arrow::RecordBatch& rows_;
  const int8_t* ops_;
  int8_t truncate_ = -1;  // no row has it
  int8_t update_before_ = -1;
  int8_t update_after_ = -1;
  int8_t delete_ = -1;
};

// Gives unchanged keys the hash of their old row. The rows whose key is not known: those that have no such
// row, and old rows that lack one of `uncertain`.
std::vector<int64_t> FillUnchangedKeys(const ChangeColumns& changes, const std::vector<int>& key_fields,
                                       const std::vector<int>& uncertain, Hashes* hashes) {
  std::vector<int64_t> unroutable;
  const auto row_count = static_cast<int64_t>((*hashes)[0].size());
  for (int64_t row = 0; row < row_count; ++row) {
    bool known = !changes.Lacks(row, uncertain);
    for (size_t k = 0; k < key_fields.size(); ++k) {
      if (!changes.IsUnchanged(row, key_fields[k])) continue;
      auto& column = (*hashes)[k];
      if (changes.HasUpdateBefore(row) && !changes.Lacks(row - 1, uncertain)) {
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
  const ChangeColumns changes(*table_, rows);
  std::vector<int64_t> unroutable;
  if (changes.AnyUnchanged() || !uncertain_fields_.empty()) {
    unroutable = FillUnchangedKeys(changes, key_fields_, uncertain_fields_, &hashes);
  }
  *unroutable_rows = unroutable.size();

  std::vector<uint32_t> partitions = CombineHashes(std::move(hashes), options_.hash);
  HashesToPartitions(partitions, static_cast<uint32_t>(options_.partitions));
  for (int64_t row : unroutable) partitions[static_cast<size_t>(row)] = 0;
  if (changes.AnyTruncate()) {
    for (size_t row = 0; row < row_count; ++row) {
      if (changes.IsTruncate(static_cast<int64_t>(row))) partitions[row] = kEveryPartition;
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
