#include "cli/snapshot_progress.h"

#include <gtest/gtest.h>

namespace arrowcdc::cli {
namespace {

using std::chrono::seconds;

SnapshotProgress::Table Table(const std::string& name, int64_t bytes) {
  SnapshotProgress::Table table;
  table.name = {"public", name};
  table.bytes = bytes;
  table.part_count = 4;
  return table;
}

TEST(SnapshotProgress, SharesAreByBytes) {
  SnapshotProgress progress;
  EXPECT_EQ(CopiedShare(progress), 1);  // there is nothing to copy
  progress.tables = {Table("small", 99), Table("large", 299)};
  EXPECT_EQ(CopiedShare(progress), 0);
  progress.tables[0].complete = true;
  EXPECT_DOUBLE_EQ(CopiedShare(progress), 0.25);
  progress.tables[1].parts_done = 2;
  EXPECT_DOUBLE_EQ(CopiedShare(progress), 0.625);
  progress.tables[1].complete = true;
  EXPECT_EQ(CopiedShare(progress), 1);
}

// Statistics may be old: what is not complete is never 100 %.
TEST(SnapshotProgress, RowsTellWithinAPart) {
  SnapshotProgress progress;
  progress.tables = {Table("t", 1000)};
  progress.tables[0].rows_expected = 200;
  progress.tables[0].rows = 100;
  EXPECT_DOUBLE_EQ(CopiedShare(progress), 0.5);
  progress.tables[0].rows = 500;
  EXPECT_DOUBLE_EQ(CopiedShare(progress), 0.99);
}

// One of three tables is complete, one is half copied: 200 of 402 bytes, with one for the fact of a table.
SnapshotProgress HalfCopied() {
  SnapshotProgress progress;
  progress.tables = {Table("done", 100), Table("orders", 199), Table("waits", 100)};
  progress.tables[0].complete = true;
  progress.tables[0].rows = 7;
  progress.tables[1].rows = 5;
  progress.tables[1].parts_done = 2;
  return progress;
}

TEST(SnapshotProgress, AsALine) {
  const SnapshotProgress progress = HalfCopied();
  EXPECT_EQ(DescribeCopy(progress, {}), "1 of 3 tables, 12 rows, 50 %");
  EXPECT_EQ(DescribeCopy(progress, {1234.5, 0.05}), "1 of 3 tables, 12 rows, 50 %, 1234 rows/s, 10 s left");
  EXPECT_EQ(DescribeCopy(progress, {1234.5, 0.5 / 600}),
            "1 of 3 tables, 12 rows, 50 %, 1234 rows/s, 10 min left");
  EXPECT_EQ(DescribeCopy(progress, {1234.5, 0.5 / 10000}),
            "1 of 3 tables, 12 rows, 50 %, 1234 rows/s, 3 h left");
  EXPECT_EQ(ListCopied(progress), "public.orders 50 %");
}

TEST(SnapshotProgress, WhatTheServerKeeps) {
  EXPECT_EQ(DescribeHold({}), "0 B of log wait");
  SnapshotHold hold;
  hold.log_bytes = 3 << 29;
  hold.rows_for = seconds(30);
  EXPECT_EQ(DescribeHold(hold), "1.5 GiB of log wait, deleted rows are kept for 30 s");
  hold.lost_in = seconds(840);
  EXPECT_EQ(DescribeHold(hold),
            "1.5 GiB of log wait and are lost in about 14 min, deleted rows are kept for 30 s");
  hold.lost_in = seconds(0);
  EXPECT_EQ(DescribeHold(hold),
            "1.5 GiB of log wait and may be lost at any moment, deleted rows are kept for 30 s");
}

TEST(SnapshotProgress, ABarATableThatIsBeingCopied) {
  SnapshotProgress progress = HalfCopied();
  progress.tables[1].bytes = 3 << 20;
  std::vector<CopyRate> rates(3);
  std::vector<std::string> lines = DrawCopy(progress, rates, {});
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "[######------]  50 %  public.orders: 5 rows, 1.5 MiB of 3.0 MiB");
  EXPECT_EQ(lines[1], "copying: 1 of 3 tables, 12 rows, 50 %");
  EXPECT_EQ(lines[2], "0 B of log wait");
  rates[1] = {100, 0.25};
  lines = DrawCopy(progress, rates, {120, 0.125});
  EXPECT_EQ(lines[0],
            "[######------]  50 %  2 s left  public.orders: 100 rows/s, 5 rows, 1.5 MiB of 3.0 MiB");
  EXPECT_EQ(lines[1], "copying: 1 of 3 tables, 12 rows, 50 %, 120 rows/s, 4 s left");
}

TEST(SnapshotProgress, ManyTablesAreSummedUp) {
  SnapshotProgress progress;
  for (int i = 0; i < 8; ++i) {
    progress.tables.push_back(Table("t" + std::to_string(i), 100));
    progress.tables.back().rows = 10;
  }
  progress.tables[0].complete = true;
  const std::vector<std::string> lines = DrawCopy(progress, std::vector<CopyRate>(8), {});
  ASSERT_EQ(lines.size(), 8u);
  EXPECT_NE(lines[0].find("  0 %  public.t1:"), std::string::npos) << lines[0];
  EXPECT_NE(lines[4].find("public.t5:"), std::string::npos) << lines[4];
  EXPECT_EQ(lines[5], "and 2 more: 20 rows");
}

TEST(SnapshotProgress, KeptPartsCount) {
  SnapshotProgress progress;
  progress.tables = {Table("orders", 399)};
  progress.tables[0].parts_kept = progress.tables[0].parts_done = 2;
  EXPECT_EQ(DescribeCopy(progress, {}), "0 of 1 tables, 0 rows, 50 %");
  progress.tables[0].parts_done = 3;
  EXPECT_EQ(DescribeCopy(progress, {.rows_per_s = 0, .share_per_s = 0.025}),
            "0 of 1 tables, 0 rows, 75 %, 10 s left");
}

}  // namespace
}  // namespace arrowcdc::cli
