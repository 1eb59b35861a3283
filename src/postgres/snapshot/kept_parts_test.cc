#include "src/postgres/snapshot/kept_parts.h"

#include <functional>

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

const SeenTransactions kNow{.lowest = 5000, .next = 6000};

CopyTable Partitioned() {
  CopyTable table;
  table.oid = 100;
  table.name = {"public", "t"};
  table.columns.resize(2);
  table.columns[0].attnum = 1;
  table.columns[0].attribute.type = 23;
  table.columns[0].key_place = 1;
  table.columns[1].attnum = 2;
  table.columns[1].attribute.type = 25;
  table.sql_names = {"id", "note"};
  table.publishes_all = true;
  table.version = "740 16400/739";
  table.leaves.resize(2);
  table.leaves[0] = {.oid = 101, .name = {"public", "t_1"}, .blocks = 1000, .file_number = 201};
  table.leaves[1] = {.oid = 102, .name = {"public", "t_2"}, .blocks = 1000, .file_number = 202};
  table.leaves[0].version = table.leaves[1].version = "741";
  return table;
}

SnapshotPart PartAt(uint64_t order, const std::string& range, const std::string& seen = "1000:1010:1002") {
  SnapshotPart part;
  part.table = {"public", "t"};
  part.table_id = 100;
  part.point = {1, order};
  part.seen = seen;
  part.layout = LayoutOf(Partitioned());
  part.range = range;
  return part;
}

std::optional<uint64_t> Keep(const std::vector<SnapshotPart>& parts, CopyTable table = Partitioned()) {
  const auto point = KeepRanges(parts, kNow, &table);
  EXPECT_EQ(point.has_value(), !table.kept.empty());
  return point.has_value() ? std::optional(point->order) : std::nullopt;
}

TEST(KeptParts, EachRangeIsAsItsLastPointSawIt) {
  CopyTable table = Partitioned();
  const auto point = KeepRanges({PartAt(300, "102 7 end", "3000:3001:"), PartAt(200, "101 5 9", "2000:2001:"),
                                 PartAt(300, "101 0 5", "3000:3001:"), PartAt(200, "101 0 5", "2000:2001:")},
                                kNow, &table);
  EXPECT_EQ(point, (Position{1, 200}));
  ASSERT_EQ(table.kept.size(), 3u);
  EXPECT_EQ(table.kept[0].leaf, 0);
  EXPECT_EQ(table.kept[0].first_block, 0u);
  EXPECT_EQ(table.kept[0].end_block, 5u);
  EXPECT_EQ(table.kept[0].seen, "3000:3001:");
  EXPECT_EQ(table.kept[1].first_block, 5u);
  EXPECT_EQ(table.kept[1].seen, "2000:2001:");
  EXPECT_EQ(table.kept[2].leaf, 1);
  EXPECT_EQ(table.kept[2].first_block, 7u);
  EXPECT_FALSE(table.kept[2].end_block.has_value());
}

TEST(KeptParts, RangesComeBackAsTheyWereWritten) {
  const CopyTable table = Partitioned();
  const CopyPart range{.leaf = 1, .whole = false, .first_block = 3, .end_block = 4294967295};
  EXPECT_EQ(RangeText(table, range), "102 3 4294967295");
  EXPECT_EQ(RangeText(table, {.leaf = 0}), "101 0 end");
  EXPECT_EQ(Keep({PartAt(200, RangeText(table, range)), PartAt(200, RangeText(table, {.leaf = 0}))}), 200u);
}

TEST(KeptParts, WhatCannotBeUnderstoodDoesNotCount) {
  for (const char* range : {"", "101", "101 0", "101 0 ", "101 0 0", "101 5 4", "101 0 5 ", "101 0 endx",
                            "103 0 5", " 101 0 5", "101 -1 5", "101 0 4294967296"})
    EXPECT_FALSE(Keep({PartAt(200, range)}).has_value()) << range;
  for (const char* seen : {"", "1000", "1000:", "1000:1010", "1000:1010:1002')", "a:b:"})
    EXPECT_FALSE(Keep({PartAt(200, "101 0 5", seen)}).has_value()) << seen;
  EXPECT_FALSE(Keep({}).has_value());
  EXPECT_FALSE(Keep({PartAt(200, "101 0 5"), PartAt(200, "101 4 9")}).has_value()) << "overlap";
  EXPECT_FALSE(Keep({PartAt(200, "101 0 end"), PartAt(200, "101 4 9")}).has_value()) << "overlap";
}

TEST(KeptParts, TransactionsAsTheyCanBeReadBack) {
  const auto plain = ParseSeen("1000:1010:1002,1003");
  ASSERT_TRUE(plain.has_value());
  EXPECT_EQ(plain->lowest, 1000u);
  EXPECT_EQ(plain->next, 1010u);
  EXPECT_EQ(plain->text, "1000:1010:1002,1003");
  // 7430 has ended without a commit.
  const auto crossed = ParseSeen("7431:7430:");
  ASSERT_TRUE(crossed.has_value());
  EXPECT_EQ(crossed->lowest, 7431u);
  EXPECT_EQ(crossed->next, 7431u);
  EXPECT_EQ(crossed->text, "7431:7431:");
}

// Beyond 2^31 transactions nobody knows whether a row is older than the first point.
TEST(KeptParts, OldOnesDoNotCount) {
  CopyTable table = Partitioned();
  const SnapshotPart part = PartAt(200, "101 0 5", "1000:1010:");
  EXPECT_TRUE(KeepRanges({part}, {0, 2147484647}, &table).has_value());
  EXPECT_FALSE(KeepRanges({part}, {0, 2147484648}, &table).has_value());
  EXPECT_FALSE(KeepRanges({part}, {0, 1009}, &table).has_value()) << "of a later server";
}

TEST(KeptParts, OnlyOfTablesWhoseChangesNameTheirRows) {
  const std::function<void(CopyTable&)> changes[] = {
      [](CopyTable& table) { table.columns[0].key_place = 0; },
      [](CopyTable& table) { table.replica_identity = ReplicaIdentity::kFull; },
      [](CopyTable& table) { table.replica_identity = ReplicaIdentity::kIndex; },
      [](CopyTable& table) { table.replica_identity = ReplicaIdentity::kNothing; },
      [](CopyTable& table) { table.leaves[1].replica_identity = ReplicaIdentity::kFull; },
      [](CopyTable& table) { table.publishes_all = false; },
      [](CopyTable& table) { table.leaves[1].by_block = false; },
      [](CopyTable& table) { table.leaves.clear(); },
  };
  EXPECT_TRUE(MayKeepParts(Partitioned()));
  for (size_t i = 0; i < std::size(changes); ++i) {
    CopyTable table = Partitioned();
    changes[i](table);
    EXPECT_FALSE(MayKeepParts(table)) << i;
    SnapshotPart part = PartAt(200, "101 0 5");
    part.layout = LayoutOf(table);
    EXPECT_FALSE(Keep({part}, table).has_value()) << i;
  }
  CopyTable plain = Partitioned();
  plain.leaves.resize(1);
  plain.leaves[0].oid = plain.oid;
  plain.replica_identity = plain.leaves[0].replica_identity = ReplicaIdentity::kIndex;
  EXPECT_TRUE(MayKeepParts(plain));
}

TEST(KeptParts, NotOfATableThatWasAnotherThen) {
  const std::function<void(CopyTable&)> changes[] = {
      [](CopyTable& table) { table.oid = 99; },
      [](CopyTable& table) { table.version = "740 16400/800"; },
      [](CopyTable& table) { table.filter = "id > 3"; },
      [](CopyTable& table) { table.sql_names[1] = "text"; },
      [](CopyTable& table) { table.columns[1].attnum = 3; },
      [](CopyTable& table) { table.columns[1].attribute.type = 1043; },
      [](CopyTable& table) { table.columns[1].attribute.typmod = 14; },
      [](CopyTable& table) { table.columns[1].key_place = 2; },
      [](CopyTable& table) {
        table.columns.pop_back();
        table.sql_names.pop_back();
      },
      [](CopyTable& table) { table.leaves[1].file_number = 203; },
      [](CopyTable& table) { table.leaves[1].version = "742"; },
      [](CopyTable& table) { table.leaves.pop_back(); },
      [](CopyTable& table) { table.leaves.push_back(table.leaves[1]); },
  };
  ASSERT_EQ(Keep({PartAt(200, "101 0 5")}), 200u);
  for (size_t i = 0; i < std::size(changes); ++i) {
    CopyTable table = Partitioned();
    changes[i](table);
    EXPECT_FALSE(Keep({PartAt(200, "101 0 5")}, table).has_value()) << i;
  }
}

}  // namespace
}  // namespace arrowcdc::postgres
