// Types and values as cases: what the plugin makes of a value, against Arrow's JSON reader.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/extension_type.h>
#include <arrow/json/from_string.h>

#include "arrowcdc/change_rows.h"
#include "plugin/testing/test_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {

// What stands for a value without an Arrow form.
inline constexpr const char* kNoForm = "!";

struct Value {
  std::string literal;  // SQL, without the cast
  std::string json;     // as Arrow's JSON reader takes it, or kNoForm
};

struct TypeCase {
  std::string sql;
  std::shared_ptr<arrow::DataType> type;
  std::vector<Value> values;
};

inline std::shared_ptr<arrow::ArrayData> WithoutExtensions(const std::shared_ptr<arrow::ArrayData>& data) {
  auto out = data->Copy();
  if (data->type->id() == arrow::Type::EXTENSION) {
    out->type = static_cast<const arrow::ExtensionType&>(*data->type).storage_type();
  }
  if (out->type->id() != arrow::Type::LIST && out->type->id() != arrow::Type::STRUCT) return out;
  arrow::FieldVector fields;
  for (size_t i = 0; i < out->child_data.size(); ++i) {
    out->child_data[i] = WithoutExtensions(out->child_data[i]);
    fields.push_back(arrow::field(out->type->field(static_cast<int>(i))->name(), out->child_data[i]->type));
  }
  out->type = out->type->id() == arrow::Type::LIST ? arrow::list(fields[0]) : arrow::struct_(fields);
  return out;
}

class TypeTest : public PluginTest {
 protected:
  // One table with a column per case, one row per value and a row of nulls; every cell is compared.
  void Check(const std::vector<TypeCase>& cases, const std::string& ddl = "",
             const std::string& settings = "") {
    std::string columns;
    size_t rows = 0;
    for (size_t i = 0; i < cases.size(); ++i) {
      columns += (i ? ", c" : "c") + std::to_string(i) + " " + cases[i].sql;
      rows = std::max(rows, cases[i].values.size());
    }
    ASSERT_NO_FATAL_FAILURE(
        Prepare(ddl + "CREATE TABLE t (" + columns + "); CREATE PUBLICATION p FOR TABLE t"));
    std::string sql = settings + "BEGIN;";
    for (size_t row = 0; row < kRepeats * (rows + 1); ++row) {
      const size_t place = row % (rows + 1);
      sql += "INSERT INTO t VALUES (";
      for (size_t i = 0; i < cases.size(); ++i) {
        const auto& values = cases[i].values;
        sql +=
            (i ? ", " : "") + (place < values.size() ? values[place].literal + "::" + cases[i].sql : "NULL");
      }
      sql += ");";
    }
    ASSERT_NO_FATAL_FAILURE(Sql(sql + "COMMIT"));

    for (const std::string compression : {"none", "lz4", "zstd"}) {
      SCOPED_TRACE(compression);
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const auto events, Peek({{"compression", compression}, {"batch_bytes", std::to_string(16 << 20)}}));
      ASSERT_EQ(events.size(), 1u);
      const auto& batch = std::get<ChangeBatch>(events[0]);
      ASSERT_EQ(batch.rows->num_rows(), static_cast<int64_t>(kRepeats * (rows + 1)));
      for (size_t i = 0; i < cases.size(); ++i) {
        CheckColumn(cases[i], batch, static_cast<int>(i), static_cast<int64_t>(rows) + 1);
      }
    }
  }

 private:
  // So often all rows are written: enough for every column to be worth compressing.
  static constexpr size_t kRepeats = 30;

  // The column has the case's values, filled up with nulls to `period` and over again.
  void CheckColumn(const TypeCase& expected, const ChangeBatch& batch, int index, int64_t period) {
    SCOPED_TRACE(expected.sql);
    const auto column = arrow::MakeArray(WithoutExtensions(batch.rows->column_data(index)));
    ASSERT_TRUE(column->type()->Equals(*expected.type)) << column->type()->ToString();
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
    std::string json = "[";
    for (int64_t row = 0; row < column->length(); ++row) {
      const size_t place = static_cast<size_t>(row % period);
      const std::string value = place < expected.values.size() ? expected.values[place].json : "null";
      json += (row ? ", " : "") + (value == kNoForm ? "null" : value);
      EXPECT_EQ(changes.IsUnrepresentable(row, index), value == kNoForm) << "row " << row;
    }
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted,
                                  arrow::json::ArrayFromJSONString(expected.type, json + "]"));
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
    EXPECT_TRUE(wanted->Equals(*column, options))
        << "wanted " << wanted->ToString() << "\ngot " << column->ToString();
  }
};

}  // namespace arrowcdc::test
