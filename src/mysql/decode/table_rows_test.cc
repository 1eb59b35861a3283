// Batches that are full in the middle of an event.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "src/mysql/decode/table_rows.h"
#include "src/mysql/decode/testing/event_bytes.h"
#include "src/mysql/decode/testing/row_lines.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;
using ::testing::ElementsAre;

class FullBatches : public ::testing::Test {
 protected:
  void SetUp() override {
    const Bytes map = test::TableMapBody(
        {.types = {3, 252}, .numbers = {2}, .names = {"id", "b"}, .signedness = {0}, .collations = {63}});
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const TableMap read, ReadTableMap(map, Flavor::kMysql));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(rows_, TableRows::Make(read, {Flavor::kMysql}, arrow::system_memory_pool(),
                                                         /*generated=*/{}, /*batch_bytes_max=*/2000));
  }

  // An insert of rows of some 1100 bytes, from id `first`.
  arrow::Status Add(uint32_t first, uint32_t count, bool cut_off = false) {
    EventBytes bytes;
    for (uint32_t id = first; id < first + count; ++id)
      bytes.Byte(0).Number(id, 4).Number(1000, 2).Add(Bytes(1000, 'x'));
    Bytes body = test::RowsBody(7, 2, 1, bytes.bytes());
    if (cut_off) body.pop_back();
    ARROW_ASSIGN_OR_RAISE(const RowsEvent event, ReadRowsEvent(*RowsEventKindOf(30), body));
    return rows_->Add(event, {.event = first});
  }

  std::vector<std::string> Lines() {
    std::vector<ChangeBatch> batches;
    EXPECT_TRUE(rows_->Finish(&batches).ok());
    batches_ = batches.size();
    auto lines = test::RowLines(batches, "t");
    for (auto& line : lines) line.resize(line.find(','));
    return lines;
  }

  std::unique_ptr<TableRows> rows_;
  size_t batches_ = 0;
};

TEST_F(FullBatches, GoOnInTheNext) {
  ARROWCDC_ASSERT_OK(Add(1, 5));
  EXPECT_EQ(rows_->rows(), 5);
  EXPECT_GT(rows_->bytes(), 5000);
  EXPECT_THAT(Lines(), ElementsAre("insert 1.0: 1", "insert 1.1: 2", "insert 1.2: 3", "insert 1.3: 4",
                                   "insert 1.4: 5"));
  EXPECT_EQ(batches_, 3u);
  EXPECT_EQ(rows_->rows(), 0);
  EXPECT_EQ(rows_->bytes(), 0);
}

// What was there before stays, in a full batch as well.
TEST_F(FullBatches, AreTakenBackWithTheirEvent) {
  ARROWCDC_ASSERT_OK(Add(1, 3));
  EXPECT_FALSE(Add(10, 6, /*cut_off=*/true).ok());
  EXPECT_EQ(rows_->rows(), 3);
  EXPECT_FALSE(Add(20, 1, /*cut_off=*/true).ok());
  EXPECT_EQ(rows_->rows(), 3);
  ARROWCDC_ASSERT_OK(Add(30, 1));
  EXPECT_THAT(Lines(), ElementsAre("insert 1.0: 1", "insert 1.1: 2", "insert 1.2: 3", "insert 30.0: 30"));
  EXPECT_EQ(rows_->rows(), 0);

  EXPECT_FALSE(Add(40, 6, /*cut_off=*/true).ok());
  EXPECT_EQ(rows_->rows(), 0);
  EXPECT_TRUE(Lines().empty());
}

}  // namespace
}  // namespace arrowcdc::mysql
