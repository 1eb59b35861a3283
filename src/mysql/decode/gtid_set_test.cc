// Texts as gtid_executed, gtid_binlog_state and the manuals have them.
#include "src/mysql/decode/gtid_set.h"

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

constexpr char kA[] = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
constexpr char kB[] = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

std::string Again(const std::string& text) {
  const auto set = GtidSet::Parse(text);
  return set.ok() ? set->ToString() : set.status().ToString();
}

Gtid Make(const std::string& uuid, int64_t number, const std::string& tag = "") {
  return {{*ParseUuid(uuid), tag}, number};
}

TEST(GtidSet, TextsOfTheServer) {
  EXPECT_EQ(Again(""), "");
  EXPECT_EQ(Again(std::string(kA) + ":1-5"), std::string(kA) + ":1-5");
  EXPECT_EQ(Again(std::string(kA) + ":1-3:11:47-49"), std::string(kA) + ":1-3:11:47-49");
  // As gtid_executed breaks its lines, in the order of the UUIDs.
  EXPECT_EQ(Again(std::string(kB) + ":7,\n" + kA + ":1-2"), std::string(kA) + ":1-2," + kB + ":7");
  // Intervals that touch are one; upper case is none of the server's.
  EXPECT_EQ(Again("3E11FA47-71CA-11E1-9E33-C80AA9429562:4-5:1-3"), std::string(kA) + ":1-5");
  // A tag holds for what follows it.
  EXPECT_EQ(Again(std::string(kA) + ":1-3:15-21:tag_1:1-40:Tag_2:7"),
            std::string(kA) + ":1-3:15-21:tag_1:1-40:tag_2:7");
  // 5-4 holds nothing.
  EXPECT_EQ(Again(std::string(kA) + ":5-4"), "");
}

TEST(GtidSet, NoSets) {
  for (const char* text :
       {"x", "3e11fa47:1", "3e11fa47-71ca-11e1-9e33-c80aa9429562:0",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-2-3", "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-x",
        "3e11fa47-71ca-11e1-9e33-c80aa9429562:9223372036854775807",
        "3e11fa47-71ca-11e1-9e33-c80aa94295622:1"}) {
    EXPECT_FALSE(GtidSet::Parse(text).ok()) << text;
  }
}

TEST(GtidSet, AddsAndRemoves) {
  GtidSet set;
  for (const int64_t number : {1, 2, 4, 3, 10}) set.Add(Make(kA, number));
  EXPECT_EQ(set.ToString(), std::string(kA) + ":1-4:10");
  set.Add(Make(kA, 2));
  set.Add(Make(kA, 1, "t"));
  EXPECT_EQ(set.ToString(), std::string(kA) + ":1-4:10:t:1");
  set.Remove(Make(kA, 2));
  set.Remove(Make(kA, 10));
  set.Remove(Make(kA, 1, "t"));
  set.Remove(Make(kB, 1));
  EXPECT_EQ(set.ToString(), std::string(kA) + ":1:3-4");
}

TEST(GtidSet, Contains) {
  const GtidSet set = *GtidSet::Parse(std::string(kA) + ":1-5:8," + kB + ":1");
  EXPECT_TRUE(set.Contains(Make(kA, 8)));
  EXPECT_FALSE(set.Contains(Make(kA, 7)));
  EXPECT_FALSE(set.Contains(Make(kA, 1, "t")));
  EXPECT_TRUE(set.Contains(*GtidSet::Parse(std::string(kA) + ":2-5")));
  EXPECT_FALSE(set.Contains(*GtidSet::Parse(std::string(kA) + ":2-8")));
  EXPECT_TRUE(set.Contains(GtidSet()));
  EXPECT_FALSE(GtidSet().Contains(set));
}

// One source, one interval [1, 6): as a replica of MySQL sends it.
TEST(GtidSet, Encoded) {
  const GtidSet set = *GtidSet::Parse(std::string(kA) + ":1-5");
  const std::string uuid = "\x3e\x11\xfa\x47\x71\xca\x11\xe1\x9e\x33\xc8\x0a\xa9\x42\x95\x62";
  const auto number = [](char n) { return std::string(1, n) + std::string(7, '\0'); };
  EXPECT_EQ(set.Encode(), number(1) + uuid + number(1) + number(1) + number(6));
}

TEST(GtidState, LastOfEachDomain) {
  auto state = *GtidState::Parse(Flavor::kMariadb, "0-1-5,7-2-9");
  state.Add(*ParseTransactionId("0-3-6"));
  EXPECT_EQ(state.ToString(), "0-3-6,7-2-9");
  EXPECT_FALSE(GtidState::Parse(Flavor::kMariadb, "0-1").ok());
}

TEST(TransactionId, BothFamilies) {
  for (const std::string& text :
       {std::string(), std::string("0-1-5"), std::string(kA) + ":5", std::string(kA) + ":tag:5"}) {
    const auto id = ParseTransactionId(text);
    ARROWCDC_ASSERT_OK(id);
    EXPECT_EQ(ToString(*id), text);
  }
}

}  // namespace
}  // namespace arrowcdc::mysql
