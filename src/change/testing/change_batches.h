// Change batches for tests, made through Arrow without any decoder.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_batch.h"
#include "src/change/table_schema.h"

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
  Op op = Op::kInsert;
  std::vector<std::string> unchanged = {};
  std::vector<std::string> unrepresentable = {};
  std::optional<uint32_t> xid = 731;
  std::optional<int64_t> commit_ts = 1'700'000'000'000'000;
};

// Null where a row lists no name.
inline std::shared_ptr<arrow::Array> BuildNameLists(const std::vector<RowMeta>& rows,
                                                    std::vector<std::string> RowMeta::*names) {
  auto values = std::make_shared<arrow::StringBuilder>();
  arrow::ListBuilder builder(arrow::default_memory_pool(), values);
  for (const auto& row : rows) {
    EXPECT_TRUE((row.*names).empty() ? builder.AppendNull().ok() : builder.Append().ok());
    EXPECT_TRUE(values->AppendValues(row.*names).ok());
  }
  return builder.Finish().ValueOrDie();
}

// The metadata columns, in their order.
inline arrow::ArrayVector MetadataColumns(const std::vector<RowMeta>& rows) {
  arrow::Int8Builder ops;
  arrow::UInt64Builder commit_lsns;
  arrow::UInt64Builder lsns;
  arrow::UInt16Builder ords;
  arrow::UInt32Builder xids;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"),
                                arrow::default_memory_pool());
  for (const auto& row : rows) {
    EXPECT_TRUE(ops.Append(static_cast<int8_t>(row.op)).ok());
    EXPECT_TRUE(commit_lsns.Append(row.position.commit_lsn).ok());
    EXPECT_TRUE(lsns.Append(row.position.lsn).ok());
    EXPECT_TRUE(ords.Append(row.position.ord).ok());
    EXPECT_TRUE((row.xid ? xids.Append(*row.xid) : xids.AppendNull()).ok());
    EXPECT_TRUE((row.commit_ts ? times.Append(*row.commit_ts) : times.AppendNull()).ok());
  }
  arrow::StringBuilder names;
  EXPECT_TRUE(
      names.AppendValues({"insert", "update_before", "update_after", "delete", "snapshot", "truncate"}).ok());
  return {std::make_shared<arrow::DictionaryArray>(arrow::dictionary(arrow::int8(), arrow::utf8()),
                                                   ops.Finish().ValueOrDie(), names.Finish().ValueOrDie()),
          commit_lsns.Finish().ValueOrDie(),
          lsns.Finish().ValueOrDie(),
          ords.Finish().ValueOrDie(),
          xids.Finish().ValueOrDie(),
          times.Finish().ValueOrDie(),
          BuildNameLists(rows, &RowMeta::unchanged),
          BuildNameLists(rows, &RowMeta::unrepresentable)};
}

// `columns`: the table's own, each with as many values as `rows`.
inline ChangeBatch MakeBatch(std::shared_ptr<const TableSchema> table, const std::vector<RowMeta>& rows,
                             arrow::ArrayVector columns, GroupState group = {}) {
  for (auto& column : MetadataColumns(rows)) columns.push_back(std::move(column));
  auto batch = arrow::RecordBatch::Make(table->schema, static_cast<int64_t>(rows.size()), std::move(columns));
  return {std::move(table), std::move(batch), group};
}

// Inserted rows of one record.
inline std::shared_ptr<arrow::RecordBatch> MakeInserts(const std::shared_ptr<const TableSchema>& table,
                                                       arrow::ArrayVector columns) {
  std::vector<RowMeta> rows(static_cast<size_t>(columns.at(0)->length()));
  for (size_t i = 0; i < rows.size(); ++i) rows[i].position = {1, 1, static_cast<uint16_t>(i)};
  return MakeBatch(table, rows, std::move(columns)).rows;
}

inline std::shared_ptr<arrow::Array> Ids(const std::vector<int64_t>& values) {
  arrow::Int64Builder builder;
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

}  // namespace arrowcdc::test
