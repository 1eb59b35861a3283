// The bound, the order, and what happens at the end.
#include "src/postgres/stream/message_queue.h"

#include <gtest/gtest.h>

#include <thread>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::milliseconds;

StreamMessage Data(size_t bytes) { return {arrow::Buffer::FromString(std::string(bytes, 'x')), 0, false}; }
StreamMessage Keepalive(uint64_t wal_end, bool reply) { return {nullptr, wal_end, reply}; }

std::optional<StreamMessage> Pop(MessageQueue& queue, bool* freed = nullptr) {
  bool ignored;
  return queue.Pop(milliseconds(0), freed == nullptr ? &ignored : freed).ValueOrDie();
}

TEST(MessageQueue, BoundedInBytes) {
  MessageQueue queue(1000);
  EXPECT_TRUE(queue.HasRoom());
  queue.Push(Data(600));
  EXPECT_TRUE(queue.HasRoom());
  queue.Push(Data(600));
  EXPECT_FALSE(queue.HasRoom());
  EXPECT_GE(queue.bytes(), 1200);
  bool freed = false;
  Pop(queue, &freed);
  EXPECT_TRUE(freed);
  EXPECT_TRUE(queue.HasRoom());
  Pop(queue, &freed);
  EXPECT_FALSE(freed);
  EXPECT_EQ(queue.bytes(), 0);
}

TEST(MessageQueue, OneLargerThanTheBoundPassesAlone) {
  MessageQueue queue(1000);
  queue.Push(Data(1'000'000));
  EXPECT_FALSE(queue.HasRoom());
  EXPECT_EQ(Pop(queue)->data->size(), 1'000'000);
  EXPECT_TRUE(queue.HasRoom());
}

TEST(MessageQueue, KeepalivesKeepTheirPlaceAndMerge) {
  MessageQueue queue(1000);
  queue.Push(Keepalive(5, true));
  queue.Push(Keepalive(7, false));
  queue.Push(Data(1));
  queue.Push(Keepalive(9, false));
  auto first = Pop(queue);
  EXPECT_EQ(first->wal_end, 7u);
  EXPECT_TRUE(first->reply_requested);
  EXPECT_NE(Pop(queue)->data, nullptr);
  auto last = Pop(queue);
  EXPECT_EQ(last->wal_end, 9u);
  EXPECT_FALSE(last->reply_requested);
  EXPECT_FALSE(Pop(queue).has_value());
}

TEST(MessageQueue, TheReasonComesAfterTheRest) {
  MessageQueue queue(1000);
  queue.Push(Data(1));
  queue.Close(MakeError(ErrorKind::kConnection, "first", "server", ""));
  queue.Close(MakeError(ErrorKind::kInternal, "second", "server", ""));
  EXPECT_TRUE(Pop(queue).has_value());
  bool freed;
  EXPECT_EQ(queue.Pop(milliseconds(0), &freed).status().message(), "first");
  EXPECT_EQ(queue.Pop(milliseconds(0), &freed).status().message(), "first");
}

// Whoever looks finds what was added; who waits is woken once, for all of it, or where it is much.
TEST(MessageQueue, WaitingReaderIsWokenForWhatWasAdded) {
  for (const bool much : {false, true}) {
    MessageQueue queue(10'000'000);
    std::thread producer([&] {
      queue.Add(Data(1));
      queue.Add(Data(much ? 100'000 : 2));
      if (!much) queue.Wake();
    });
    const auto begin = std::chrono::steady_clock::now();
    bool freed;
    EXPECT_EQ(queue.Pop(std::chrono::minutes(1), &freed).ValueOrDie()->data->size(), 1);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
    producer.join();
    EXPECT_TRUE(Pop(queue).has_value());
  }
}

TEST(MessageQueue, WaitingReaderIsWoken) {
  MessageQueue queue(1000);
  std::thread producer([&] { queue.Push(Data(3)); });
  bool freed;
  EXPECT_EQ(queue.Pop(std::chrono::minutes(1), &freed).ValueOrDie()->data->size(), 3);
  producer.join();
}

}  // namespace
}  // namespace arrowcdc::postgres
