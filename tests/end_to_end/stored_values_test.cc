// What stands in a directory after the command has run, over text that is not UTF-8, columns that go, and
// names that change between two runs.
#include <algorithm>
#include <map>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>

#include "tests/end_to_end/client.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;

class StoredValuesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, PrivateServer::Create());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(sql_, server_->Connect());
    ARROWCDC_ASSERT_OK(
        sql_->Exec("CREATE CAST (bytea AS text) WITHOUT FUNCTION;"
                   "CREATE TABLE notes (id int PRIMARY KEY, gone text, note text, tags text[], n int);"
                   "ALTER TABLE notes ALTER note SET STORAGE EXTERNAL, ALTER gone SET STORAGE EXTERNAL"));
    ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  }

  // Runs the stream up to now; what it logged.
  string Stream(const string& sink, std::vector<string> more = {"--tables", "public.*"},
                const string& database = "postgres") {
    more.insert(more.end(), {"--sink", sink, "--until", "now", "--snapshot", "never"});
    auto child = Subprocess::Start(In(database, "stream", std::move(more)));
    EXPECT_TRUE(child.ok()) << child.status();
    if (!child.ok()) return "";
    const auto ended = (*child)->Wait(std::chrono::seconds(60));
    EXPECT_TRUE(ended.ok() && ended->ok()) << (*child)->error();
    output_ = (*child)->output();
    return (*child)->error();
  }

  SubprocessOptions In(const string& database, const string& subcommand, std::vector<string> arguments) {
    auto options = Command(*server_, subcommand, std::move(arguments));
    std::replace(options.argv.begin(), options.argv.end(), server_->conninfo(), server_->conninfo(database));
    return options;
  }

  string Parquet() const { return "parquet:" + (files_.path() / "d").string(); }

  // Each row of each file in order: "op(column=value, ...) unchanged [...] unrepresentable [...]".
  std::vector<string> Rows(const string& table) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(files_.path() / "d" / table)) {
      if (entry.path().extension() == ".parquet") paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<string> lines;
    for (const auto& path : paths) AppendRows(path, &lines);
    return lines;
  }

  static void AppendRows(const string& path, std::vector<string>* lines) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto file, arrow::io::ReadableFile::Open(path));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto reader,
                                  parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto table, reader->ReadTable());
    ARROWCDC_ASSERT_OK(table->ValidateFull());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, table->CombineChunksToBatch());
    for (const char* name : {"_unchanged", "_unrepresentable"}) {
      EXPECT_EQ(rows->GetColumnByName(name)->type()->ToString().substr(0, 5), "list<");
      EXPECT_EQ(rows->GetColumnByName(name)->type()->field(0)->type()->ToString(), "string");
    }
    for (int64_t row = 0; row < rows->num_rows(); ++row) {
      string line;
      for (int i = 0; i < rows->num_columns(); ++i) {
        const string& name = rows->schema()->field(i)->name();
        if (name[0] == '_') continue;
        line += (line.empty() ? "" : ", ") + name + "=" + Text(*rows->column(i), row);
      }
      line = Text(*rows->GetColumnByName("_op"), row) + "(" + line + ")";
      for (const char* name : {"_unchanged", "_unrepresentable"}) {
        const string list = Text(*rows->GetColumnByName(name), row);
        if (list != "null") line += " " + string(name) + list;
      }
      lines->push_back(line);
    }
  }

  static string Text(const arrow::Array& column, int64_t row) {
    if (column.IsNull(row)) return "null";
    if (column.type_id() == arrow::Type::LIST) {
      const auto& list = static_cast<const arrow::ListArray&>(column);
      string text;
      for (int64_t i = list.value_offset(row); i < list.value_offset(row + 1); ++i)
        text += (text.empty() ? "" : ",") + Text(*list.values(), i);
      return "[" + text + "]";
    }
    if (column.type_id() == arrow::Type::DICTIONARY) {
      const auto& codes = static_cast<const arrow::DictionaryArray&>(column);
      return Text(*codes.dictionary(), codes.GetValueIndex(row));
    }
    string text = column.GetScalar(row).ValueOrDie()->ToString();
    return text.size() > 60 ? std::to_string(text.size()) + " bytes" : text;
  }

  TemporaryDirectory files_;
  std::unique_ptr<PrivateServer> server_;
  std::unique_ptr<SqlConnection> sql_;
  string output_;
};

TEST_F(StoredValuesTest, TextThatIsNotUtf8StopsNothing) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO notes VALUES (1, 'a', '\\x436166e9'::bytea::text, ARRAY['t', "
                 "'\\xeda080'::bytea::text], 7),"
                 "(2, 'é', 'good', ARRAY['u', NULL], 8)"));
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE notes SET gone = '\\xc080'::bytea::text, n = 9 WHERE id = 2"));
  const string log = Stream(Parquet());
  EXPECT_EQ(Rows("public.notes"),
            (std::vector<string>{
                "insert(id=1, gone=a, note=null, tags=null, n=7) _unrepresentable[note,tags]",
                "insert(id=2, gone=é, note=good, tags=[u,null], n=8)",
                "update_after(id=2, gone=null, note=good, tags=[u,null], n=9) _unrepresentable[gone]"}));
  EXPECT_NE(log.find("\"unrepresentable_values\":3"), string::npos) << log;
  for (const char* column : {"gone", "note", "tags"}) {
    EXPECT_NE(log.find("\"column\":\"" + string(column) + "\""), string::npos) << column << log;
  }
}

TEST_F(StoredValuesTest, ConsoleNamesTheColumns) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO notes VALUES (1, 'a', '\\x436166e9'::bytea::text, NULL, 7)"));
  Stream("console:ndjson");
  EXPECT_NE(output_.find("\"_unrepresentable\":[\"note\"],\"id\":1"), string::npos) << output_;
}

// Text that is not UTF-8 at any depth of a value takes the whole of it.
TEST_F(StoredValuesTest, ValuesOfValues) {
  ARROWCDC_ASSERT_OK(
      sql_->Exec("CREATE TYPE pair AS (a int, b text); CREATE TYPE textrange AS RANGE (subtype = text);"
                 "CREATE TABLE nested (id int PRIMARY KEY, p pair, l pair[], r int4range, t textrange);"));
  ARROWCDC_ASSERT_OK(RunCommand(*server_, "setup", {"--tables", "public.*"}));
  ARROWCDC_ASSERT_OK(
      sql_->Exec("INSERT INTO nested VALUES (1, '(1,x)', '{\"(2,y)\",NULL}', '[1,5)', '[a,b)'),"
                 "(2, ROW(1, '\\xe9'::bytea::text), ARRAY[ROW(3, '\\x80'::bytea::text)::pair], 'empty',"
                 " textrange('a', 'b' || '\\xc3'::bytea::text))"));
  const string log = Stream("console:ndjson");
  EXPECT_NE(output_.find(R"("id":1,"p":{"a":1,"b":"x"},"l":[{"a":2,"b":"y"},null],)"
                         R"("r":{"lower":1,"upper":5,"lower_inc":true,"upper_inc":false,"empty":false},)"
                         R"("t":{"lower":"a","upper":"b","lower_inc":true,"upper_inc":false,"empty":false})"),
            string::npos)
      << output_;
  EXPECT_NE(
      output_.find(R"("_unrepresentable":["p","l","t"],"id":2,"p":null,"l":null,)"
                   R"("r":{"lower":null,"upper":null,"lower_inc":false,"upper_inc":false,"empty":true},)"
                   R"("t":null)"),
      string::npos)
      << output_;
}

// The names mean the same in every file, where positions would not.
TEST_F(StoredValuesTest, UnchangedMeansTheSameAfterAColumnIsDropped) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO notes VALUES (1, 'g', repeat('n', 5000), NULL, 1);"));
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE notes SET n = 2"));
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER TABLE notes DROP gone"));
  ARROWCDC_ASSERT_OK(sql_->Exec("UPDATE notes SET n = 3"));
  Stream(Parquet());
  EXPECT_EQ(Rows("public.notes"),
            (std::vector<string>{"insert(id=1, gone=g, note=5000 bytes, tags=null, n=1)",
                                 "update_after(id=1, gone=g, note=null, tags=null, n=2) _unchanged[note]",
                                 "update_after(id=1, note=null, tags=null, n=3) _unchanged[note]"}));
}

// Both sinks go on, and say once what is other.
TEST_F(StoredValuesTest, ADatabaseThatWasRenamed) {
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE DATABASE shop"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto shop, server_->Connect("shop"));
  ARROWCDC_ASSERT_OK(shop->Exec("CREATE TABLE t (id int PRIMARY KEY)"));
  const string ipc = "ipc:" + (files_.path() / "f.arrows").string();
  const std::map<string, string> sinks = {{"s1", Parquet()}, {"s2", ipc}};
  for (const auto& [slot, sink] : sinks) {
    const auto setup = In("shop", "setup", {"--slot", slot, "--tables", "public.*"});
    ARROWCDC_ASSERT_OK(RunProgram(setup, std::chrono::minutes(1)).status());
  }
  ARROWCDC_ASSERT_OK(shop->Exec("INSERT INTO t VALUES (1)"));
  for (const auto& [slot, sink] : sinks) {
    EXPECT_EQ(Stream(sink, {"--slot", slot}, "shop").find("the sink's rows came from"), string::npos);
  }
  shop.reset();
  ARROWCDC_ASSERT_OK(sql_->Exec("ALTER DATABASE shop RENAME TO store"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(shop, server_->Connect("store"));
  ARROWCDC_ASSERT_OK(shop->Exec("INSERT INTO t VALUES (2)"));
  for (const auto& [slot, sink] : sinks) {
    const string first = Stream(sink, {"--slot", slot}, "store");
    EXPECT_NE(first.find("the sink's rows came from database"), string::npos) << first;
    const string second = Stream(sink, {"--slot", slot}, "store");
    EXPECT_EQ(second.find("the sink's rows came from"), string::npos) << second;
  }
  EXPECT_EQ(Rows("public.t"), (std::vector<string>{"insert(id=1)", "insert(id=2)"}));
}

TEST_F(StoredValuesTest, OtherTablesThanBeforeAreSaid) {
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO notes VALUES (1)"));
  Stream(Parquet());
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO notes VALUES (2)"));
  const string patterns = Stream(Parquet(), {"--tables", "public.n*"});
  EXPECT_NE(patterns.find("came from tables public.*, and the stream is now of tables public.n*"),
            string::npos)
      << patterns;
  ARROWCDC_ASSERT_OK(sql_->Exec("CREATE PUBLICATION other FOR TABLE notes; INSERT INTO notes VALUES (3)"));
  const string publications = Stream(Parquet(), {"--tables", "public.n*", "--publication", "other"});
  EXPECT_NE(publications.find("came from publications arrowcdc, and the stream is now of publications other"),
            string::npos)
      << publications;
  // The table's name comes back.
  ARROWCDC_ASSERT_OK(sql_->Exec(
      "DROP TABLE notes; CREATE TABLE notes (id int PRIMARY KEY); ALTER PUBLICATION other ADD TABLE notes;"
      "INSERT INTO notes VALUES (4)"));
  const string relations = Stream(Parquet(), {"--tables", "public.n*", "--publication", "other"});
  EXPECT_NE(relations.find("the name belongs to another table than before"), string::npos) << relations;
  EXPECT_NE(relations.find("\"object\":\"table public.notes\""), string::npos) << relations;
  ARROWCDC_ASSERT_OK(sql_->Exec("INSERT INTO notes VALUES (5)"));
  const string quiet = Stream(Parquet(), {"--tables", "public.n*", "--publication", "other"});
  EXPECT_EQ(quiet.find("another table than before"), string::npos) << quiet;
  EXPECT_EQ(quiet.find("came from"), string::npos) << quiet;
  EXPECT_EQ(Rows("public.notes").size(), 5u);
}

}  // namespace
}  // namespace arrowcdc::test
