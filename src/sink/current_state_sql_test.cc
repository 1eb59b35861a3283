// The query as text: what depends on names, and what is refused. tests/end_to_end/current_state_test.cc runs
// it.
#include "src/sink/current_state_sql.h"

#include <arrow/util/key_value_metadata.h>
#include <gtest/gtest.h>

#include "src/change/table_schema.h"
#include "src/sink/duckdb_types.h"

namespace arrowcdc::test {
namespace {

using enum ReplicaIdentity;

std::shared_ptr<arrow::Field> Field(const std::string& name, int id, std::shared_ptr<arrow::DataType> type,
                                    int key_place = 0) {
  auto metadata = arrow::key_value_metadata({"PARQUET:field_id"}, {std::to_string(id)});
  if (key_place > 0) metadata->Append("arrowcdc:key", std::to_string(key_place));
  return arrow::field(name, std::move(type), true, metadata);
}

StoredFile File(const std::string& path, const arrow::FieldVector& columns,
                ReplicaIdentity identity = kDefault) {
  StoredFile file;
  file.path = path;
  file.name = {"public", "t"};
  file.replica_identity = identity;
  file.schema = MakeChangeSchema(columns, nullptr);
  return file;
}

const auto kId = Field("id", 1, arrow::int32(), 1);

std::string Sql(std::vector<StoredFile> files, std::optional<uint64_t> order = 100) {
  StoredTable table;
  table.files = std::move(files);
  if (order.has_value()) table.whole = Position{1, *order};
  const auto sql = CurrentStateSql(table);
  return sql.ok() ? *sql : "refused: " + sql.status().message();
}

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(CurrentStateSql, NamesStayNames) {
  StoredFile file = File("/a'b/[1]*?.parquet", {kId, Field("x\"; DROP\n--", 2, arrow::utf8())});
  file.name = {"public", "t\nDROP TABLE u; --"};
  const std::string sql = Sql({file});
  EXPECT_TRUE(Has(sql, "'/a''b/[[]1][*][?].parquet'")) << sql;
  EXPECT_TRUE(Has(sql, "AS \"x\"\"; DROP\n--\"")) << sql;
  // Before the query begins there are comments only.
  for (size_t at = 0; at < sql.find("WITH RECURSIVE"); at = sql.find('\n', at) + 1) {
    EXPECT_EQ(sql.substr(at, 3), "-- ") << sql.substr(at);
  }
}

// Its rows stand still, at whatever position the stream of the other tables is.
TEST(CurrentStateSql, ATableThatTheStreamLeavesOut) {
  StoredTable table;
  table.files = {File("/1", {kId})};
  table.whole = Position{1, 100};
  const std::string note = "-- The last stream's --tables leave the table out";
  EXPECT_FALSE(Has(*CurrentStateSql(table), note));
  table.left_out = true;
  EXPECT_TRUE(Has(*CurrentStateSql(table), note));
}

TEST(CurrentStateSql, FilesOfOneSchemaAreReadTogether) {
  const auto text = Field("v", 2, arrow::utf8());
  const std::string sql = Sql({File("/1", {kId, text}), File("/2", {kId}), File("/3", {kId, text})});
  EXPECT_TRUE(Has(sql, "end at or before 0/64, from 3 files.\n")) << sql;
  EXPECT_TRUE(Has(sql, "    '/1',\n    '/3'],")) << sql;
  EXPECT_TRUE(Has(sql, "CAST(NULL AS VARCHAR) AS c2")) << sql;
  EXPECT_TRUE(Has(sql, "WHERE commit_lsn < 100\n")) << sql;
  EXPECT_FALSE(Has(Sql({File("/1", {kId})}, std::nullopt), "commit_lsn <"));
}

TEST(CurrentStateSql, UnchangedNamesAreThoseOfToday) {
  // a became b, c was dropped, and another column is called c now.
  const std::string sql =
      Sql({File("/1", {kId, Field("a", 2, arrow::utf8()), Field("c", 3, arrow::utf8())}),
           File("/2", {kId, Field("b", 2, arrow::utf8()), Field("c", 4, arrow::utf8())})});
  EXPECT_TRUE(Has(sql,
                  "[CASE WHEN list_contains(unchanged, 'id') THEN 'id' END, "
                  "CASE WHEN list_contains(unchanged, 'a') THEN 'b' END]"))
      << sql;
  EXPECT_TRUE(Has(sql, "commit_lsn, lsn, ord, unchanged AS unchanged")) << sql;
}

TEST(CurrentStateSql, MetadataColumnsMayHaveGivenWay) {
  const std::string sql = Sql({File("/1", {kId, Field("_op", 2, arrow::utf8())})});
  EXPECT_TRUE(
      Has(sql, "AS file(c1, c2, op, commit_lsn, lsn, ord, xid, commit_ts, unchanged, unrepresentable)"))
      << sql;
}

TEST(CurrentStateSql, WhatCannotBeToldIsRefused) {
  const auto code = [](int key_place) { return Field("code", 2, arrow::int32(), key_place); };
  const auto id = [](int key_place) { return Field("id", 1, arrow::int32(), key_place); };
  EXPECT_TRUE(Has(Sql({File("/1", {id(1), code(0)}), File("/2", {id(0), code(1)}, kIndex)}),
                  "refused: the key of the table has changed: column \"code\""));
  EXPECT_TRUE(Has(Sql({File("/1", {id(1)}), File("/2", {code(0)}, kNothing)}), "column \"id\""));
  // A key that became smaller, and one that only inserts stood before, can be told.
  EXPECT_FALSE(Has(Sql({File("/1", {id(1), code(2)}), File("/2", {id(1), code(0)})}), "refused"));
  EXPECT_FALSE(Has(Sql({File("/1", {id(0)}), File("/2", {id(1)})}), "refused"));
  EXPECT_TRUE(Has(Sql({File("/1", {id(0)}, kFull), File("/2", {id(0), code(0)}, kFull)}),
                  "column \"code\" was added later"));
  EXPECT_TRUE(Has(Sql({File("/1", {Field("v", 1, arrow::utf8())}, kFull), File("/2", {id(0)}, kFull)}),
                  "column \"id\" changed its type later"));
  EXPECT_FALSE(
      Has(Sql({File("/1", {id(0), code(0)}, kFull), File("/2", {Field("x", 1, arrow::int64())}, kFull)}),
          "refused"));
  // In a row: MariaDB 11.8 leaves generated columns out.
  const std::string incomplete = "does not carry all values of the old row";
  EXPECT_TRUE(Has(Sql({File("/1", {id(0), code(0)}, kFull)}), incomplete));
  EXPECT_FALSE(Has(Sql({File("/1", {id(1), code(0)})}), incomplete));
  const auto period = arrow::struct_({arrow::field("lower", arrow::int32())});
  EXPECT_TRUE(
      Has(Sql({File("/1", {Field("v", 1, arrow::utf8(), 1)}), File("/2", {Field("v", 1, period, 1)})}),
          "column \"v\" of the key was VARCHAR, which cannot be cast to STRUCT(\"lower\" INTEGER)"));
  EXPECT_TRUE(Has(Sql({File("/1", {})}), "refused: a table without columns"));
  EXPECT_TRUE(Has(Sql({File("/1", {arrow::field("id", arrow::int32())})}), "does not say which columns"));
}

// MySQL's columns have no numbers: a column of an older file is the one of its name.
TEST(CurrentStateSql, ColumnsWithoutNumbersGoByTheirNames) {
  const auto column = [](const char* name, int key_place) {
    auto metadata = arrow::key_value_metadata({"arrowcdc:mysql_type"}, {"int"});
    if (key_place > 0) metadata->Append("arrowcdc:key", std::to_string(key_place));
    return arrow::field(name, arrow::int32(), true, metadata);
  };
  const std::string sql =
      Sql({File("/1", {column("id", 1), column("old", 0), column("n", 0)}), File("/2", {}),
           File("/3", {column("n", 0), column("id", 1)}), File("/4", {})});
  EXPECT_FALSE(Has(sql, "refused")) << sql;
  EXPECT_TRUE(Has(sql, "AS file(c1, c2, c3, op")) << sql;
  EXPECT_TRUE(Has(sql, "AS file(c3, c1, op")) << sql;
  EXPECT_TRUE(Has(sql, "AS file(op")) << sql;
}

std::shared_ptr<arrow::DataType> Members(const std::vector<std::string>& names,
                                         const std::shared_ptr<arrow::DataType>& type) {
  arrow::FieldVector fields;
  for (const std::string& name : names) fields.push_back(arrow::field(name, type));
  return arrow::struct_(std::move(fields));
}

TEST(CastInDuckdb, KnowsWhatBecomesWhat) {
  const auto utc = arrow::timestamp(arrow::TimeUnit::MICRO, "UTC");
  const auto local = arrow::timestamp(arrow::TimeUnit::MICRO);
  struct Case {
    std::shared_ptr<arrow::DataType> from, to;
    std::string sql;  // empty: none
    bool exact;
  };
  const Case kCases[] = {
      {arrow::int32(), arrow::int32(), "v", true},
      {arrow::int32(), arrow::int64(), "TRY_CAST(v AS BIGINT)", true},
      {arrow::int64(), arrow::utf8(), "TRY_CAST(v AS VARCHAR)", true},
      {arrow::utf8(), arrow::int64(), "TRY_CAST(v AS BIGINT)", false},
      {arrow::decimal128(10, 2), arrow::decimal128(12, 4), "TRY_CAST(v AS DECIMAL(12, 4))", true},
      {arrow::decimal128(10, 2), arrow::decimal128(12, 1), "TRY_CAST(v AS DECIMAL(12, 1))", false},
      {arrow::float32(), arrow::float64(), "TRY_CAST(v AS DOUBLE)", true},
      {arrow::float64(), arrow::utf8(), "TRY_CAST(v AS VARCHAR)", false},
      {local, utc, "CAST(v AS TIMESTAMP) AT TIME ZONE 'UTC'", false},
      {utc, arrow::date32(), "CAST(v AT TIME ZONE 'UTC' AS DATE)", false},
      {arrow::list(arrow::int32()), arrow::list(arrow::int64()), "TRY_CAST(v AS BIGINT[])", true},
      {arrow::list(arrow::int32()), arrow::int32(), "", false},
      {Members({"a"}, arrow::int32()), Members({"a"}, arrow::int64()), "TRY_CAST(v AS STRUCT(\"a\" BIGINT))",
       true},
      {Members({"a"}, arrow::int32()), Members({"b", "a"}, arrow::int32()),
       "TRY_CAST(v AS STRUCT(\"b\" INTEGER, \"a\" INTEGER))", false},
      {Members({"a", "b"}, arrow::int32()), Members({"b"}, arrow::int32()),
       "TRY_CAST(v AS STRUCT(\"b\" INTEGER))", true},
      {arrow::list(Members({"a"}, arrow::int32())), arrow::list(Members({"a"}, arrow::utf8())),
       "TRY_CAST(v AS STRUCT(\"a\" VARCHAR)[])", true},
      {Members({"a"}, arrow::int32()), Members({"b"}, arrow::int32()), "", false},
      {Members({"a"}, local), Members({"a"}, utc), "", false},
      {arrow::utf8(), Members({"a"}, arrow::int32()), "", false},
      {arrow::fixed_size_list(arrow::float32(), 3), arrow::list(arrow::float32()), "v", true},
      {arrow::map(arrow::utf8(), arrow::utf8()), arrow::map(arrow::utf8(), arrow::utf8()), "v", true},
      {arrow::utf8(), arrow::map(arrow::utf8(), arrow::utf8()), "", false},
      {arrow::utf8(), arrow::binary(), "", false},
      {arrow::binary(), arrow::utf8(), "", false},
      {arrow::boolean(), arrow::int32(), "TRY_CAST(v AS INTEGER)", false},
      {arrow::date32(), arrow::boolean(), "", false}};
  for (const Case& one : kCases) {
    const auto cast = CastInDuckdb("v", *one.from, *one.to);
    const std::string what = one.from->ToString() + " to " + one.to->ToString();
    EXPECT_EQ(cast ? cast->sql : "", one.sql) << what;
    EXPECT_EQ(cast && cast->exact, one.exact) << what;
  }
}

}  // namespace
}  // namespace arrowcdc::test
