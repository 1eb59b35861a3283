// What options and encodings make of values, by both plugins.
#include <arrow/array.h>
#include <arrow/extension_type.h>
#include <arrow/scalar.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "tests/end_to_end/read_slot.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::test {
namespace {

using std::string;
using Strings = std::vector<string>;

constexpr const char* kPlugins[] = {"wal2arrow", "pgoutput"};

string CellText(const arrow::Array& column, int64_t row) {
  if (column.IsNull(row)) return "null";
  if (column.type_id() == arrow::Type::EXTENSION) {
    return CellText(*static_cast<const arrow::ExtensionArray&>(column).storage(), row);
  }
  return column.GetScalar(row).ValueOrDie()->ToString();
}

class ValueOptionsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = PrivateServer::Create().ValueOrDie(); }
  static void TearDownTestSuite() { server_.reset(); }

  // A database of its own with table t, a slot of each plugin and publication p.
  void Prepare(const string& columns, const string& encoding = "UTF8") {
    static int number = 0;
    name_ = "values_" + std::to_string(++number);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto admin, server_->Connect());
    ARROWCDC_ASSERT_OK(admin->Exec("CREATE DATABASE " + name_ + " ENCODING '" + encoding +
                                   "' LOCALE 'C' TEMPLATE template0"));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect(name_));
    ARROWCDC_ASSERT_OK(sql_->Exec("SET client_encoding = '" + encoding + "'"));
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE TABLE t (id int PRIMARY KEY, " + columns + "); CREATE PUBLICATION p FOR TABLE t"));
    for (const string plugin : kPlugins) {
      ARROWCDC_ASSERT_OK(sql_->Query("SELECT pg_create_logical_replication_slot('" + name_ + "_" + plugin +
                                     "', '" + plugin + "')"));
    }
  }
  void TearDown() override {
    for (const string plugin : kPlugins) {
      ARROWCDC_EXPECT_OK(sql_->Query("SELECT pg_drop_replication_slot('" + name_ + "_" + plugin + "')"));
    }
  }

  PostgresOptions Options(const string& plugin) const {
    PostgresOptions options;
    options.conninfo = server_->conninfo(name_);
    options.slot = name_ + "_" + plugin;
    options.publications = {"p"};
    options.plugin = OutputPlugin::kAuto;
    return options;
  }

  // The types of t's columns behind id, then a line a row: cells, ! where one has no Arrow form.
  static arrow::Result<Strings> Read(const PostgresOptions& options) {
    Strings lines;
    ARROW_RETURN_NOT_OK(ReadSlot(options, [&](const ChangeBatch& batch) {
      const ChangeRows rows = ChangeRows::Make(*batch.table, *batch.rows).ValueOrDie();
      string types;
      for (int i = 1; i < batch.table->column_count; ++i)
        types += batch.rows->column(i)->type()->ToString() + " ";
      if (lines.empty()) lines.push_back(types);
      for (int64_t row = 0; row < rows.num_rows(); ++row) {
        string line = CellText(*batch.rows->column(0), row);
        for (int i = 1; i < batch.table->column_count; ++i) {
          const string cell = CellText(*batch.rows->column(i), row);
          line += " | " + (rows.IsUnrepresentable(row, i) ? "!" : cell);
        }
        lines.push_back(line);
      }
    }));
    return lines;
  }

  static std::unique_ptr<PrivateServer> server_;
  string name_;
  std::unique_ptr<SqlConnection> sql_;
};

std::unique_ptr<PrivateServer> ValueOptionsTest::server_;

TEST_F(ValueOptionsTest, NumericWithoutAPrecision) {
  ASSERT_NO_FATAL_FAILURE(Prepare("n numeric, a numeric[], p numeric(10,2)"));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO t VALUES (1, '1.50', '{1.5,NULL}', 1), (2, 'NaN', '{}', 2), (3, '1e400', NULL, 3),"
      "(4, '-123456.7894', '{Infinity}', 4), (5, '99999.999', NULL, 5)"));
  const std::map<string, Strings> wanted = {
      {"text",
       {"string list<item: string> decimal128(10, 2) ", "1 | 1.50 | list<item: string>[1.5, null] | 1.00",
        "2 | NaN | list<item: string>[] | 2.00", "3 | 1" + string(400, '0') + " | null | 3.00",
        "4 | -123456.7894 | list<item: string>[Infinity] | 4.00", "5 | 99999.999 | null | 5.00"}},
      {"double",
       {"double list<item: double> decimal128(10, 2) ", "1 | 1.5 | list<item: double>[1.5, null] | 1.00",
        "2 | nan | list<item: double>[] | 2.00", "3 | ! | null | 3.00",
        "4 | -123456.7894 | list<item: double>[inf] | 4.00", "5 | 99999.999 | null | 5.00"}},
      {"decimal(8,3)",
       {"decimal128(8, 3) list<item: decimal128(8, 3)> decimal128(10, 2) ",
        "1 | 1.500 | list<item: decimal128(8, 3)>[1.500, null] | 1.00",
        "2 | ! | list<item: decimal128(8, 3)>[] | 2.00", "3 | ! | null | 3.00", "4 | ! | ! | 4.00",
        "5 | 99999.999 | null | 5.00"}},
  };
  for (const string plugin : kPlugins) {
    for (const auto& [numeric, lines] : wanted) {
      SCOPED_TRACE(plugin + " " + numeric);
      PostgresOptions options = Options(plugin);
      options.numeric = numeric;
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings got, Read(options));
      EXPECT_EQ(got, lines);
    }
  }
  PostgresOptions wrong = Options("wal2arrow");
  wrong.numeric = "decimal(77,0)";
  EXPECT_EQ(KindOf(MakePostgresSource(wrong).status()), ErrorKind::kInvalidOption);
}

TEST_F(ValueOptionsTest, ValuesWithoutAnArrowForm) {
  ASSERT_NO_FATAL_FAILURE(Prepare("r daterange, i int[], s text, x regclass"));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO t VALUES (1, '[1970-01-02,1970-01-03)', '{1}', 'fine', NULL),"
      "(2, '[1970-01-02,infinity)', '{{1},{2}}', 'secret', 't'), (3, '(,)', '[0:0]={7}', NULL, 'pg_class')"));
  for (const string plugin : kPlugins) {
    SCOPED_TRACE(plugin);
    PostgresOptions options = Options(plugin);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings as_null, Read(options));
    ASSERT_EQ(as_null.size(), 4u);
    EXPECT_EQ(as_null[2].substr(0, 18), "2 | ! | ! | secret");

    options.unrepresentable = Unrepresentable::kText;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings as_text, Read(options));
    EXPECT_EQ(as_text,
              (Strings{"string string string string ", "1 | [1970-01-02,1970-01-03) | {1} | fine | null",
                       "2 | [1970-01-02,infinity) | {{1},{2}} | secret | public.t",
                       "3 | (,) | [0:0]={7} | null | pg_class"}));

    options.unrepresentable = Unrepresentable::kError;
    const arrow::Status refused = Read(options).status();
    const ErrorDetail* const detail = GetErrorDetail(refused);
    ASSERT_NE(detail, nullptr) << refused.ToString();
    EXPECT_EQ(detail->kind(), ErrorKind::kUnsupported) << refused.ToString();
    EXPECT_FALSE(detail->retryable());
    EXPECT_EQ(detail->object(), "column r of table public.t");
    EXPECT_EQ(refused.ToString().find("secret"), string::npos) << refused.ToString();
    // The server is none the worse for it.
    options.unrepresentable = Unrepresentable::kNull;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings again, Read(options));
    EXPECT_EQ(again, as_null);
  }
}

struct Encoded {
  const char* encoding;
  string bytes;
  string utf8;
};

TEST_F(ValueOptionsTest, DatabasesInOtherEncodings) {
  for (const Encoded& one : {Encoded{"LATIN1", "h\xe9", "hé"}, Encoded{"EUC_JP", "\xb4\xc1\xbb\xfa", "漢字"},
                             Encoded{"SQL_ASCII", "h\xc3\xa9", "hé"}}) {
    SCOPED_TRACE(one.encoding);
    ASSERT_NO_FATAL_FAILURE(Prepare("a text, c varchar, n name, j jsonb, l text[], x xml", one.encoding));
    const string text = "'" + one.bytes + "'";
    ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (1, " + text + ", " + text + ", " + text +
                                  ", jsonb_build_object('k', " + text + "::text), ARRAY[" + text +
                                  ", NULL], NULL), (2, 'plain', NULL, NULL, NULL, NULL, NULL)"));
    for (const string plugin : kPlugins) {
      SCOPED_TRACE(plugin);
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings lines, Read(Options(plugin)));
      ASSERT_EQ(lines.size(), 3u);
      EXPECT_EQ(lines[1], "1 | " + one.utf8 + " | " + one.utf8 + " | " + one.utf8 + " | {\"k\": \"" +
                              one.utf8 + "\"} | list<item: string>[" + one.utf8 + ", null] | null");
      EXPECT_EQ(lines[2], "2 | plain | null | null | null | null | null");
    }
    if (string(one.encoding) != "SQL_ASCII") TearDown();
  }
}

// In an SQL_ASCII database any bytes can be text, also in names.
TEST_F(ValueOptionsTest, BytesThatAreNoText) {
  ASSERT_NO_FATAL_FAILURE(Prepare("a text, \"n\xe9\" text, l text[], j json", "SQL_ASCII"));
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "INSERT INTO t VALUES (1, 'h\xe9', 'x', '{a,\xe9}', '\"\xe9\"'), (2, 'x', '\xff', '{a}', '1')"));
  for (const string plugin : kPlugins) {
    SCOPED_TRACE(plugin);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings lines, Read(Options(plugin)));
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_EQ(lines[1], "1 | ! | x | ! | !");
    EXPECT_EQ(lines[2], "2 | x | ! | list<item: string>[a] | 1");
  }
}

// 0xa9a1 is a character of EUC_JP's user area, which has no place in Unicode: the plugin marks the value, for
// pgoutput the server raises an error at every start.
TEST_F(ValueOptionsTest, CharactersThatUnicodeDoesNotHave) {
  ASSERT_NO_FATAL_FAILURE(Prepare("a text", "EUC_JP"));
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO t VALUES (1, 'before'); INSERT INTO t VALUES (2, '\xa9\xa1')"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Strings lines, Read(Options("wal2arrow")));
  EXPECT_EQ(lines, (Strings{"string ", "1 | before", "2 | !"}));
  const arrow::Status ended = Read(Options("pgoutput")).status();
  EXPECT_EQ(KindOf(ended), ErrorKind::kUnsupported) << ended.ToString();
  ASSERT_NE(GetErrorDetail(ended), nullptr);
  EXPECT_NE(GetErrorDetail(ended)->remedy().find("wal2arrow"), string::npos) << ended.ToString();
}

}  // namespace
}  // namespace arrowcdc::test
