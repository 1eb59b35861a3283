#include "src/postgres/snapshot/snapshot_plan.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::postgres {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kPartBytes = 128 * kMiB;

CopyTable TableOf(const std::string& name, std::vector<LeafInfo> leaves) {
  CopyTable table;
  table.oid = 1;
  table.name = {"public", name};
  table.columns.resize(2);
  table.sql_names = {"id", "No\"te"};
  table.leaves = std::move(leaves);
  return table;
}

LeafInfo Leaf(const std::string& name, int64_t blocks, int64_t bytes) {
  LeafInfo leaf;
  leaf.name = {"public", name};
  leaf.blocks = blocks;
  leaf.bytes = bytes;
  return leaf;
}

TEST(SnapshotPlan, SmallTablesAreReadWhole) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const auto parts,
      PlanParts({TableOf("a", {Leaf("a", 0, 0)}), TableOf("b", {Leaf("b", 30000, 2 * kPartBytes - 1)})},
                kPartBytes));
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].whole && parts[1].whole);
}

// Every block of every leaf is in exactly one part, and the last part of a leaf has no end.
TEST(SnapshotPlan, PartsCoverEveryBlockOnce) {
  for (const int64_t blocks : {2, 3, 7, 1000, 12345}) {
    for (const int64_t bytes : {2 * kPartBytes, 5 * kPartBytes, 333 * kMiB, 40'000 * kMiB}) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(
          const auto parts,
          PlanParts({TableOf("a", {Leaf("a", 0, 0), Leaf("b", blocks, bytes)})}, kPartBytes));
      uint32_t next = 0;
      for (size_t i = 1; i < parts.size(); ++i) {
        EXPECT_EQ(parts[i].leaf, 1);
        EXPECT_FALSE(parts[i].whole);
        EXPECT_EQ(parts[i].first_block, next);
        const bool last = i + 1 == parts.size();
        ASSERT_EQ(parts[i].end_block.has_value(), !last);
        if (!last) {
          EXPECT_GT(*parts[i].end_block, next);
          next = *parts[i].end_block;
        }
      }
      EXPECT_GE(parts.size(), 3u) << blocks << " blocks, " << bytes << " bytes";
      EXPECT_LT(next, blocks);
    }
  }
}

// What the rows have in the TOAST table counts: a table of few blocks may be a large one.
TEST(SnapshotPlan, WideRowsMakeParts) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto parts,
                                PlanParts({TableOf("a", {Leaf("a", 100, 10 * kPartBytes)})}, kPartBytes));
  EXPECT_EQ(parts.size(), 10u);
}

TEST(SnapshotPlan, OtherAccessMethodsAreNotCut) {
  LeafInfo leaf = Leaf("a", 100'000, 10 * kPartBytes);
  leaf.by_block = false;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto parts, PlanParts({TableOf("a", {leaf})}, kPartBytes));
  ASSERT_EQ(parts.size(), 1u);
  EXPECT_TRUE(parts[0].whole);
}

TEST(SnapshotPlan, LargeTablesBegin) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto parts, PlanParts({TableOf("a", {Leaf("a", 1, 1)}),
                                                             TableOf("b", {Leaf("b", 9, 3 * kPartBytes)}),
                                                             TableOf("c", {Leaf("c", 1, 2)})},
                                                            kPartBytes));
  ASSERT_EQ(parts.size(), 5u);
  EXPECT_EQ(parts[0].table, 1u);
  EXPECT_EQ(parts[3].table, 2u);
  EXPECT_EQ(parts[4].table, 0u);
}

TEST(SnapshotPlan, MoreLeavesThanARowCanTell) {
  const auto parts =
      PlanParts({TableOf("many", std::vector<LeafInfo>(65'537, Leaf("leaf", 1, 8192)))}, kPartBytes);
  ASSERT_FALSE(parts.ok());
  EXPECT_EQ(GetErrorDetail(parts.status())->object(), "table public.many");
}

TEST(SnapshotPlan, PlacesOfRows) {
  EXPECT_EQ(FirstPlace({}), 1u);
  EXPECT_EQ(FirstPlace({.leaf = 5, .first_block = 65'536}), 0x0005'0001'0000'0001u);
  EXPECT_EQ(FirstPlace({.leaf = 65'535, .first_block = 4'294'967'295}), 0xffff'ffff'ffff'0001u);
}

TEST(SnapshotPlan, Commands) {
  CopyTable table = TableOf("t", {Leaf("t", 1, 1), Leaf("Leaf", 1, 1)});
  EXPECT_EQ(CopyCommand(table, {}, {false, false}, 0).ValueOrDie(),
            R"(COPY "public"."t" ("id", "No""te") TO STDOUT (FORMAT binary))");
  table.generated = true;  // which COPY does not take by name
  EXPECT_EQ(CopyCommand(table, {}, {false, false}, 0).ValueOrDie(),
            R"(COPY (SELECT "id", "No""te" FROM ONLY "public"."t") TO STDOUT (FORMAT binary))");
  table.filter = "(id > 3) OR (id IS NULL)";
  CopyPart part{.table = 0, .leaf = 1, .whole = false, .first_block = 5, .end_block = 9};
  EXPECT_EQ(CopyCommand(table, part, {false, true}, 0).ValueOrDie(),
            R"(COPY (SELECT "id", CASE WHEN pg_catalog.num_nulls("No""te") = 0 THEN )"
            R"(pg_catalog.format('%s', "No""te") END FROM ONLY "public"."Leaf" WHERE ctid >= )"
            R"('(5,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid AND ((id > 3) OR (id IS NULL))) )"
            R"(TO STDOUT (FORMAT binary))");
  // In the third epoch; a number from 1000 on is of the second.
  part.seen = "8589934000:8589934610:8589934600";
  EXPECT_EQ(CopyCommand(table, part, {false, false}, 8589935592).ValueOrDie(),
            R"(COPY (SELECT "id", "No""te" FROM ONLY "public"."Leaf" WHERE ctid >= )"
            R"('(5,0)'::pg_catalog.tid AND ctid < '(9,0)'::pg_catalog.tid AND xmin <> '1'::pg_catalog.xid )"
            R"(AND xmin <> '2'::pg_catalog.xid AND NOT pg_catalog.pg_visible_in_snapshot((GREATEST()"
            R"(8589935591 - ((8589935591 - xmin::pg_catalog.text::pg_catalog.int8) & 4294967295), )"
            R"(0))::pg_catalog.text::pg_catalog.xid8, '8589934000:8589934610:8589934600')"
            R"(::pg_catalog.pg_snapshot) AND ((id > 3) OR (id IS NULL))) TO STDOUT (FORMAT binary))");
}

// "first-end" or "first-", in order.
std::string RangesOf(const std::vector<CopyPart>& parts, bool kept) {
  std::string text;
  for (const CopyPart& part : parts) {
    if (part.seen.empty() == kept) continue;
    text += (text.empty() ? "" : " ") + std::to_string(part.leaf) + ":" + std::to_string(part.first_block) +
            "-" + (part.end_block.has_value() ? std::to_string(*part.end_block) : "");
    EXPECT_EQ(part.whole, part.first_block == 0 && !part.end_block.has_value());
  }
  return text;
}

TEST(SnapshotPlan, WhatIsKeptIsLookedThroughBehindTheRest) {
  CopyTable table = TableOf("a", {Leaf("a", 1000, 10 * kPartBytes), Leaf("b", 5, 1)});
  const auto plan = [&](std::vector<KeptRange> kept) {
    table.kept = std::move(kept);
    return PlanParts({table}, kPartBytes).ValueOrDie();
  };
  auto parts = plan({{0, 0, 100, "1:2:"}, {0, 300, 400, "3:4:"}});
  EXPECT_EQ(RangesOf(parts, false),
            "0:100-200 0:200-300 0:400-500 0:500-600 0:600-700 0:700-800 0:800-900 0:900- 1:0-");
  EXPECT_EQ(RangesOf(parts, true), "0:0-100 0:300-400");
  ASSERT_EQ(parts.size(), 11u);
  EXPECT_EQ(parts[9].seen, "1:2:");
  EXPECT_EQ(parts[10].seen, "3:4:");

  parts = plan({{0, 250, std::nullopt, "1:2:"}, {1, 0, std::nullopt, "1:2:"}});
  EXPECT_EQ(RangesOf(parts, false), "0:0-100 0:100-200 0:200-250");
  EXPECT_EQ(RangesOf(parts, true), "0:250- 1:0-");

  // The table has shrunk, and may grow again.
  parts = plan({{0, 0, 900, "1:2:"}, {0, 2000, 2050, "1:2:"}});
  EXPECT_EQ(RangesOf(parts, false),
            "0:900-1000 0:1000-1100 0:1100-1200 0:1200-1300 0:1300-1400 0:1400-1500 0:1500-1600 0:1600-1700 "
            "0:1700-1800 0:1800-1900 0:1900-2000 0:2050- 1:0-");
}

}  // namespace
}  // namespace arrowcdc::postgres
