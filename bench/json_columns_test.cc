#include "bench/json_columns.h"

#include <string>

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc::bench {
namespace {

std::string Columns(const std::string& id, const std::string& note) {
  return R"json([{"name":"id","type":"bigint","value":)json" + id +
         R"json(},{"name":"account_id","type":"integer","value":7},{"name":"amount","type":"numeric(12,2)","value":-12.5},)json"
         R"({"name":"price","type":"double precision","value":0.25},{"name":"is_active","type":"boolean","value":true},)"
         R"({"name":"created_at","type":"timestamp with time zone","value":"2026-01-01 00:00:01.5+00"},)"
         R"({"name":"name","type":"text","value":null},{"name":"note","type":"text","value":")" +
         note + R"("}])";
}

std::string Message(char action, const std::string& rows) {
  return std::string(R"({"action":")") + action + R"(","schema":"public","table":"narrow",)" + rows + "}";
}

TEST(JsonColumnsTest, CountsChangesAndBuildsEveryColumn) {
  JsonColumns columns(*FindTable("narrow"));
  EXPECT_EQ(columns.Append(R"({"action":"B"})").ValueOr('?'), 'B');
  for (int i = 0; i < 20'000; ++i) {
    const std::string row =
        Columns(std::to_string(i), std::string(static_cast<size_t>(i % 300), 'x') + "\\\"");
    ARROWCDC_ASSERT_OK(columns.Append(Message('I', "\"columns\":" + row)));
  }
  ARROWCDC_ASSERT_OK(columns.Append(
      Message('U', "\"columns\":" + Columns("1", "n") + ",\"identity\":" + Columns("1", "o"))));
  ARROWCDC_ASSERT_OK(columns.Append(Message('D', "\"identity\":" + Columns("1", "o"))));
  EXPECT_EQ(columns.Append(R"({"action":"C"})").ValueOr('?'), 'C');
  ARROWCDC_ASSERT_OK(columns.Flush());
  EXPECT_EQ(columns.changes(), 20'002);
}

// The same columns in format 1.
std::string Values(const std::string& id, const std::string& note) {
  return "[" + id + R"json(,7,-12.5,0.25,true,"2026-01-01 00:00:01.5+00",null,")json" + note + "\"]";
}

std::string Change(const std::string& kind, const std::string& rows) {
  return R"({"kind":")" + kind + R"(","schema":"public","table":"narrow",)" + rows + "}";
}

TEST(JsonColumnsTest, ReadsWholeTransactionsOfFormat1) {
  JsonColumns columns(*FindTable("narrow"));
  const std::string old = R"("oldkeys":{"keynames":[],"keyvalues":)" + Values("1", "o") + "}";
  std::string changes;
  for (int i = 0; i < 9'000; ++i) {
    changes +=
        Change("insert", R"("columnnames":[],"columnvalues":)" + Values(std::to_string(i), "n\\\"")) + ",";
  }
  changes += Change("update", R"("columnnames":[],"columnvalues":)" + Values("1", "n") + "," + old) + ",";
  changes += Change("delete", old);
  ARROWCDC_ASSERT_OK(columns.AppendTransaction("{\"change\":[" + changes + "]}"));
  ARROWCDC_ASSERT_OK(columns.AppendTransaction(R"({"change":[]})"));
  ARROWCDC_ASSERT_OK(columns.Flush());
  EXPECT_EQ(columns.changes(), 9'002);
}

TEST(JsonColumnsTest, RefusesTransactionsThatItCannotRead) {
  for (const std::string& message :
       {std::string("{"), std::string("{}"),
        R"({"change":[)" + Change("insert", R"("columnvalues":[1])") + "]}",
        R"({"change":[)" + Change("insert", R"("oldkeys":{})") + "]}",
        R"({"change":[)" + Change("delete", R"("columnvalues":)" + Values("1", "n")) + "]}"}) {
    JsonColumns columns(*FindTable("narrow"));
    EXPECT_FALSE(columns.AppendTransaction(message).ok()) << message;
  }
}

TEST(JsonColumnsTest, RefusesWhatItCannotRead) {
  for (const char* message : {"", "{", "[]", R"({"action":"I"})", R"({"action":"I","columns":[]})",
                              R"({"action":"I","columns":[{"name":"other","value":1}]})"}) {
    JsonColumns columns(*FindTable("narrow"));
    EXPECT_FALSE(columns.Append(message).ok()) << message;
  }
  JsonColumns columns(*FindTable("narrow"));
  EXPECT_FALSE(columns.Append(Message('I', "\"columns\":" + Columns("\"text\"", "n"))).ok());
}

}  // namespace
}  // namespace arrowcdc::bench
