#include "src/sink/parquet_encoding.h"

#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/extension_type.h>
#include <arrow/type_traits.h>

namespace arrowcdc {
namespace {

constexpr int64_t kSampledMax = 4096;
constexpr int64_t kSampledMin = 1000;
// The writer makes a page of 20,000 rows at most by itself, and Zstandard is set up anew for each page: of 8
// bytes a row that would be 160 KB instead of 1 MiB.
constexpr int64_t kPageRowsMax = 1 << 17;

bool IsPlain(const arrow::DataType& type) {
  return arrow::is_primitive(type.id()) || arrow::is_base_binary_like(type.id()) ||
         arrow::is_fixed_size_binary(type.id());
}

// The first values; of extension types the storage's, for which there are kernels.
std::shared_ptr<arrow::ChunkedArray> SampleOf(const arrow::ChunkedArray& column) {
  auto sample = column.Slice(0, kSampledMax);
  if (column.type()->id() != arrow::Type::EXTENSION) return sample;
  arrow::ArrayVector stored;
  for (const auto& chunk : sample->chunks())
    stored.push_back(static_cast<const arrow::ExtensionArray&>(*chunk).storage());
  return std::make_shared<arrow::ChunkedArray>(
      std::move(stored), static_cast<const arrow::ExtensionType&>(*column.type()).storage_type());
}

// Stored as INT32 or INT64. A leaf of a nested column, of any type, may go by a name that holds a dot.
bool TakesDeltas(const arrow::Field& field) {
  const arrow::Type::type type = field.type()->id();
  const bool is_whole_number = arrow::is_integer(type) || arrow::is_temporal(type);
  return is_whole_number && field.name().find('.') == std::string::npos;
}

}  // namespace

// With values drawn evenly from `all`, about sampled^2 / (2 all) of the sample repeat an earlier one, and of
// `rows` values all * (1 - exp(-rows / all)) are distinct: half of them where rows / all is 1.6.
bool ValuesRepeat(int64_t sampled, int64_t distinct, int64_t rows) {
  constexpr double kRowsToAll = 1.6;
  if (2 * distinct <= sampled) return true;
  const auto repeated = static_cast<double>(sampled - distinct);
  const auto of = static_cast<double>(sampled);
  return 2 * repeated * static_cast<double>(rows) >= kRowsToAll * of * of;
}

arrow::Result<Repeats> ColumnsThatRepeat(const arrow::Table& rows) {
  Repeats repeats;
  for (int i = 0; i < rows.num_columns(); ++i) {
    const arrow::ChunkedArray& column = *rows.column(i);
    const auto sample = SampleOf(column);
    if (!IsPlain(*sample->type()) || sample->type()->id() == arrow::Type::BOOL) continue;
    const int64_t values = sample->length() - sample->null_count();
    if (values < kSampledMin) continue;
    const auto distinct = arrow::compute::Unique(arrow::Datum(sample));
    if (distinct.status().IsNotImplemented()) continue;
    ARROW_RETURN_NOT_OK(distinct.status());
    const int64_t count = (*distinct)->length() - (*distinct)->null_count();
    repeats[rows.field(i)->name()] = ValuesRepeat(values, count, column.length() - column.null_count());
  }
  return repeats;
}

arrow::Result<Repeats> ParquetEncoding::Judge(const TableName& table, const arrow::Table& first_rows) {
  ARROW_ASSIGN_OR_RAISE(Repeats repeats, ColumnsThatRepeat(first_rows));
  const std::lock_guard lock(mutex_);
  Repeats& judged = judged_[table];
  repeats.merge(judged);
  judged = repeats;
  return repeats;
}

arrow::Result<std::shared_ptr<parquet::WriterProperties>> ParquetEncoding::ForFile(
    const TableName& table, const arrow::Table& first_rows) {
  ARROW_ASSIGN_OR_RAISE(const Repeats repeats, Judge(table, first_rows));
  parquet::WriterProperties::Builder properties;
  properties.created_by("arrowcdc " ARROWCDC_VERSION)
      ->max_rows_per_page(kPageRowsMax)
      ->compression(parquet::Compression::ZSTD)
      ->compression_level(static_cast<int>(options_.compression_level));
  for (const auto& field : first_rows.fields()) {
    const auto found = repeats.find(field->name());
    if (found == repeats.end() || found->second) continue;
    properties.disable_dictionary(field->name());
    if (options_.encodings == ParquetEncodings::kModern && TakesDeltas(*field))
      properties.encoding(field->name(), parquet::Encoding::DELTA_BINARY_PACKED);
  }
  return properties.build();
}

}  // namespace arrowcdc
