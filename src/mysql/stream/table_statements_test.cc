// What is known of names that tables have lost is bounded: some have a new name each day. Events written by
// hand.
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "src/mysql/decode/testing/event_bytes.h"
#include "src/mysql/stream/gone_names.h"
#include "src/mysql/stream/transaction_reader.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;

class TableStatements : public ::testing::Test {
 protected:
  void SetUp() override {
    TransactionReaderOptions options;
    options.only_committed = true;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(reader_, TransactionReader::Make(std::move(options), LogToken()));
  }

  void Take(EventType type, const Bytes& body) {
    const Bytes& kept = bodies_.emplace_back(body);
    const auto size = static_cast<uint32_t>(19 + body.size());
    ARROWCDC_ASSERT_OK(reader_->Take({{.type = type, .size = size, .end = end_ += size}, kept}));
  }
  void Query(const std::string& text) {
    Take(EventType::kQuery,
         EventBytes().Number(0, 8).Byte(1).Number(0, 2).Number(0, 2).Text("d").Byte(0).Text(text).bytes());
  }

  // One row of a table with the column id.
  void Insert(const std::string& table) {
    Query("BEGIN");
    Take(EventType::kTableMap,
         test::TableMapBody({.table = table, .types = {3}, .names = {"id"}, .key = {0}}));
    constexpr auto kWriteRows = static_cast<EventType>(30);
    Take(kWriteRows, test::RowsBody(7, 1, 1, EventBytes().Byte(0).Number(1, 4).bytes()));
    Take(EventType::kXid, EventBytes().Number(0, 8).bytes());
  }

  // Of the last truncation among the events; none: none came.
  std::optional<int> ColumnsOfTruncation() {
    std::optional<int> columns;
    EXPECT_TRUE(reader_->Flush().ok());
    while (true) {
      auto event = reader_->NextEvent(/*wait=*/true);
      EXPECT_TRUE(event.ok()) << event.status();
      if (!event.ok() || !event->has_value()) return columns;
      if (const auto* const truncate = std::get_if<TruncateEvent>(&**event))
        columns = truncate->tables.at(0)->column_count;
    }
  }

 private:
  std::unique_ptr<TransactionReader> reader_;
  std::deque<Bytes> bodies_;
  uint32_t end_ = 4;
};

TEST_F(TableStatements, ColumnsOfNamesThatAreGoneAreForgottenOneDay) {
  Insert("events");
  Query("RENAME TABLE events TO events_1");
  for (size_t i = 2; i <= GoneNames::kNamesMax; ++i)
    Query("RENAME TABLE of_day_" + std::to_string(i) + " TO other_" + std::to_string(i));
  EXPECT_EQ(ColumnsOfTruncation(), std::nullopt);
  Query("TRUNCATE events");
  EXPECT_EQ(ColumnsOfTruncation(), 1);
  Query("RENAME TABLE of_a_day_more TO other");
  Query("TRUNCATE events");
  EXPECT_EQ(ColumnsOfTruncation(), 0);
}

}  // namespace
}  // namespace arrowcdc::mysql
