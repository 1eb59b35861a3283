// What a publication's comment tells about slots, in good form and in bad.
#include "src/postgres/setup/slot_note.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

const std::string kTwo =
    "made by arrowcdc setup {\"slots\": [{\"slot\": \"cdc\", \"system\": \"77\", \"lsn\": \"1A/B0\", "
    "\"tables\": [\"public.*\", \"!public.x\"]}, {\"slot\": \"cdc2\", \"system\": \"77\", \"lsn\": null, "
    "\"tables\": null}]}";

TEST(SlotNote, SeveralSlots) {
  const auto notes = ParseNotes(kTwo);
  ASSERT_EQ(notes.size(), 2u);
  EXPECT_EQ(notes[0].slot, "cdc");
  EXPECT_EQ(notes[0].system, "77");
  EXPECT_EQ(notes[0].begins, 0x1A000000B0u);
  EXPECT_EQ(notes[0].tables, (std::vector<std::string>{"public.*", "!public.x"}));
  EXPECT_EQ(notes[1].slot, "cdc2");
  EXPECT_FALSE(notes[1].begins.has_value());
  EXPECT_FALSE(notes[1].tables.has_value());
  EXPECT_FALSE(HasUnknownNote(kTwo));
}

TEST(SlotNote, WhatCannotBeReadCountsForNothing) {
  EXPECT_TRUE(ParseNotes("").empty());
  EXPECT_TRUE(ParseNotes("made by arrowcdc setup").empty());
  EXPECT_FALSE(HasUnknownNote("made by arrowcdc setup"));
  EXPECT_FALSE(HasUnknownNote("mine"));
  EXPECT_FALSE(HasUnknownNote("made by arrowcdc setup {\"slots\": []}"));
  EXPECT_FALSE(HasUnknownNote("made by arrowcdc setup {\"slots\": null}"));
  for (const char* rest : {"; slot cdc begins at 1A/B0", " {\"slots\": 1}", " {\"slots\": [", " []", " 7",
                           " {\"version\": 9}", " \xff"}) {
    EXPECT_TRUE(HasUnknownNote(kMadeBySetup + std::string(rest))) << rest;
    EXPECT_TRUE(ParseNotes(kMadeBySetup + std::string(rest)).empty()) << rest;
  }
  // Single entries that are not as they should be.
  EXPECT_EQ(
      ParseNotes("made by arrowcdc setup {\"slots\": [1, {}, {\"slot\": 3, \"system\": \"1\"}, {\"slot\": "
                 "\"s\", \"system\": \"1\", \"lsn\": \"x\", \"tables\": [1]}]}")
          .size(),
      1u);
}

TEST(SlotNote, CountsOnThisServerAndNotBeyondTheSlot) {
  const auto notes = ParseNotes(kTwo);
  EXPECT_TRUE(FindNote(notes, "cdc", "77", 0x1A000000B0u).has_value());
  EXPECT_TRUE(FindNote(notes, "cdc", "77", ~0ull).has_value());
  EXPECT_FALSE(FindNote(notes, "cdc", "77", 0x1A000000AFu).has_value());  // of a cluster that was further
  EXPECT_FALSE(FindNote(notes, "cdc", "78", ~0ull).has_value());          // of another cluster
  EXPECT_FALSE(FindNote(notes, "cd", "77", ~0ull).has_value());
  EXPECT_TRUE(FindNote(notes, "cdc2", "77", 0).has_value());
}

TEST(SlotNote, PatternsAreASet) {
  EXPECT_EQ(NormalPatterns({" public.b", "public.a ", "public.b", ""}),
            (std::vector<std::string>{"public.a", "public.b"}));
  EXPECT_TRUE(NormalPatterns({"*.*"}).empty());
  EXPECT_EQ(NormalPatterns({"*.*", "!public.x"}), (std::vector<std::string>{"!public.x", "*.*"}));
}

TEST(SlotNote, PatternsOfAnySizeAreLeftOut) {
  const auto sql = NoteSql("cdc", "cdc", NoteChange::kSlotMade, std::vector<std::string>(1000, "public.abc"));
  EXPECT_NE(sql->find("public.abc"), std::string::npos);  // one of them, as a set
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i) many.push_back("public.t" + std::to_string(i));
  EXPECT_EQ(NoteSql("cdc", "cdc", NoteChange::kSlotMade, many)->find("public.t"), std::string::npos);
}

TEST(SlotNote, RefusalNamesBothAndKeepsEverything) {
  const arrow::Status status = OtherTables("cdc", {"public.users"}, {"public.orders"});
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kPositionGap);
  EXPECT_NE(status.message().find("set up for public.users, not for public.orders"), std::string::npos);
  EXPECT_EQ(GetErrorDetail(status)->remedy().find("use a slot of your own"), 0u);
  EXPECT_NE(GetErrorDetail(status)->remedy().find("--accept-tables"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
