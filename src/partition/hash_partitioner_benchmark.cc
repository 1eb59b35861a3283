// Splitting a batch against (a) memcpy of its bytes into warm memory, (b) Arrow's own Take with indexes made
// from our partitions, (c) appending each row to the builders of its partition. All four are timed in turn in
// every round, so that noise from outside meets all of them; the counters are medians over the rounds of a
// run, rows in millions a second, and the ratios are medians over rounds of the time of the one by the time
// of the other. Run with --benchmark_repetitions for spread.
#include <algorithm>
#include <cstring>
#include <ctime>
#include <random>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/compute/initialize.h>
#include <benchmark/benchmark.h>

#include "arrowcdc/hash_partitioner.h"

namespace arrowcdc {
namespace {

using Batch = std::shared_ptr<arrow::RecordBatch>;

void Check(const arrow::Status& status) {
  if (!status.ok()) status.Abort();
}

// The first column is the key. shape: 0: 8 int64; 1: 8 int64 with one null in ten; 2: 4 int64 and 4 strings
// of 0 to 23 bytes.
Batch MakeBatch(int64_t rows, int64_t shape) {
  std::mt19937_64 random(1);
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int c = 0; c < 8; ++c) {
    std::string name = "c";
    name += std::to_string(c);
    if (shape == 2 && c >= 4) {
      arrow::StringBuilder builder;
      for (int64_t i = 0; i < rows; ++i) Check(builder.Append(std::string(random() % 24, 'x')));
      fields.push_back(arrow::field(name, arrow::utf8()));
      columns.push_back(builder.Finish().ValueOrDie());
    } else {
      arrow::Int64Builder builder;
      for (int64_t i = 0; i < rows; ++i) {
        const auto value = static_cast<int64_t>(random());
        Check(shape == 1 && c > 0 && random() % 10 == 0 ? builder.AppendNull() : builder.Append(value));
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
      benchmark::DoNotOptimize(copies_[i]->data());
    }
    benchmark::ClobberMemory();
  }

 private:
  arrow::BufferVector sources_;
  std::vector<std::unique_ptr<arrow::Buffer>> copies_;
};

void SplitByTake(const HashPartitioner& partitioner, const Batch& batch, size_t partitions) {
  auto partition_of_row = partitioner.PartitionsOf(*batch).ValueOrDie();
  std::vector<std::vector<int32_t>> rows(partitions);
  for (size_t i = 0; i < partition_of_row.size(); ++i)
    rows[partition_of_row[i]].push_back(static_cast<int32_t>(i));
  std::vector<arrow::Datum> parts;
  for (const auto& indexes : rows) {
    arrow::Int32Array array(static_cast<int64_t>(indexes.size()), arrow::Buffer::Wrap(indexes));
    parts.push_back(
        arrow::compute::Take(batch, array, arrow::compute::TakeOptions::NoBoundsCheck()).ValueOrDie());
  }
  benchmark::DoNotOptimize(parts.data());
}

void SplitByAppending(const HashPartitioner& partitioner, const Batch& batch, size_t partitions) {
  auto partition_of_row = partitioner.PartitionsOf(*batch).ValueOrDie();
  std::vector<std::unique_ptr<arrow::RecordBatchBuilder>> builders;
  for (size_t p = 0; p < partitions; ++p) {
    builders.push_back(
        arrow::RecordBatchBuilder::Make(batch->schema(), arrow::default_memory_pool()).ValueOrDie());
  }
  for (size_t row = 0; row < partition_of_row.size(); ++row) {
    auto& builder = *builders[partition_of_row[row]];
    const auto i = static_cast<int64_t>(row);
    for (int c = 0; c < batch->num_columns(); ++c) {
      const auto& column = *batch->column(c);
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
  for (auto& builder : builders) parts.push_back(builder->Flush().ValueOrDie());
  benchmark::DoNotOptimize(parts.data());
}

// Of processor time, so that other programs on the machine cost their share of the caches only.
double Now() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

template <typename Function>
double Seconds(Function&& function) {
  const double start = Now();
  function();
  return Now() - start;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void Split(benchmark::State& state) {
  const Batch batch = MakeBatch(state.range(1), state.range(0));
  const auto partitions = static_cast<size_t>(state.range(2));
  PartitionOptions options;
  options.partitions = static_cast<int>(partitions);
  options.columns = {"c0"};
  auto partitioner = HashPartitioner::MakeForSchema(batch->schema(), options).ValueOrDie();
  Copier copier(*batch);
  std::vector<double> split;
  std::vector<double> by_memcpy;
  std::vector<double> by_take;
  std::vector<double> by_appending;
  for (auto _ : state) {
    by_memcpy.push_back(Seconds([&] { copier.Run(); }));
    split.push_back(Seconds([&] { benchmark::DoNotOptimize(partitioner.Split(batch).ValueOrDie().data()); }));
    by_take.push_back(Seconds([&] { SplitByTake(partitioner, batch, partitions); }));
    by_appending.push_back(Seconds([&] { SplitByAppending(partitioner, batch, partitions); }));
    state.SetIterationTime(split.back());
  }
  auto ratio = [&](std::vector<double> other) {
    for (size_t i = 0; i < other.size(); ++i) other[i] /= split[i];
    return Median(other);
  };
  const double rows = static_cast<double>(batch->num_rows()) / 1e6;
  state.counters["Mrows"] = rows / Median(split);
  state.counters["memcpy_Mrows"] = rows / Median(by_memcpy);
  state.counters["of_memcpy"] = ratio(by_memcpy);
  state.counters["of_take"] = ratio(by_take);
  state.counters["of_appending"] = ratio(by_appending);
}

BENCHMARK(Split)
    ->UseManualTime()
    ->ArgNames({"shape", "rows", "partitions"})
    ->ArgsProduct({{0}, {1024, 8192, 65536}, {4, 16, 64}})
    ->ArgsProduct({{1, 2}, {65536}, {16}});

}  // namespace
}  // namespace arrowcdc

int main(int argc, char** argv) {
  if (!arrow::compute::Initialize().ok()) return 1;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
