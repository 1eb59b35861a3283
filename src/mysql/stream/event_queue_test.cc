#include "src/mysql/stream/event_queue.h"

#include <deque>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/wait.h"

namespace arrowcdc::mysql {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int64_t kMiB = int64_t{1} << 20;

// A rotate event needs no description in front of it; the name of its file tells which one it is.
std::string EventOf(uint64_t number, size_t bytes) {
  return MakeRotate({number, "b." + std::string(bytes, static_cast<char>('a' + number % 26)) + ".1"});
}

// So many events, then the end, an error, or nothing until it is interrupted.
class Packets : public PacketReader {
 public:
  enum class End { kEnds, kFails, kHangs };
  Packets(uint64_t count, size_t bytes, End end, std::optional<seconds> silence_max = {})
      : silence_max_(silence_max), count_(count), bytes_(bytes), end_(end) {}

  arrow::Result<std::optional<std::span<const uint8_t>>> Next() override {
    std::unique_lock lock(mutex_);
    if (number_ < count_) {
      event_ = EventOf(number_++, bytes_);
      return std::span(reinterpret_cast<const uint8_t*>(event_.data()), event_.size());
    }
    if (end_ == End::kEnds) return std::optional<std::span<const uint8_t>>();
    if (end_ == End::kHangs) changed_.wait(lock, [this] { return interrupted_; });
    return MakeError(ErrorKind::kConnection, "the connection is lost", object(), "", "", true);
  }
  bool has_next() const override { return false; }
  void Interrupt() override {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    changed_.notify_all();
  }
  std::optional<seconds> silence_max() const override { return silence_max_; }
  std::string object() const override { return "server test"; }

 private:
  const std::optional<seconds> silence_max_;
  const uint64_t count_;
  const size_t bytes_;
  const End end_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t number_ = 0;
  bool interrupted_ = false;
  std::string event_;
};

std::unique_ptr<EventQueue> MakeQueue(uint64_t count, size_t bytes, Packets::End end,
                                      std::optional<milliseconds> patience,
                                      std::shared_ptr<StopToken> stop = nullptr) {
  return std::make_unique<EventQueue>(std::make_unique<Packets>(count, bytes, end),
                                      RecordStoreOptions{.memory_bytes_max = kMiB}, patience,
                                      std::move(stop));
}

// Those up to `end`, in order.
void ExpectEvents(EventQueue* queue, uint64_t begin, uint64_t end) {
  for (uint64_t number = begin; number < end; ++number) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto event, queue->Next(seconds(30)));
    ASSERT_TRUE(event.has_value());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const RotateBody body, ReadRotate(event->body));
    ASSERT_EQ(event->header.type, EventType::kRotate);
    ASSERT_EQ(body.offset, number);
  }
}

TEST(EventQueue, AFullOneWaitsForItsTaker) {
  constexpr uint64_t kCount = 2'000;
  const auto queue = MakeQueue(kCount, 10'000, Packets::End::kEnds, std::nullopt);
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor([&] { return queue->stats().buffered_bytes >= kMiB; },
                                             seconds(30), "the queue to be full"));
  for (uint64_t number = 0; number < kCount; number += 500) {
    ExpectEvents(queue.get(), number, number + 500);
    EXPECT_LT(queue->stats().buffered_bytes, 2 * kMiB);
    EXPECT_TRUE(number + 500 == kCount || !queue->ended());
  }
  ARROWCDC_ASSERT_OK(
      arrowcdc::test::WaitFor([&] { return queue->ended(); }, seconds(30), "the queue to have ended"));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto none, queue->Next(milliseconds(1)));
  EXPECT_FALSE(none.has_value());
}

// The server behind it would end the dump.
TEST(EventQueue, GoesToDiskWhereNobodyTakes) {
  const auto queue = MakeQueue(1'000, 10'000, Packets::End::kHangs, milliseconds(1));
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor([&] { return queue->stats().buffered_bytes > 9 * kMiB; },
                                             seconds(30), "all to have been received"));
  ExpectEvents(queue.get(), 0, 1'000);
  EXPECT_FALSE(queue->ended());
}

TEST(EventQueue, AnErrorComesBehindAllEvents) {
  const auto queue = MakeQueue(100, 100, Packets::End::kFails, std::nullopt);
  ExpectEvents(queue.get(), 0, 100);
  for (int i = 0; i < 2; ++i) {
    const arrow::Status status = queue->Next(seconds(30)).status();
    ASSERT_NE(GetErrorDetail(status), nullptr) << status;
    EXPECT_TRUE(GetErrorDetail(status)->retryable());
  }
}

// What came before is there; an end is made of the silence behind it.
TEST(EventQueue, SilenceEndsIt) {
  EventQueue queue(std::make_unique<Packets>(100, 100, Packets::End::kHangs, seconds(1)),
                   RecordStoreOptions{.memory_bytes_max = kMiB}, std::nullopt, nullptr);
  ExpectEvents(&queue, 0, 100);
  const arrow::Status status = queue.Next(seconds(30)).status();
  ASSERT_NE(GetErrorDetail(status), nullptr) << status;
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kConnection);
  EXPECT_TRUE(GetErrorDetail(status)->retryable());
  EXPECT_THAT(status.message(), ::testing::HasSubstr("nothing came for 1 s"));
}

TEST(EventQueue, DamagedEventsAreRefused) {
  class Damaged : public PacketReader {
   public:
    arrow::Result<std::optional<std::span<const uint8_t>>> Next() override {
      return std::span<const uint8_t>(bytes_);
    }
    bool has_next() const override { return true; }
    void Interrupt() override {}
    std::string object() const override { return "server test"; }

   private:
    std::vector<uint8_t> bytes_ = std::vector<uint8_t>(30);
  };
  EventQueue queue(std::make_unique<Damaged>(), {}, std::nullopt, nullptr);
  const arrow::Status status = queue.Next(seconds(30)).status();
  ASSERT_NE(GetErrorDetail(status), nullptr) << status;
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kProtocol);
}

TEST(EventQueue, StopsWhileItWaits) {
  const auto stop = std::make_shared<StopToken>();
  const auto queue = MakeQueue(0, 0, Packets::End::kHangs, milliseconds(1), stop);
  stop->StopAfter(milliseconds(20));
  const arrow::Status status = queue->Next(seconds(30)).status();
  ASSERT_NE(GetErrorDetail(status), nullptr) << status;
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kInterrupted);
  // One whose thread waits for room, and one whose thread waits for the server.
  const auto full = MakeQueue(1'000, 10'000, Packets::End::kHangs, std::nullopt);
  ARROWCDC_ASSERT_OK(arrowcdc::test::WaitFor([&] { return full->stats().buffered_bytes >= kMiB; },
                                             seconds(30), "the queue to be full"));
  full->Stop();
  queue->Stop();
}

}  // namespace
}  // namespace arrowcdc::mysql
