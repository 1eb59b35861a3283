#include "src/sink/parquet_encoding.h"

#include <arrow/compute/api_vector.h>
#include <arrow/datum.h>
#include <arrow/type_traits.h>

namespace arrowcdc {
namespace {

constexpr int64_t kSampledMax = 4096;
constexpr int64_t kSampledMin = 1000;

bool IsPlain(const arrow::DataType& type) {
  return arrow::is_primitive(type.id()) || arrow::is_base_binary_like(type.id()) ||
         arrow::is_fixed_size_binary(type.id());
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

arrow::Result<std::vector<std::string>> ColumnsThatHardlyRepeat(const arrow::Table& rows) {
  std::vector<std::string> columns;
  for (int i = 0; i < rows.num_columns(); ++i) {
    const arrow::ChunkedArray& column = *rows.column(i);
    if (!IsPlain(*column.type()) || column.type()->id() == arrow::Type::BOOL) continue;
    const auto sample = column.Slice(0, kSampledMax);
    const int64_t values = sample->length() - sample->null_count();
    if (values < kSampledMin) continue;
    const auto distinct = arrow::compute::Unique(arrow::Datum(sample));
    if (distinct.status().IsNotImplemented()) continue;
    ARROW_RETURN_NOT_OK(distinct.status());
    const int64_t count = (*distinct)->length() - (*distinct)->null_count();
    if (!ValuesRepeat(values, count, column.length() - column.null_count()))
      columns.push_back(rows.field(i)->name());
  }
  return columns;
}

}  // namespace arrowcdc
