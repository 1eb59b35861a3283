// Files of the Parquet sink while its encoders are at them: whatever they wait for, nothing is acknowledged
// or named too early, and what fails is told.
#include "src/sink/parquet_encoders.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <numeric>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>

#include <arrow/json/from_string.h>
#include <arrow/util/byte_size.h>
#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "src/sink/parquet_sink.h"
#include "src/sink/storage_names.h"
#include "src/sink/testing/memory_file_system.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/wait.h"

namespace arrowcdc::test {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLimit{60'000};
const std::string kOrders = "/d/public.orders";
const std::string kUsers = "/d/public.users";

class ParquetEncodersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.roll_rows = 2;
    limits_.encoders = 3;
    Open();
  }
  void TearDown() override { files_.LetAllGo(); }

  // As another process does, which finds what this one leaves.
  void Open() {
    files_.LetAllGo();
    sink_.reset();
    files_.KillProcess();
    sink_ = std::make_unique<ParquetSink>(
        "/d", options_, &files_, [this] { return now_; }, limits_);
    auto state = sink_->Open(TestStream());
    ASSERT_TRUE(state.ok()) << state.status();
    state_ = *std::move(state);
  }

  // One transaction: a row an id, the id being its place too.
  static ChangeBatch Rows(const std::shared_ptr<const TableSchema>& table, const std::vector<int64_t>& ids) {
    std::vector<RowMeta> rows;
    for (const int64_t id : ids) rows.push_back({Place(id)});
    return MakeBatch(table, rows, {Ids(ids)});
  }
  static RowPosition Place(int64_t id) {
    return {static_cast<uint64_t>(id) * 100 + 50, static_cast<uint64_t>(id) * 100, 0};
  }
  // Of a file whose first row, or last one, this is.
  static std::string Hidden(const std::string& directory, int64_t first_id) {
    return JoinPath(directory, HiddenFileName(DataFileName(Place(first_id))));
  }
  static std::string Named(const std::string& directory, int64_t last_id) {
    return JoinPath(directory, DataFileName(Place(last_id)));
  }

  // Rows of the orders that are not stored, as the pipeline would deliver them again; then all is stored.
  void DeliverAgain(const std::vector<int64_t>& ids, const Position& position) {
    const auto last = state_.last_rows.find(orders_->name);
    for (const int64_t id : ids) {
      if (last == state_.last_rows.end() || Place(id) > last->second)
        ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {id})));
    }
    ARROWCDC_ASSERT_OK(sink_->Advance(position));
    ARROWCDC_ASSERT_OK(sink_->Close());
    EXPECT_EQ(sink_->durable(), position);
    EXPECT_EQ(StoredIds(kOrders), ids);
  }

  void Wait(const std::function<bool()>& condition, const std::string& what) {
    ARROWCDC_ASSERT_OK(WaitFor(condition, kLimit, what));
  }
  void WaitUntilHeld(const std::string& operation) {
    Wait([&] { return files_.Holds(operation); }, operation);
  }
  // It has a footer.
  void WaitUntilWhole(const std::string& path) {
    Wait([&] { return ReadFile(files_, path).ValueOr("").ends_with("PAR1"); }, path);
  }

  std::vector<std::string> DataFiles(const std::string& directory) {
    std::vector<std::string> paths = files_.Files(directory);
    std::erase_if(paths, [](const std::string& path) { return !path.ends_with(".parquet"); });
    return paths;
  }

  std::vector<int64_t> StoredIds(const std::string& directory) {
    std::vector<int64_t> ids;
    for (const std::string& path : DataFiles(directory)) {
      const auto table = ReadParquet(files_, path);
      for (const auto& chunk : table->GetColumnByName("id")->chunks()) {
        for (int64_t i = 0; i < chunk->length(); ++i)
          ids.push_back(static_cast<const arrow::Int64Array&>(*chunk).Value(i));
      }
    }
    return ids;
  }

  const std::shared_ptr<const TableSchema> orders_ =
      MakeTable({"public", "orders"}, {arrow::field("id", arrow::int64())});
  const std::shared_ptr<const TableSchema> users_ =
      MakeTable({"public", "users"}, {arrow::field("id", arrow::int64())});
  MemoryFileSystem files_;
  SinkOptions options_;
  ParquetLimits limits_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
  std::unique_ptr<ParquetSink> sink_;
  SinkState state_;
};

TEST_F(ParquetEncodersTest, TheLaterOfTwoFilesIsWholeFirstAndTheProcessDies) {
  ARROWCDC_ASSERT_OK(sink_->Advance(At(100)));
  files_.Hold("sync " + Hidden(kOrders, 1));
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1, 2, 3, 4})));
  ARROWCDC_ASSERT_OK(sink_->Advance(At(460)));
  WaitUntilHeld("sync " + Hidden(kOrders, 1));
  WaitUntilWhole(Hidden(kOrders, 3));
  // What is done for a file that came later is done: the second file of the orders would have its name.
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(users_, {5, 6})));
  Wait([&] { return !DataFiles(kUsers).empty(); }, "a file of the users");
  EXPECT_TRUE(DataFiles(kOrders).empty());
  files_.FailAt(0, MemoryFileSystem::Failure::kForGood);

  Open();
  EXPECT_TRUE(DataFiles(kOrders).empty());
  EXPECT_FALSE(state_.last_rows.contains(orders_->name)) << "rows that are not there would be left out";
  EXPECT_LE(state_.position, At(100));
  DeliverAgain({1, 2, 3, 4}, At(660));
}

TEST_F(ParquetEncodersTest, FilesOfATableGetTheirNamesInOrder) {
  files_.Hold("sync " + Hidden(kOrders, 1));
  files_.Hold("sync " + Hidden(kOrders, 3));
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1, 2, 3, 4, 5, 6})));
  WaitUntilWhole(Hidden(kOrders, 5));
  files_.LetGo("sync " + Hidden(kOrders, 1));
  Wait([&] { return DataFiles(kOrders).size() == 1; }, "the first file");
  files_.LetAllGo();
  ARROWCDC_ASSERT_OK(sink_->Settle());
  std::vector<std::string> steps = files_.log;
  std::erase_if(steps, [](const std::string& step) {
    return step != "sync directory " + kOrders && !step.starts_with("rename " + kOrders);
  });
  const auto rename = [](int64_t first, int64_t last) {
    return "rename " + Hidden(kOrders, first) + " " + Named(kOrders, last);
  };
  const std::string sync = "sync directory " + kOrders;
  EXPECT_EQ(steps, (std::vector{rename(1, 2), sync, rename(3, 4), sync, rename(5, 6), sync}));
}

TEST_F(ParquetEncodersTest, ASchemaChangeWhileTheFileBeforeItIsEncoded) {
  files_.Hold("sync " + Hidden(kOrders, 1));
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1})));
  const auto wider =
      MakeTable(orders_->name, {arrow::field("id", arrow::int64()), arrow::field("note", arrow::utf8())}, 2);
  const auto notes = arrow::json::ArrayFromJSONString(arrow::utf8(), R"(["x", "y"])").ValueOrDie();
  ARROWCDC_ASSERT_OK(sink_->Write(MakeBatch(wider, {{Place(2)}, {Place(3)}}, {Ids({2, 3}), notes})));
  WaitUntilHeld("sync " + Hidden(kOrders, 1));
  WaitUntilWhole(Hidden(kOrders, 2));
  EXPECT_TRUE(DataFiles(kOrders).empty());
  files_.LetAllGo();
  ARROWCDC_ASSERT_OK(sink_->Close());
  ASSERT_EQ(DataFiles(kOrders), (std::vector{Named(kOrders, 1), Named(kOrders, 3)}));
  EXPECT_EQ(ReadParquet(files_, Named(kOrders, 1))->num_columns(), 1 + kMetadataColumnCount);
  EXPECT_EQ(ReadParquet(files_, Named(kOrders, 3))->num_columns(), 2 + kMetadataColumnCount);
}

// What is done to a file.
constexpr const char* kSteps[] = {"create ", "write ", "sync ", "close ", "rename ", "sync directory "};
constexpr const char* kCalls[] = {"Write", "Advance", "Tick", "Flush"};

// Of the first file of the orders.
std::string Step(const std::string& what) {
  const std::string path =
      what == "sync directory " ? kOrders : JoinPath(kOrders, HiddenFileName(DataFileName({150, 100, 0})));
  return what + path;
}

std::string WithoutBlanks(std::string text) {
  std::erase(text, ' ');
  return text;
}

class ParquetEncodersStep : public ParquetEncodersTest, public ::testing::WithParamInterface<const char*> {};

// From its first row until its directory is synced, and Tick waits for nothing of it.
TEST_P(ParquetEncodersStep, AFileHoldsThePositionBackUntilItIsDurable) {
  const std::string step = Step(GetParam());
  std::vector<TableName> told;
  options_.on_file_closed = [&, here = std::this_thread::get_id()](const ClosedFile& file) {
    EXPECT_EQ(std::this_thread::get_id(), here);
    told.push_back(file.table);
  };
  Open();
  ARROWCDC_ASSERT_OK(sink_->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink_->Advance(At(160)));
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(users_, {3, 4})));
  ARROWCDC_ASSERT_OK(sink_->Advance(At(460)));
  files_.Hold(step);
  now_ += options_.roll_age;
  ARROWCDC_ASSERT_OK(sink_->Tick());
  WaitUntilHeld(step);
  Wait(
      [&] {
        ARROWCDC_EXPECT_OK(sink_->Tick());
        return told.size() == 1;
      },
      "the other table's file");
  EXPECT_EQ(told, std::vector{users_->name});
  EXPECT_EQ(sink_->durable(), At(100));
  EXPECT_TRUE(sink_->has_pending_rows());
  now_ += options_.roll_age;
  ARROWCDC_ASSERT_OK(sink_->Tick());
  ARROWCDC_ASSERT_OK(sink_->Advance(At(500)));
  EXPECT_EQ(sink_->durable(), At(100));
  files_.LetAllGo();
  Wait(
      [&] {
        ARROWCDC_EXPECT_OK(sink_->Tick());
        return sink_->durable() == At(500);
      },
      "the position");
  EXPECT_EQ(told, (std::vector{users_->name, orders_->name}));
  EXPECT_FALSE(sink_->has_pending_rows());
}

INSTANTIATE_TEST_SUITE_P(All, ParquetEncodersStep, ::testing::ValuesIn(kSteps),
                         [](const auto& tested) { return WithoutBlanks(tested.param); });

// A step that fails, and what is called next.
class ParquetEncodersFailure : public ParquetEncodersTest,
                               public ::testing::WithParamInterface<std::tuple<const char*, const char*>> {
 protected:
  arrow::Status Call(std::string_view name) {
    const int64_t id = next_id_++;
    if (name == "Write") return sink_->Write(Rows(users_, {id}));
    if (name == "Advance") return sink_->Advance(At(static_cast<uint64_t>(id) * 100));
    return name == "Tick" ? sink_->Tick() : sink_->Flush();
  }

 private:
  int64_t next_id_ = 100;
};

TEST_P(ParquetEncodersFailure, IsToldAndNothingIsNamedAfterIt) {
  const auto [what, call] = GetParam();
  const std::string step = Step(what);
  ARROWCDC_ASSERT_OK(sink_->Advance(At(50)));
  ARROWCDC_ASSERT_OK(sink_->Flush());
  files_.Hold(step);
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1, 2, 3, 4, 5})));
  ARROWCDC_ASSERT_OK(sink_->Advance(At(560)));
  WaitUntilHeld(step);
  WaitUntilWhole(Hidden(kOrders, 3));
  files_.FailOn(step);
  files_.LetAllGo();
  arrow::Status told;
  Wait(
      [&, call = call] {
        told = Call(call);
        return !told.ok();
      },
      "the failure");
  EXPECT_EQ(KindOf(told), ErrorKind::kSink) << told;
  EXPECT_NE(told.message().find("(injected) " + step), std::string::npos) << told;
  for (const char* again : kCalls) EXPECT_EQ(Call(again).message(), told.message());
  ARROWCDC_EXPECT_OK(sink_->Close());
  EXPECT_EQ(sink_->durable(), At(50));
  const bool has_name = step.starts_with("sync directory");
  EXPECT_EQ(DataFiles(kOrders).size(), has_name ? 1u : 0u);
  Open();
  EXPECT_EQ(state_.position, At(50));
  DeliverAgain({1, 2, 3, 4, 5, 6}, At(660));
}

INSTANTIATE_TEST_SUITE_P(All, ParquetEncodersFailure,
                         ::testing::Combine(::testing::ValuesIn(kSteps), ::testing::ValuesIn(kCalls)),
                         [](const auto& tested) {
                           return WithoutBlanks(std::get<0>(tested.param)) + "_" + std::get<1>(tested.param);
                         });

// A flush, and the begin of a snapshot, whose manifest has the position of all rows.
TEST_F(ParquetEncodersTest, WhatStoresAllRowsWaitsForThem) {
  int64_t id = 0;
  const std::function<arrow::Status()> calls[] = {
      [&] { return sink_->Flush(); },
      [&] { return sink_->BeginSnapshot(std::nullopt).status(); },
      [&] { return sink_->Close(); },
  };
  for (const auto& call : calls) {
    files_.Hold("sync " + kOrders);
    ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {id + 1, id + 2, id + 3})));
    id += 3;
    const Position position = At(static_cast<uint64_t>(id) * 100 + 60);
    ARROWCDC_ASSERT_OK(sink_->Advance(position));
    auto done = std::async(std::launch::async, call);
    WaitUntilHeld("sync " + kOrders);
    EXPECT_EQ(done.wait_for(milliseconds(0)), std::future_status::timeout);
    files_.LetAllGo();
    ARROWCDC_ASSERT_OK(done.get());
    EXPECT_EQ(sink_->durable(), position);
    EXPECT_FALSE(sink_->has_pending_rows());
    EXPECT_EQ(StoredIds(kOrders).size(), static_cast<size_t>(id));
  }
}

// The disk takes nothing, so the encoders do not either, and then Write waits.
TEST_F(ParquetEncodersTest, MemoryIsBoundedWithASlowDisk) {
  options_ = {};
  limits_.buffered_bytes = 4 << 20;
  limits_.row_group_bytes = 1 << 20;
  Open();
  std::vector<int64_t> ids(1000);
  int64_t id = 0;
  const auto next = [&](const std::shared_ptr<const TableSchema>& table) {
    for (int64_t& value : ids) value = ++id;
    return Rows(table, ids);
  };
  const int64_t batch_bytes = arrow::util::TotalBufferSize(*next(orders_).rows);
  const int64_t batches = 8 * limits_.buffered_bytes / batch_bytes;
  const int64_t before = arrow::default_memory_pool()->bytes_allocated();
  std::atomic<int64_t> accepted = 0;
  files_.Hold("buffer " + kOrders);
  files_.Hold("buffer " + kUsers);
  auto writer = std::async(std::launch::async, [&]() -> arrow::Status {
    for (int64_t i = 0; i < batches; ++i) {
      ARROW_RETURN_NOT_OK(sink_->Write(next(i % 3 == 0 ? users_ : orders_)));
      accepted += batch_bytes;
    }
    return arrow::Status::OK();
  });
  WaitUntilHeld("buffer " + kOrders);
  Wait([&] { return accepted > limits_.buffered_bytes / 2; }, "rows beside those that are encoded");
  const auto more = WaitFor([&] { return accepted > limits_.buffered_bytes; }, milliseconds(200), "too much");
  EXPECT_FALSE(more.ok()) << "it does not wait";
  EXPECT_LT(arrow::default_memory_pool()->bytes_allocated() - before, 2 * limits_.buffered_bytes);
  files_.LetAllGo();
  ARROWCDC_ASSERT_OK(writer.get());
  ARROWCDC_ASSERT_OK(sink_->Close());
  EXPECT_EQ(StoredIds(kOrders).size() + StoredIds(kUsers).size(), static_cast<size_t>(batches) * ids.size());
}

// Whole files that wait for the one before them take memory, too, whatever their rows do.
TEST_F(ParquetEncodersTest, FilesThatWaitForTheirNamesAreFew) {
  options_.roll_rows = 1;
  limits_.files_completing = 8;
  Open();
  std::vector<int64_t> ids(100);
  std::iota(ids.begin(), ids.end(), 1);
  files_.Hold("sync " + Hidden(kOrders, 1));
  auto writer = std::async(std::launch::async, [&] { return sink_->Write(Rows(orders_, ids)); });
  WaitUntilWhole(Hidden(kOrders, 9));
  const auto more = WaitFor([&] { return files_.Files(kOrders).size() > 9; }, milliseconds(200), "too many");
  EXPECT_FALSE(more.ok()) << "it does not wait";
  files_.LetAllGo();
  ARROWCDC_ASSERT_OK(writer.get());
  ARROWCDC_ASSERT_OK(sink_->Close());
  EXPECT_EQ(StoredIds(kOrders), ids);
}

// A failure ends that wait.
TEST_F(ParquetEncodersTest, AFailureEndsTheWaitForRoom) {
  options_ = {};
  limits_.buffered_bytes = 1;
  Open();
  files_.Hold("create " + kOrders);
  auto writer = std::async(std::launch::async, [&] { return sink_->Write(Rows(orders_, {1})); });
  WaitUntilHeld("create " + kOrders);
  files_.FailOn("create " + kOrders);
  files_.LetAllGo();
  EXPECT_EQ(KindOf(writer.get()), ErrorKind::kSink);
  ARROWCDC_EXPECT_OK(sink_->Close());
}

TEST_F(ParquetEncodersTest, WithoutAThreadTheSinkDoesTheWork) {
  limits_.encoders = 0;
  Open();
  ARROWCDC_ASSERT_OK(sink_->Write(Rows(orders_, {1, 2, 3, 4})));
  EXPECT_EQ(DataFiles(kOrders), (std::vector{Named(kOrders, 2), Named(kOrders, 4)}));
  files_.FailOn("rename " + Hidden(kOrders, 5));
  EXPECT_EQ(KindOf(sink_->Write(Rows(orders_, {5, 6, 7, 8}))), ErrorKind::kSink);
  EXPECT_EQ(KindOf(sink_->Tick()), ErrorKind::kSink);
  EXPECT_EQ(DataFiles(kOrders), (std::vector{Named(kOrders, 2), Named(kOrders, 4)}));
}

}  // namespace
}  // namespace arrowcdc::test
