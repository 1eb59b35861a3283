// Recorded binlogs against what SELECT said of the same rows: every type, its limits and its nulls.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <arrow/util/decimal.h>
#include <gtest/gtest.h>

#include "src/mysql/decode/testing/binlog_file.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

template <typename Decimal>
std::string DecimalText(const uint8_t* bytes, int scale) {
  const Decimal value(bytes);
  std::string digits = Decimal(Decimal::Abs(value)).ToIntegerString();
  if (static_cast<int>(digits.size()) <= scale)
    digits.insert(0, static_cast<size_t>(scale + 1) - digits.size(), '0');
  if (scale > 0) digits.insert(digits.size() - static_cast<size_t>(scale), ".");
  return (value < Decimal(0) ? "-" : "") + digits;
}

std::string DurationText(int64_t value) {
  const int64_t size = value < 0 ? -value : value;
  char text[40];
  snprintf(text, sizeof(text), "%s%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%06" PRId64, value < 0 ? "-" : "",
           size / 3'600'000'000, size / 60'000'000 % 60, size / 1'000'000 % 60, size % 1'000'000);
  return text;
}

// Servers differ in where they take an exponent, so numbers are compared.
std::string FloatText(double value) {
  char text[40];
  snprintf(text, sizeof(text), "float %.17g", value);
  return text;
}

std::string VectorHex(const arrow::Array& values) {
  const auto& floats = static_cast<const arrow::FloatArray&>(values);
  return test::Hex(
      {reinterpret_cast<const char*>(floats.raw_values()), static_cast<size_t>(floats.length()) * 4});
}

// As the client of the database prints it.
std::string Text(const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return "NULL";
  using arrow::Type;
  switch (array.type_id()) {
    case Type::EXTENSION:
      return Text(*static_cast<const arrow::ExtensionArray&>(array).storage(), row);
    case Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case Type::BINARY:
      return test::Hex(static_cast<const arrow::BinaryArray&>(array).GetView(row));
    case Type::DECIMAL128: {
      const auto& decimals = static_cast<const arrow::Decimal128Array&>(array);
      return DecimalText<arrow::Decimal128>(decimals.GetValue(row),
                                            static_cast<const arrow::DecimalType&>(*array.type()).scale());
    }
    case Type::DECIMAL256: {
      const auto& decimals = static_cast<const arrow::Decimal256Array&>(array);
      return DecimalText<arrow::Decimal256>(decimals.GetValue(row),
                                            static_cast<const arrow::DecimalType&>(*array.type()).scale());
    }
    case Type::DURATION:
      return DurationText(static_cast<const arrow::DurationArray&>(array).Value(row));
    case Type::LIST:
      return VectorHex(*static_cast<const arrow::ListArray&>(array).value_slice(row));
    case Type::FLOAT:
      return FloatText(static_cast<const arrow::FloatArray&>(array).Value(row));
    case Type::DOUBLE:
      return FloatText(static_cast<const arrow::DoubleArray&>(array).Value(row));
    default: {
      std::string text = array.GetScalar(row).ValueOrDie()->ToString();
      if (text.ends_with("Z")) text.pop_back();
      return text;
    }
  }
}

// What the client writes for a tab, a line's end, a NUL and a backslash.
std::string Unescape(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      plain += text[i];
      continue;
    }
    const char c = text[++i];
    plain += c == 't' ? '\t' : c == 'n' ? '\n' : c == '0' ? '\0' : c;
  }
  return plain;
}

// What was selected, written as what it is compared with.
std::string Like(const std::string& decoded, const std::string& selected) {
  return decoded.starts_with("float ") ? FloatText(strtod(selected.c_str(), nullptr)) : selected;
}

using Rows = std::vector<std::vector<std::string>>;

std::map<std::string, Rows> ReadSelected(const std::string& name) {
  std::map<std::string, Rows> tables;
  std::ifstream file(ARROWCDC_RECORDED "/" + name + ".tsv");
  Rows* rows = nullptr;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("# ")) {
      rows = &tables[line.substr(2)];
      continue;
    }
    auto& cells = rows->emplace_back(1);
    for (const char c : line) {
      if (c == '\t') {
        cells.emplace_back();
      } else {
        cells.back() += c;
      }
    }
    for (auto& cell : cells) cell = Unescape(cell);
  }
  return tables;
}

class RecordedTypes : public ::testing::TestWithParam<const char*> {
 protected:
  Flavor flavor() const { return std::string(GetParam()) == "mysql" ? Flavor::kMysql : Flavor::kMariadb; }
  std::string name() const { return std::string(GetParam()) + "_types"; }
};

TEST_P(RecordedTypes, AreWhatSelectSays) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto decoder, RowDecoder::Make({.flavor = flavor()}));
  ARROWCDC_ASSERT_OK(test::Feed(test::ReadRecorded(name()), decoder.get()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder->Flush());
  std::map<std::string, Rows> decoded;
  for (const ChangeBatch& batch : batches) {
    ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    EXPECT_EQ(batch.rows->GetColumnByName("_unrepresentable")->null_count(), batch.rows->num_rows())
        << batch.table->name.table << batch.rows->GetColumnByName("_unrepresentable")->ToString();
    for (int64_t row = 0; row < batch.rows->num_rows(); ++row) {
      auto& cells = decoded[batch.table->name.table].emplace_back();
      for (int i = 0; i < batch.table->column_count; ++i) cells.push_back(Text(*batch.rows->column(i), row));
    }
  }
  const auto selected = ReadSelected(name());
  ASSERT_GE(selected.size(), 5u);
  for (const auto& [table, rows] : selected) {
    ASSERT_EQ(decoded[table].size(), rows.size()) << table;
    for (size_t row = 0; row < rows.size(); ++row) {
      ASSERT_EQ(decoded[table][row].size(), rows[row].size()) << table;
      for (size_t i = 0; i < rows[row].size(); ++i)
        EXPECT_EQ(decoded[table][row][i], Like(decoded[table][row][i], rows[row][i]))
            << table << " row " << row << " column " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Servers, RecordedTypes, ::testing::Values("mysql", "mariadb"));

}  // namespace
}  // namespace arrowcdc::mysql
