// Logical messages: what a frame of one says, and what of it is refused.
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/postgres/decode/wal2arrow/testing/session.h"

namespace arrowcdc {
namespace {

using format::FrameKind;
using format::TransactionEntry;
using test::DecodeAll;
using test::FrameFactory;
using test::Json;
using test::kEpoch;
using test::With;

ChangeBatch BatchOf(const arrow::Result<std::optional<Event>>& event) {
  EXPECT_TRUE(event.ok() && event->has_value()) << event.status();
  return event.ok() && event->has_value() ? std::get<ChangeBatch>(**event) : ChangeBatch();
}

// In a transaction, with every byte that content may have; then one of none.
TEST(LogicalMessages, OfATransactionAndOfNone) {
  FrameFactory make;
  Wal2arrowDecoder decoder(arrow::default_memory_pool(), kEpoch);
  ASSERT_TRUE(DecodeAll({make.Hello()}, &decoder).ok());
  const auto decode = [&](uint16_t flags, uint64_t safe_lsn, const std::string& frame) {
    return BatchOf(DecodeAll({With(With(frame, 4, flags, 2), 16, safe_lsn, 8)}, &decoder));
  };
  const std::string content("\0\xff\n", 3);
  ChangeBatch batch =
      decode(format::kFlagTxnIncomplete, 0,
             make.LogicalMessage({901, 1, 0, 7, 0}, "caf\xc3\xa9 1", content, {{950, 77, 5, 0}}));
  ASSERT_NE(batch.rows, nullptr);
  ASSERT_TRUE(batch.rows->ValidateFull().ok());
  EXPECT_EQ(batch.table, MessagesTable());
  ASSERT_EQ(batch.rows->num_rows(), 1);
  EXPECT_TRUE(batch.rows->column(0)->Equals(*Json(arrow::utf8(), "[\"caf\u00e9 1\"]")));
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*batch.rows->column(1)).GetString(0), content);
  EXPECT_TRUE(batch.rows->column(2)->Equals(*Json(arrow::boolean(), "[true]")));
  auto changes = ChangeRows::Make(*batch.table, *batch.rows);
  ASSERT_TRUE(changes.ok()) << changes.status();
  EXPECT_EQ(changes->position(0), (RowPosition{950, 900, 0}));
  EXPECT_EQ(changes->xid(0), 5u);
  EXPECT_EQ(changes->commit_ts(0), 77);
  EXPECT_FALSE(batch.group.group_end);
  EXPECT_TRUE(batch.group.txn_incomplete);

  batch = decode(format::kFlagGroupEnd, 1001, make.LogicalMessage({1001, 0, 0, 0, 0}, "", ""));
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_TRUE(batch.rows->column(0)->Equals(*Json(arrow::utf8(), "[\"\"]")));
  EXPECT_TRUE(batch.rows->column(1)->Equals(*Json(arrow::binary(), "[\"\"]")));
  EXPECT_TRUE(batch.rows->column(2)->Equals(*Json(arrow::boolean(), "[false]")));
  changes = ChangeRows::Make(*batch.table, *batch.rows);
  EXPECT_EQ(changes->position(0), (RowPosition{1000, 1000, 0}));
  EXPECT_FALSE(changes->xid(0).has_value() || changes->commit_ts(0).has_value());
  EXPECT_TRUE(batch.group.group_end);
  EXPECT_EQ(batch.group.safe, (Position{kEpoch, 1001}));

  batch = decode(format::kFlagGroupEnd, 1101, make.LogicalMessage({1101, 0, 1, 0, 0}, "", "x"));
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_TRUE(batch.rows->column(0)->IsNull(0));
  EXPECT_TRUE(ChangeRows::Make(*batch.table, *batch.rows)->IsUnrepresentable(0, 0));
}

TEST(LogicalMessages, InParts) {
  FrameFactory make;
  std::string content;
  for (int i = 0; i < 1000; ++i) content += static_cast<char>(i);
  std::vector<std::string> frames = {make.Hello()};
  make.flags = format::kFlagGroupEnd;
  make.safe_lsn = 1001;
  const auto parts = make.Split(make.LogicalMessage({1001, 0, 0, 1, 0}, "p", content), 300);
  ASSERT_GT(parts.size(), 2u);
  frames.insert(frames.end(), parts.begin(), parts.end());
  const ChangeBatch batch = BatchOf(DecodeAll(frames));
  ASSERT_NE(batch.rows, nullptr);
  EXPECT_TRUE(batch.rows->column(0)->Equals(*Json(arrow::utf8(), "[\"p\"]")));
  EXPECT_EQ(static_cast<const arrow::BinaryArray&>(*batch.rows->column(1)).GetString(0), content);
  EXPECT_TRUE(batch.group.group_end);
}

TEST(LogicalMessages, OutsideTheProtocol) {
  const auto refused = [](uint16_t flags, const format::MessageSection& section, const std::string& prefix,
                          const std::vector<TransactionEntry>& transactions, const std::string& text) {
    FrameFactory make;
    std::vector<std::string> frames = {make.Hello()};
    make.flags = flags;
    make.safe_lsn = 1001;
    frames.push_back(make.LogicalMessage(section, prefix, "content", transactions));
    const arrow::Status status = DecodeAll(frames).status();
    EXPECT_NE(status.message().find(text), std::string::npos) << status << ", wanted: " << text;
    ASSERT_NE(GetErrorDetail(status), nullptr) << status;
    EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kProtocol);
  };
  const TransactionEntry one = {1100, 77, 5, 0};
  refused(0, {1001, 2, 0, 0, 0}, "", {one}, "neither of one transaction nor of none");
  refused(0, {1001, 1, 0, 0, 0}, "", {}, "neither of one transaction nor of none");
  refused(0, {1001, 1, 0, 0, 0}, "", {one, one}, "neither of one transaction nor of none");
  refused(format::kFlagGroupEnd, {1001, 0, 0, 0, 0}, "", {one}, "neither of one transaction nor of none");
  refused(0, {1001, 0, 0, 0, 0}, "", {}, "no group of its own");
  refused(format::kFlagGroupEnd, {1002, 0, 0, 0, 0}, "", {}, "no group of its own");
  refused(0, {1001, 1, 2, 0, 0}, "", {one}, "with a prefix and without");
  refused(0, {1001, 1, 1, 1, 0}, "p", {one}, "with a prefix and without");
  refused(0, {1001, 1, 0, 2, 0}, "p", {one}, "longer than its section");
  refused(0, {1001, 1, 0, 1, 0}, "\xff", {one}, "not UTF-8");
  refused(0, {0, 1, 0, 1, 0}, "p", {one}, "without a position");
  FrameFactory make;
  const arrow::Status status = DecodeAll({make.Hello(), make.Bare(FrameKind::kMessage, "content")}).status();
  EXPECT_NE(status.message().find("no message section"), std::string::npos) << status;
}

}  // namespace
}  // namespace arrowcdc
