// What comes of a group that has a value without an Arrow form, and when the error does.
#include "src/postgres/stream/representable_front.h"

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::postgres {
namespace {

using test::Ids;
using test::MakeBatch;
using test::MakeTable;
using test::RowMeta;

// Rows of a table: a commit each; that of `bad` has no form.
ChangeBatch Batch(const std::string& table, const std::vector<uint64_t>& commits, uint64_t bad,
                  const GroupState& group = {}) {
  std::vector<RowMeta> rows;
  for (const uint64_t commit : commits) {
    rows.push_back({{commit, commit - 1, 0}});
    if (commit == bad) rows.back().unrepresentable = {"id"};
  }
  ChangeBatch batch = MakeBatch(MakeTable({"s", table}, {arrow::field("id", arrow::int64())}), rows,
                                {Ids(std::vector<int64_t>(rows.size(), 42))});
  batch.group = group;
  return batch;
}

// Of what is delivered: "t 10 20", with "." where it ends a group; else "-", or "error s.t".
std::string Taken(RepresentableFront& front, Event event) {
  const auto taken = front.Take(std::move(event));
  const ErrorDetail* const detail = GetErrorDetail(taken.status());
  if (detail != nullptr) return "error " + detail->object();
  if (!taken.ok()) return taken.status().ToString();
  if (!taken->has_value()) return "-";
  if (std::holds_alternative<TruncateEvent>(**taken)) return "truncate";
  const auto* const batch = std::get_if<ChangeBatch>(&**taken);
  if (batch == nullptr) return "other";
  std::string text = batch->table->name.table;
  const ChangeRows rows = ChangeRows::Make(*batch->table, *batch->rows).ValueOrDie();
  for (int64_t row = 0; row < rows.num_rows(); ++row) text += " " + std::to_string(rows.commit_lsn(row));
  return text + (batch->group.group_end ? "." : "");
}

constexpr uint64_t kNone = 0;
const GroupState kEnd{.safe = Position{1, 100}, .group_end = true};

TEST(RepresentableFront, WithoutSuchValuesAllPasses) {
  RepresentableFront front;
  EXPECT_EQ(Taken(front, Batch("t", {10, 20}, kNone)), "t 10 20");
  EXPECT_EQ(Taken(front, Batch("t", {30}, kNone, kEnd)), "t 30.");
  EXPECT_EQ(Taken(front, ProgressEvent{kEnd}), "other");
  ARROWCDC_EXPECT_OK(front.ended());
}

TEST(RepresentableFront, WhatCommittedBeforeComesOfAllTables) {
  RepresentableFront front;
  EXPECT_EQ(Taken(front, Batch("a", {10, 20, 20, 30, 40}, 30)), "a 10 20 20");
  EXPECT_EQ(Taken(front, Batch("b", {20, 30}, kNone)), "b 20");
  EXPECT_EQ(Taken(front, Batch("c", {30, 40}, kNone)), "-");
  EXPECT_EQ(Taken(front, KeepaliveEvent{}), "other");
  EXPECT_EQ(Taken(front, ProgressEvent{}), "other");
  ARROWCDC_EXPECT_OK(front.ended());
  EXPECT_EQ(Taken(front, Batch("d", {10, 50}, kNone, kEnd)), "d 10") << "the group does not end";
  EXPECT_FALSE(front.ended().ok());
}

TEST(RepresentableFront, TheFirstOfSeveralCounts) {
  RepresentableFront front;
  EXPECT_EQ(Taken(front, Batch("a", {10, 30}, 30)), "a 10");
  EXPECT_EQ(Taken(front, Batch("b", {10, 20}, 20)), "b 10");
  EXPECT_EQ(Taken(front, Batch("c", {10, 20}, kNone)), "c 10");
  EXPECT_EQ(Taken(front, ProgressEvent{kEnd}), "error column id of table s.b");
}

TEST(RepresentableFront, NothingInFront) {
  RepresentableFront front;
  EXPECT_EQ(Taken(front, Batch("a", {10, 20}, 10, kEnd)), "error column id of table s.a");
  RepresentableFront pieces;
  EXPECT_EQ(Taken(pieces, Batch("a", {10}, 10)), "-");
  EXPECT_EQ(Taken(pieces, Batch("b", {10}, kNone)), "-");
  EXPECT_EQ(Taken(pieces, Batch("a", {10}, kNone)), "error column id of table s.a") << "the second piece";
}

TEST(RepresentableFront, Truncates) {
  const auto table = MakeTable({"s", "t"}, {arrow::field("id", arrow::int64())});
  RepresentableFront front;
  EXPECT_EQ(Taken(front, Batch("a", {10, 30}, 30)), "a 10");
  EXPECT_EQ(Taken(front, TruncateEvent{.tables = {table}, .commit_lsn = 20}), "truncate");
  EXPECT_EQ(Taken(front, TruncateEvent{.tables = {table}, .commit_lsn = 30}), "error column id of table s.a");
}

}  // namespace
}  // namespace arrowcdc::postgres
