// Change batches for the sinks' tests, made through Arrow without any decoder.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/json/from_string.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/error.h"
#include "arrowcdc/sink.h"
#include "src/change/table_schema.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {

inline std::shared_ptr<const TableSchema> MakeTable(const TableName& name, const arrow::FieldVector& columns,
                                                    uint64_t fingerprint = 1, uint32_t oid = 16384) {
  return MakeTableSchema(
             name, oid, fingerprint, ReplicaIdentity::kDefault, columns,
             arrow::key_value_metadata({{"arrowcdc:schema", name.schema}, {"arrowcdc:table", name.table}}))
      .ValueOrDie();
}

// What the metadata columns of a row say.
struct RowMeta {
  RowPosition position;
  int op = 0;
  std::vector<std::string> unchanged;
};

template <typename Builder, typename Value>
std::shared_ptr<arrow::Array> BuildColumn(const std::vector<RowMeta>& rows, Value&& value) {
  Builder builder;
  for (const auto& row : rows) EXPECT_TRUE(builder.Append(value(row)).ok());
  return builder.Finish().ValueOrDie();
}

inline std::shared_ptr<arrow::Array> BuildUnchanged(const std::vector<RowMeta>& rows) {
  auto values = std::make_shared<arrow::StringBuilder>();
  arrow::ListBuilder builder(arrow::default_memory_pool(), values);
  for (const auto& row : rows) {
    if (row.unchanged.empty()) {
      EXPECT_TRUE(builder.AppendNull().ok());
    } else {
      EXPECT_TRUE(builder.Append().ok());
      EXPECT_TRUE(values->AppendValues(row.unchanged).ok());
    }
  }
  return builder.Finish().ValueOrDie();
}

// `columns`: the table's own, each with as many values as `rows`.
inline ChangeBatch MakeBatch(std::shared_ptr<const TableSchema> table, const std::vector<RowMeta>& rows,
                             arrow::ArrayVector columns) {
  columns.push_back(MakeOpColumn(
      BuildColumn<arrow::Int8Builder>(rows, [](const RowMeta& row) { return static_cast<int8_t>(row.op); })));
  columns.push_back(
      BuildColumn<arrow::UInt64Builder>(rows, [](const RowMeta& row) { return row.position.commit_lsn; }));
  columns.push_back(
      BuildColumn<arrow::UInt64Builder>(rows, [](const RowMeta& row) { return row.position.lsn; }));
  columns.push_back(
      BuildColumn<arrow::UInt16Builder>(rows, [](const RowMeta& row) { return row.position.ord; }));
  columns.push_back(BuildColumn<arrow::UInt32Builder>(rows, [](const RowMeta&) { return 731u; }));
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  for (size_t i = 0; i < rows.size(); ++i) EXPECT_TRUE(times.Append(1'700'000'000'000'000).ok());
  columns.push_back(times.Finish().ValueOrDie());
  columns.push_back(BuildUnchanged(rows));
  columns.push_back(
      arrow::MakeArrayOfNull(arrow::list(arrow::utf8()), static_cast<int64_t>(rows.size())).ValueOrDie());
  auto batch = arrow::RecordBatch::Make(table->schema, static_cast<int64_t>(rows.size()), std::move(columns));
  return {std::move(table), std::move(batch), {}};
}

inline std::shared_ptr<arrow::Array> Ids(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

inline StreamIdentity TestStream() {
  return {{"postgresql", "7123456789012345678"}, 1, "shop", "arrowcdc", {"p"}, {}};
}

inline Position At(uint64_t order, uint32_t timeline = 1) {
  return {TestStream().source, timeline, order, ""};
}

inline ErrorKind KindOf(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  EXPECT_NE(detail, nullptr) << status.ToString();
  return detail == nullptr ? ErrorKind::kInternal : detail->kind();
}

}  // namespace arrowcdc::test
