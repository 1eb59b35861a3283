// All four ways are timed in turn in every round, so that noise from outside meets all of them. A way splits
// its batch several times in a row, as a stream does: memory that one batch gave back serves the next one.
#include "bench/partition.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>

#include "src/partition/key_hash.h"
#include "src/partition/modulo.h"
#include "src/partition/row_plan.h"
#include "src/partition/take.h"

namespace arrowcdc::bench {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

void Check(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

// Keeps a result that nobody looks at from being left out.
template <typename T>
void Keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// The first column is the key. kInt64: 8 int64; kInt64Nulls: one null in ten; kMixed: 4 int64 and 4 strings
// of 0 to 23 bytes.
Batch MakeBatch(int64_t rows, PartitionCase::Columns kind) {
  std::mt19937_64 random(1);
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int c = 0; c < 8; ++c) {
    std::string name = "c";
    name += std::to_string(c);
    if (kind == PartitionCase::Columns::kMixed && c >= 4) {
      arrow::StringBuilder builder;
      for (int64_t i = 0; i < rows; ++i) Check(builder.Append(std::string(random() % 24, 'x')));
      fields.push_back(arrow::field(name, arrow::utf8()));
      columns.push_back(builder.Finish().ValueOrDie());
    } else {
      arrow::Int64Builder builder;
      for (int64_t i = 0; i < rows; ++i) {
        const auto value = static_cast<int64_t>(random());
        const bool null = kind == PartitionCase::Columns::kInt64Nulls && c > 0 && random() % 10 == 0;
        Check(null ? builder.AppendNull() : builder.Append(value));
      }
      fields.push_back(arrow::field(name, arrow::int64()));
      columns.push_back(builder.Finish().ValueOrDie());
    }
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), rows, columns);
}

// Warm copies of every buffer of a batch.
class Copier {
 public:
  explicit Copier(const arrow::RecordBatch& batch) {
    for (const auto& column : batch.columns()) {
      for (const auto& buffer : column->data()->buffers) {
        if (buffer == nullptr) continue;
        sources_.push_back(buffer);
        copies_.push_back(arrow::AllocateBuffer(buffer->size()).ValueOrDie());
      }
    }
  }
  void Run() {
    for (size_t i = 0; i < sources_.size(); ++i) {
      std::memcpy(copies_[i]->mutable_data(), sources_[i]->data(), static_cast<size_t>(sources_[i]->size()));
      Keep(copies_[i]->data());
    }
  }

 private:
  arrow::BufferVector sources_;
  std::vector<std::unique_ptr<arrow::Buffer>> copies_;
};

// HashPartitioner by the first column, without what it does with the metadata columns, which these batches do
// not have.
class Splitter {
 public:
  explicit Splitter(int partitions) : partitions_(static_cast<uint32_t>(partitions)) {}

  std::vector<uint32_t> PartitionsOf(const arrow::RecordBatch& rows) const {
    std::vector<uint32_t> hashes(static_cast<size_t>(rows.num_rows()));
    Check(HashColumn(*rows.column_data(0), PartitionHash::kMurmur3, hashes.data()));
    HashesToPartitions(hashes, partitions_);
    return hashes;
  }

  std::vector<Batch> Split(const arrow::RecordBatch& rows) const {
    const RowPlan plan(PartitionsOf(rows), partitions_);
    auto columns = TakeByPartition(rows.column_data(), plan, arrow::default_memory_pool()).ValueOrDie();
    std::vector<Batch> batches(partitions_);
    for (uint32_t p = 0; p < partitions_; ++p) {
      const auto count = static_cast<int64_t>(plan.rows(p).size());
      if (count > 0) batches[p] = arrow::RecordBatch::Make(rows.schema(), count, std::move(columns[p]));
    }
    return batches;
  }

 private:
  const uint32_t partitions_;
};

void SplitByTake(const Splitter& splitter, const Batch& batch, size_t partitions) {
  auto partition_of_row = splitter.PartitionsOf(*batch);
  std::vector<std::vector<int32_t>> rows(partitions);
  for (size_t i = 0; i < partition_of_row.size(); ++i)
    rows[partition_of_row[i]].push_back(static_cast<int32_t>(i));
  std::vector<arrow::Datum> parts;
  for (const auto& indexes : rows) {
    arrow::Int32Array array(static_cast<int64_t>(indexes.size()), arrow::Buffer::Wrap(indexes));
    parts.push_back(
        arrow::compute::Take(batch, array, arrow::compute::TakeOptions::NoBoundsCheck()).ValueOrDie());
  }
  Keep(parts.data());
}

void SplitByAppending(const Splitter& splitter, const Batch& batch, size_t partitions) {
  auto partition_of_row = splitter.PartitionsOf(*batch);
  std::vector<std::unique_ptr<arrow::RecordBatchBuilder>> builders;
  for (size_t p = 0; p < partitions; ++p) {
    builders.push_back(
        arrow::RecordBatchBuilder::Make(batch->schema(), arrow::default_memory_pool()).ValueOrDie());
  }
  const arrow::ArrayVector columns = batch->columns();
  for (size_t row = 0; row < partition_of_row.size(); ++row) {
    auto& builder = *builders[partition_of_row[row]];
    const auto i = static_cast<int64_t>(row);
    for (int c = 0; c < batch->num_columns(); ++c) {
      const arrow::Array& column = *columns[static_cast<size_t>(c)];
      if (column.IsNull(i)) {
        Check(builder.GetField(c)->AppendNull());
      } else if (column.type_id() == arrow::Type::INT64) {
        const auto value = static_cast<const arrow::Int64Array&>(column).Value(i);
        Check(builder.GetFieldAs<arrow::Int64Builder>(c)->Append(value));
      } else {
        const auto value = static_cast<const arrow::StringArray&>(column).GetView(i);
        Check(builder.GetFieldAs<arrow::StringBuilder>(c)->Append(value));
      }
    }
  }
  std::vector<Batch> parts;
  parts.reserve(builders.size());
  for (auto& builder : builders) parts.push_back(builder->Flush().ValueOrDie());
  Keep(parts.data());
}

// Of processor time, so that other programs on the machine cost their share of the caches only.
double Now() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Of one call, the mean of several.
template <typename Function>
double Seconds(int calls, Function&& function) {
  const double start = Now();
  for (int i = 0; i < calls; ++i) function();
  return (Now() - start) / calls;
}

}  // namespace

const std::vector<PartitionCase>& PartitionCases() {
  using Columns = PartitionCase::Columns;
  static const std::vector<PartitionCase> cases = {
      {"int64_p4", Columns::kInt64, 65'536, 4},
      {"int64_p16", Columns::kInt64, 65'536, 16},
      {"int64_p64", Columns::kInt64, 65'536, 64},
      {"int64_p16_small", Columns::kInt64, 4'096, 16},
      {"int64_nulls_p16", Columns::kInt64Nulls, 65'536, 16},
      {"int64_text_p16", Columns::kMixed, 65'536, 16},
  };
  return cases;
}

arrow::Status RunPartition(int64_t rows_measured, Results* results) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  for (const PartitionCase& one : PartitionCases()) {
    const Batch batch = MakeBatch(one.rows, one.columns);
    const Splitter splitter(one.partitions);
    Copier copier(*batch);
    const auto partitions = static_cast<size_t>(one.partitions);
    const auto rows = static_cast<double>(one.rows);
    constexpr int64_t kRowsInARow = 8 * 65'536;
    const int64_t rows_a_round = std::min(kRowsInARow, rows_measured);
    const auto calls = static_cast<int>(std::max<int64_t>(1, rows_a_round / one.rows));
    const auto rounds = static_cast<int>(std::max<int64_t>(1, rows_measured / rows_a_round));
    for (int round = -1; round < rounds; ++round) {  // the first one warms
      const double by_memcpy = Seconds(calls, [&] { copier.Run(); });
      const double ours = Seconds(calls, [&] { Keep(splitter.Split(*batch).data()); });
      const double by_take = Seconds(calls, [&] { SplitByTake(splitter, batch, partitions); });
      const double naive = Seconds(calls, [&] { SplitByAppending(splitter, batch, partitions); });
      if (round < 0) continue;
      const auto add = [&](const char* metric, double value) {
        results->Add(kPartition, one.name, metric, round, value);
      };
      add("rows_per_s", rows / ours);
      add("share_of_memcpy", by_memcpy / ours);
      add("arrow_take_rows_per_s", rows / by_take);
      add("arrow_take_share_of_memcpy", by_memcpy / by_take);
      add("naive_rows_per_s", rows / naive);
      add("naive_share_of_memcpy", by_memcpy / naive);
      add("memcpy_rows_per_s", rows / by_memcpy);
    }
  }
  return arrow::Status::OK();
}

}  // namespace arrowcdc::bench
