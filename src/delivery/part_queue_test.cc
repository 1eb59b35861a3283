#include "src/delivery/part_queue.h"

#include <future>
#include <vector>

#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

ChangeBatch Batch(int64_t id) {
  static const auto table = MakeTable({"public", "t"}, {arrow::field("id", arrow::int64())});
  return MakeBatch(table, {{{1, static_cast<uint64_t>(id) + 1, 0}, Op::kSnapshot}}, {Ids({id})});
}

class Writer : public SnapshotPartWriter {
 public:
  arrow::Status Write(const ChangeBatch& batch) override {
    const int64_t id = static_cast<const arrow::Int64Array&>(*batch.rows->column(0)).Value(0);
    if (id == waits_at) {
      reached.set_value();
      go_on.get_future().wait();
    }
    if (id == fails_at) return arrow::Status::IOError("the disk is full");
    written.push_back(id);
    return arrow::Status::OK();
  }
  arrow::Status Finish() override { return arrow::Status::OK(); }

  int64_t waits_at = -1;
  int64_t fails_at = -1;
  std::promise<void> reached;
  std::promise<void> go_on;
  std::vector<int64_t> written;
};

TEST(PartQueue, BatchesAreWrittenInOrder) {
  for (const int64_t count : {0, 1, 2, 100}) {
    Writer writer;
    PartQueue queue(&writer);
    std::vector<int64_t> pushed;
    for (int64_t id = 0; id < count; ++id) {
      pushed.push_back(id);
      ARROWCDC_ASSERT_OK(queue.Push(Batch(id)));
    }
    ARROWCDC_ASSERT_OK(queue.Finish());
    EXPECT_EQ(writer.written, pushed);
  }
}

TEST(PartQueue, AFewBatchesAreAhead) {
  Writer writer;
  writer.waits_at = 1;
  PartQueue queue(&writer);
  ARROWCDC_ASSERT_OK(queue.Push(Batch(0)));
  ARROWCDC_ASSERT_OK(queue.Push(Batch(1)));
  writer.reached.get_future().wait();
  for (size_t i = 0; i < PartQueue::kBatchesMax; ++i)
    ARROWCDC_ASSERT_OK(queue.Push(Batch(2 + static_cast<int64_t>(i))));
  auto one_more = std::async(std::launch::async, [&] { return queue.Push(Batch(9)); });
  EXPECT_EQ(one_more.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  writer.go_on.set_value();
  ARROWCDC_ASSERT_OK(one_more.get());
  ARROWCDC_ASSERT_OK(queue.Finish());
  EXPECT_EQ(writer.written, (std::vector<int64_t>{0, 1, 2, 3, 9}));
}

TEST(PartQueue, AnErrorOfTheWriterEndsIt) {
  for (const int64_t fails_at : {0, 1, 5, 19}) {
    Writer writer;
    writer.fails_at = fails_at;
    PartQueue queue(&writer);
    arrow::Status status;
    for (int64_t id = 0; id < 20 && status.ok(); ++id) status = queue.Push(Batch(id));
    if (status.ok()) status = queue.Finish();
    EXPECT_TRUE(status.IsIOError()) << status.ToString();
    EXPECT_EQ(writer.written.size(), static_cast<size_t>(fails_at));
  }
}

// The writer is used until the queue is gone, and no longer.
TEST(PartQueue, EndsInTheMiddle) {
  Writer writer;
  writer.waits_at = 1;
  auto queue = std::make_unique<PartQueue>(&writer);
  for (int64_t id = 0; id < 4; ++id) ARROWCDC_ASSERT_OK(queue->Push(Batch(id)));
  writer.reached.get_future().wait();
  auto dropped = std::async(std::launch::async, [queue = std::move(queue)]() mutable { queue.reset(); });
  EXPECT_EQ(dropped.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  writer.go_on.set_value();
  dropped.wait();
  ASSERT_GE(writer.written.size(), 2u);
  EXPECT_EQ(writer.written[1], 1);
}

}  // namespace
}  // namespace arrowcdc::test
