// What was added comes out as it was, in order.
#include "src/postgres/stream/message_run.h"

#include <gtest/gtest.h>

namespace arrowcdc::postgres {
namespace {

TEST(MessageRun, GivesWhatWasAdded) {
  MessageRun run;
  EXPECT_TRUE(run.empty());
  run.Add(7, "one");
  run.Add(UINT64_MAX, "");
  run.Add(9, std::string_view("a\0b", 3));
  EXPECT_FALSE(run.empty());
  MessageRun::Reader reader(run.Take());
  uint64_t lsn = 0;
  EXPECT_EQ(reader.Next(&lsn), "one");
  EXPECT_EQ(lsn, 7u);
  EXPECT_EQ(reader.Next(&lsn), "");
  EXPECT_EQ(lsn, UINT64_MAX);
  EXPECT_FALSE(reader.AtEnd());
  EXPECT_EQ(reader.Next(&lsn), std::string_view("a\0b", 3));
  EXPECT_EQ(lsn, 9u);
  EXPECT_TRUE(reader.AtEnd());
}

TEST(MessageRun, IsFullSoonAndTakesALargeOneWhole) {
  MessageRun run;
  const std::string large(10 * MessageRun::kBytes, 'x');
  run.Add(1, "small");
  EXPECT_FALSE(run.full());
  run.Add(2, large);
  EXPECT_TRUE(run.full());
  MessageRun::Reader reader(run.Take());
  EXPECT_TRUE(run.empty());
  EXPECT_FALSE(run.full());
  uint64_t lsn = 0;
  EXPECT_EQ(reader.Next(&lsn), "small");
  EXPECT_EQ(reader.Next(&lsn), large);
  EXPECT_TRUE(reader.AtEnd());
  EXPECT_TRUE(MessageRun::Reader().AtEnd());
}

}  // namespace
}  // namespace arrowcdc::postgres
