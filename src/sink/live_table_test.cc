// What a terminal is sent, compared with text written by hand.
#include "src/sink/live_table.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <sstream>

#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "src/sink/display_text.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

std::shared_ptr<arrow::Array> Texts(const std::string& json) {
  return arrow::json::ArrayFromJSONString(arrow::utf8(), json).ValueOrDie();
}

ChangeBatch Rows(const std::string& table, const std::vector<int64_t>& ids, const std::string& texts,
                 Op op = Op::kInsert) {
  const auto schema =
      MakeTable({"public", table}, {arrow::field("id", arrow::int64()), arrow::field("text", arrow::utf8())});
  std::vector<RowMeta> rows;
  for (size_t i = 0; i < ids.size(); ++i) rows.push_back({{0x10, i, 0}, op, {}});
  return MakeBatch(schema, rows, {Ids(ids), Texts(texts)});
}

class LiveTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
  LiveTable Make(bool colour) {
    return LiveTable({.colour = colour, .columns = [this] { return columns_; }});
  }
  static std::string Shown(LiveTable& table, const ChangeBatch& batch) {
    std::string out;
    ARROWCDC_EXPECT_OK(table.Append(batch, &out));
    return out;
  }
  // Every line of what is sent to a terminal of so many columns.
  void ExpectFits(const std::string& text) const {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(DisplayWidth(line), columns_) << line;
  }

  size_t columns_ = 80;
};

TEST_F(LiveTableTest, RowsGoOnBelowOneHeader) {
  LiveTable table = Make(false);
  EXPECT_EQ(Shown(table, Rows("t", {1}, R"(["one"])")),
            "\n"
            "public.t\n"
            "  time          op      id  text\n"
            "  22:13:20.000  insert  1   one\n");
  EXPECT_EQ(Shown(table, Rows("t", {2}, R"([null])")), "  22:13:20.000  insert  2   null\n");
  EXPECT_EQ(Shown(table, Rows("u", {2}, R"(["x"])", Op::kDelete)),
            "\n"
            "public.u\n"
            "  time          op      id  text\n"
            "  22:13:20.000  delete  2   x\n");
  // What is wider than all before is not cut for that.
  EXPECT_EQ(Shown(table, Rows("u", {333}, R"(["x"])", Op::kUpdateAfter)),
            "\n"
            "public.u\n"
            "  time          op            id   text\n"
            "  22:13:20.000  update_after  333  x\n");
}

TEST_F(LiveTableTest, ColoursEndWhereTheyBegan) {
  LiveTable table = Make(true);
  EXPECT_EQ(Shown(table, Rows("t", {1}, R"([null])", Op::kDelete)),
            "\n"
            "\033[1mpublic.t\033[0m\n"
            "  \033[1mtime\033[0m          \033[1mop\033[0m      \033[1mid\033[0m  \033[1mtext\033[0m\n"
            "  \033[2m22:13:20.000\033[0m  \033[31mdelete\033[0m  1   \033[2mnull\033[0m\n");
}

TEST_F(LiveTableTest, WideCharactersStayInTheirColumns) {
  LiveTable table = Make(false);
  EXPECT_EQ(Shown(table, Rows("日本", {1, 2}, R"(["日本語", "abc"])")),
            "\n"
            "public.\"日本\"\n"
            "  time          op      id  text\n"
            "  22:13:20.000  insert  1   日本語\n"
            "  22:13:20.000  insert  2   abc\n");
}

TEST_F(LiveTableTest, WhatDoesNotFitIsCut) {
  columns_ = 40;
  LiveTable table = Make(false);
  const std::string cut = Shown(table, Rows("t", {1}, R"(["0123456789abcdefghijklmnopqrstuvwxyz"])"));
  EXPECT_EQ(cut,
            "\n"
            "public.t\n"
            "  time          op      id  text\n"
            "  22:13:20.000  insert  1   0123456789a…\n");
  ExpectFits(cut);
  columns_ = 34;
  EXPECT_EQ(Shown(table, Rows("t", {1}, R"(["0123456789abcdefghijklmnopqrstuvwxyz"])")),
            "\n"
            "public.t\n"
            "  time       op      id  text\n"
            "  22:13:20…  insert  1   01234567…\n");
}

TEST_F(LiveTableTest, NoLineIsWiderThanTheTerminal) {
  arrow::FieldVector fields;
  arrow::ArrayVector columns;
  for (int i = 0; i < 100; ++i) {
    fields.push_back(arrow::field("column_日本_" + std::to_string(i), arrow::utf8()));
    columns.push_back(Texts(R"(["日本語日本語日本語日本語"])"));
  }
  const auto schema = MakeTable({"public", std::string(60, 'n')}, fields);
  const ChangeBatch batch = MakeBatch(schema, {{{0x10, 1, 0}}}, columns);
  for (columns_ = 10; columns_ < 200; ++columns_) {
    LiveTable table = Make(false);
    const std::string text = Shown(table, batch);
    ExpectFits(text);
    EXPECT_NE(text.find(" …\n"), std::string::npos) << "says that more columns follow";
  }
}

TEST_F(LiveTableTest, ATerminalThatBecomesNarrowerIsHeeded) {
  LiveTable table = Make(false);
  const ChangeBatch batch = Rows("t", {1}, R"(["0123456789abcdefghijklmnopqrstuvwxyz"])");
  (void)Shown(table, batch);
  columns_ = 30;
  const std::string text = Shown(table, batch);
  ExpectFits(text);
  EXPECT_NE(text.find("public.t\n"), std::string::npos);
}

TEST_F(LiveTableTest, NamesAndValuesDoNotSteerTheTerminal) {
  const auto schema = MakeTable({"pub\033lic", "t\n"}, {arrow::field("i\033[2Jd", arrow::utf8())});
  LiveTable table = Make(false);
  const std::string text =
      Shown(table, MakeBatch(schema, {{{0x10, 1, 0}}}, {Texts(R"(["\u001b]0;x\u0007\u009b\u202e"])")}));
  for (const char* sign : {"\033", "\a", "\u009b", "\u202e"}) EXPECT_EQ(text.find(sign), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4);
}

}  // namespace
}  // namespace arrowcdc::test
