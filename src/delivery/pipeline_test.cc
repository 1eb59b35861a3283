// The pipeline against a made-up server and a made-up storage, both of which can fail at any point: every row
// ends up in the storage exactly once, and nothing is acknowledged that is not there.
#include "arrowcdc/pipeline.h"

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/delivery/start_position.h"
#include "src/delivery/testing/fake_source.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;

using test::FakeRow;
using test::FakeServer;
using test::FakeSource;
using test::FakeTransaction;

// What survives every crash of the client: the server, and what a sink has stored.
struct World {
  World() {
    server.may_forget = [this](const FakeRow& row) {
      return row.table >= wanted_tables || stored_ids.count(row.id) > 0;
    };
  }
  World(std::mt19937_64& random, int transactions) : World() { server.Write(random, transactions, 11); }

  FakeServer server{3};
  int wanted_tables = 3;  // the first so many are asked for

  std::optional<uint64_t> stored_position;
  std::map<TableName, RowPosition> stored_last_rows;
  std::multiset<int64_t> stored_ids;
};

class FakeSink : public Sink {
 public:
  FakeSink(World& world, std::mt19937_64& random, bool crash)
      : world_(world), random_(random), crash_(crash) {}

  bool keeps_data() const override { return true; }
  arrow::Result<SinkState> Open(const StreamIdentity&) override {
    SinkState state;
    if (world_.stored_position.has_value())
      state.position = Position{{"fake", "1"}, 1, *world_.stored_position, ""};
    state.last_rows = world_.stored_last_rows;
    return state;
  }
  arrow::Status Write(const ChangeBatch& batch) override {
    EXPECT_GT(batch.rows->num_rows(), 0);
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    for (int64_t row = 0; row < ids.length(); ++row) {
      pending_[batch.table->name].push_back(
          {0, ids.Value(row), RowPositionAt(*batch.table, *batch.rows, row)});
    }
    // A table's file that is full becomes durable by itself, also in the middle of a transaction.
    if (random_() % 7 == 0) Store(batch.table->name);
    return arrow::Status::OK();
  }
  arrow::Status Advance(const Position& position) override {
    EXPECT_FALSE(advanced_.has_value() && position.order < *advanced_);
    advanced_ = position.order;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override {
    std::vector<TableName> names;
    for (const auto& [name, rows] : pending_) names.push_back(name);
    for (const TableName& name : names) Store(name);
    if (advanced_.has_value()) world_.stored_position = advanced_;
    return arrow::Status::OK();
  }
  arrow::Status Tick() override { return random_() % 3 == 0 ? Flush() : arrow::Status::OK(); }
  std::optional<Position> durable() const override {
    if (!world_.stored_position.has_value()) return std::nullopt;
    return Position{{"fake", "1"}, 1, *world_.stored_position, ""};
  }
  bool has_pending_rows() const override { return !pending_.empty(); }
  arrow::Status Close() override { return crash_ ? arrow::Status::OK() : Flush(); }

 private:
  void Store(const TableName& name) {
    for (const FakeRow& row : pending_[name]) {
      world_.stored_ids.insert(row.id);
      world_.stored_last_rows[name] = row.position;
    }
    pending_.erase(name);
  }

  World& world_;
  std::mt19937_64& random_;
  bool crash_;
  std::map<TableName, std::vector<FakeRow>> pending_;
  std::optional<uint64_t> advanced_;
};

void ExpectEveryRowOnce(const World& world) {
  EXPECT_EQ(world.stored_ids.size(), static_cast<size_t>(world.server.next_id));
  for (int64_t id = 0; id < world.server.next_id; ++id)
    EXPECT_EQ(world.stored_ids.count(id), 1u) << "row " << id;
}

TEST(Pipeline, EveryRowExactlyOnceOverCrashesAndReconnects) {
  std::mt19937_64 random(test::Seed());
  PipelineObserver observer;
  const StopToken stop;
  uint64_t reconnects = 0;
  for (int round = 0; round < 60; ++round) {
    World world(random, 40);
    PipelineOptions options;
    options.until_lsn = world.server.wal_end;
    for (int crash = 0; crash < 5; ++crash) {
      FakeSource source(world.server, random(), 0);
      source.FailForGoodAfter(static_cast<int>(random() % 120));
      FakeSink sink(world, random, true);
      (void)RunPipeline(source, sink, options, nullptr, observer, stop);
    }
    FakeSource source(world.server, random(), 200);
    FakeSink sink(world, random, false);
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
    ASSERT_TRUE(stats.ok()) << stats.status();
    reconnects += stats->reconnects;
    EXPECT_EQ(world.server.confirmed, world.server.wal_end);
    ExpectEveryRowOnce(world);
    if (HasFailure()) return;
  }
  EXPECT_GT(reconnects, 0u);
}

// Delivers so many transactions a session, then meets what no session can pass.
class PoisonedSource : public FakeSource {
 public:
  PoisonedSource(FakeServer& server, ErrorKind kind, std::vector<uint64_t> session_ends)
      : FakeSource(server, 1, 0), kind_(kind), session_ends_(std::move(session_ends)) {}

  arrow::Status Start(uint64_t start) override {
    start_ = start;
    told_ = false;
    ++sessions;
    return arrow::Status::OK();
  }
  arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds) override {
    const size_t session = std::min(sessions, session_ends_.size()) - 1;
    if (!std::exchange(told_, true) && session_ends_[session] > start_) {
      return Event(ProgressEvent{{session_ends_[session], /*group_end=*/true, false, false}});
    }
    return MakeError(kind_, "met at its place", "publication \"p\"", "", "42704");
  }

  size_t sessions = 0;

 private:
  const ErrorKind kind_;
  const std::vector<uint64_t> session_ends_;
  uint64_t start_ = 0;
  bool told_ = false;
};

TEST(Pipeline, WhatLiesBeforeAnErrorOfOnePlaceIsDelivered) {
  const StopToken stop;
  const auto run = [&](ErrorKind kind) {
    World world;
    world.server.wal_end = 1000;
    std::mt19937_64 random(1);
    PoisonedSource source(world.server, kind, {101, 105, 105});
    FakeSink sink(world, random, false);
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, {}, nullptr, observer, stop);
    EXPECT_FALSE(stats.ok());
    EXPECT_EQ(GetErrorDetail(stats.status())->kind(), kind);
    return std::pair(source.sessions, world.stored_position);
  };
  EXPECT_EQ(run(ErrorKind::kUnsupported), std::pair(size_t{3}, std::optional<uint64_t>(105)));
  EXPECT_EQ(run(ErrorKind::kPublicationMissing), std::pair(size_t{3}, std::optional<uint64_t>(105)));
  // Of another error nobody knows that.
  EXPECT_EQ(run(ErrorKind::kProtocol), std::pair(size_t{1}, std::optional<uint64_t>(101)));
}

TEST(Pipeline, AnEndThatWasAskedForIsNoErrorOfTheSession) {
  World world;
  std::mt19937_64 random(1);
  const auto batch = [&](int64_t id, uint64_t lsn) {
    return Event(test::FakeBatch(world.server.tables[0], {{0, id, {lsn, lsn, 0}}},
                                 {lsn + 1, /*group_end=*/true, false, false}));
  };
  NoticeEvent notice;
  notice.what = NoticeEvent::What::kPassedOver;
  notice.table = world.server.tables[1]->name;
  notice.operation.insert = true;
  notice.commit_lsn = 300;
  struct Observer : PipelineObserver {
    void OnRetry(const arrow::Status& status, milliseconds) override { ADD_FAILURE() << status; }
  } observer;
  FakeSource source(world.server, {batch(0, 200), Event(notice), batch(1, 300), batch(2, 400)});
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.on_unpublished = OnUnpublished::kStop;
  options.until_lsn = 301;
  const auto patterns = TablePatterns::Parse({"public.*"});
  ASSERT_TRUE(patterns.ok());
  const auto stats = RunPipeline(source, sink, options, &*patterns, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kPublicationMissing);
  EXPECT_EQ(world.stored_ids, (std::multiset<int64_t>{0, 1}));
  EXPECT_EQ(world.stored_position, 301u);
}

TEST(Pipeline, APartitionThatCarriesLessIsSaidOnceATable) {
  const StopToken stop;
  World world;
  std::mt19937_64 random(1);
  const auto batch = [&](int table, int64_t id, bool weakened) {
    auto schema = std::make_shared<TableSchema>(*world.server.tables[static_cast<size_t>(table)]);
    if (weakened) schema->weakened = WeakenedIdentity{"public.leaf", ReplicaIdentity::kDefault, {0}};
    const uint64_t lsn = 200 + static_cast<uint64_t>(id);
    return Event(
        test::FakeBatch(schema, {{table, id, {lsn, lsn, 0}}}, {lsn + 1, /*group_end=*/true, false, false}));
  };
  struct Observer : PipelineObserver {
    void OnNotice(const SourceNotice& notice) override {
      EXPECT_FALSE(notice.error);
      EXPECT_NE(notice.text.find("public.leaf"), std::string::npos) << notice.text;
      objects.push_back(notice.object);
    }
    std::vector<std::string> objects;
  } observer;
  FakeSource source(world.server, {batch(0, 1, false), batch(0, 2, true), batch(1, 3, false),
                                   batch(0, 4, true), batch(0, 5, false), batch(0, 6, true)});
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = 207;
  ASSERT_TRUE(RunPipeline(source, sink, options, nullptr, observer, stop).ok());
  EXPECT_EQ(observer.objects, std::vector<std::string>{"table public.t0"});
}

TEST(Pipeline, AServerThatGoesAwayBeforeTheFirstStartIsTriedAgain) {
  std::mt19937_64 random(1);
  World world(random, 5);
  struct Restarting : FakeSource {
    using FakeSource::FakeSource;
    arrow::Status Start(uint64_t start) override {
      if (starts++ == 0) return MakeError(ErrorKind::kConnection, "restarting", "server", "", "57P01", true);
      return FakeSource::Start(start);
    }
    int starts = 0;
  } source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.server.wal_end;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(source.starts, 2);
  ExpectEveryRowOnce(world);
}

// A start is decided as one until it was decided, however often the connection is lost meanwhile.
TEST(Pipeline, AServerThatGoesAwayWhileTheStartIsDecidedIsTriedAgain) {
  std::mt19937_64 random(1);
  World world(random, 5);
  world.stored_position = 100;
  struct Promoted : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<SourceInfo> Connect() override {
      ARROW_ASSIGN_OR_RAISE(SourceInfo info, FakeSource::Connect());
      info.stream.timeline = 2;
      return info;
    }
    arrow::Result<uint64_t> TimelineEnd(uint32_t timeline) override {
      EXPECT_EQ(timeline, 1u);
      if (asked++ == 0) return MakeError(ErrorKind::kConnection, "lost", "server", "", "57P01", true);
      return 100;
    }
    int asked = 0;
  } source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.server.wal_end;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(source.asked, 2);
  ExpectEveryRowOnce(world);
}

TEST(Pipeline, AGapThatWasAcceptedIsStored) {
  std::mt19937_64 random(1);
  World world;
  world.stored_position = 50;
  FakeSource source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.server.wal_end;
  options.accept_gap = true;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(world.stored_position, world.server.confirmed);
}

TEST(Pipeline, ASinkThatClaimsTooMuchIsStoppedBeforeTheAcknowledgement) {
  std::mt19937_64 random(1);
  World world(random, 5);
  struct Liar : FakeSink {
    using FakeSink::FakeSink;
    std::optional<Position> durable() const override { return Position{{"fake", "1"}, 1, ~0ull, ""}; }
  } sink(world, random, false);
  FakeSource source(world.server, random(), 0);
  PipelineOptions options;
  options.until_lsn = world.server.wal_end;
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kInternal);
  EXPECT_EQ(world.server.confirmed, 100u);
}

TEST(Pipeline, RowsOutOfOrderAreAnErrorAndNotTakenForRepeatedOnes) {
  std::mt19937_64 random(1);
  World world(random, 5);
  struct Disordered : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<std::optional<Event>> Next(milliseconds) override {
      const uint64_t lsn = sent++ == 0 ? 108 : 107;
      return std::optional<Event>(
          test::FakeBatch(test::FakeTable("a"), {{0, 1, {120, lsn, 0}}}, GroupState{}));
    }
    int sent = 0;
  } source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, PipelineOptions{}, nullptr, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kProtocol);
}

TEST(Pipeline, StoppedBeforeItEverStreamedIsNotSuccess) {
  std::mt19937_64 random(1);
  World world(random, 5);
  FakeSource source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineObserver observer;
  StopToken stop;
  stop.Stop();
  const auto stats = RunPipeline(source, sink, PipelineOptions{}, nullptr, observer, stop);
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kConnection);
}

TEST(Pipeline, GivesUpWhenTheServerIsAwayTooLong) {
  std::mt19937_64 random(1);
  World world(random, 5);
  FakeSource source(world.server, random(), 1);  // every Next fails
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.retry_max = milliseconds(200);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kConnection);
}

TEST(Pipeline, LeavesOutTablesThatDoNotMatch) {
  std::mt19937_64 random(7);
  World world(random, 30);
  world.wanted_tables = 1;
  FakeSource source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until_lsn = world.server.wal_end;
  PipelineObserver observer;
  auto patterns = TablePatterns::Parse({"public.t0"});
  ASSERT_TRUE(patterns.ok());
  const auto stats = RunPipeline(source, sink, options, &*patterns, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  std::multiset<int64_t> expected;
  for (const FakeTransaction& txn : world.server.wal) {
    for (const FakeRow& row : txn.rows) {
      if (row.table == 0) expected.insert(row.id);
    }
  }
  EXPECT_EQ(world.stored_ids, expected);
  EXPECT_EQ(stats->rows_unmatched, static_cast<size_t>(world.server.next_id) - expected.size());
}

SourceInfo Slot(uint64_t confirmed, uint64_t end, uint32_t timeline = 1) {
  SourceInfo info;
  info.stream = {{"postgresql", "7"}, timeline, "db", "s"};
  info.confirmed_flush = confirmed;
  info.current_flush = end;
  return info;
}

SinkState Stored(uint64_t order, uint32_t timeline = 1) {
  SinkState state;
  state.position = Position{{"postgresql", "7"}, timeline, order, ""};
  return state;
}

const TimelineEnd kEndsAt500 = [](uint32_t) { return arrow::Result<uint64_t>(500); };

void ExpectGap(const arrow::Result<uint64_t>& start) {
  ASSERT_FALSE(start.ok());
  ASSERT_NE(GetErrorDetail(start.status()), nullptr);
  EXPECT_EQ(GetErrorDetail(start.status())->kind(), ErrorKind::kPositionGap);
}

TEST(ChooseStart, NewSinkOnNewSlotBeginsAtTheSlot) {
  EXPECT_EQ(ChooseStart(Slot(200, 300), SinkState{}, true, false, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, NewSinkOnUsedSlotIsRefusedUnlessTold) {
  SourceInfo info = Slot(200, 300);
  info.slot_used = true;
  ExpectGap(ChooseStart(info, SinkState{}, true, false, kEndsAt500));
  EXPECT_EQ(ChooseStart(info, SinkState{}, true, true, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, WithoutANoteItDoesNotClaimThatOthersAcknowledged) {
  SourceInfo info = Slot(200, 300);
  info.slot_start_known = false;
  EXPECT_EQ(ChooseStart(info, SinkState{}, true, false, kEndsAt500).ValueOrDie(), 200u);
  info.slot_used = true;
  const auto refused = ChooseStart(info, SinkState{}, true, false, kEndsAt500);
  ExpectGap(refused);
  EXPECT_NE(refused.status().message().find("nothing tells whether"), std::string::npos);
  EXPECT_EQ(ChooseStart(info, SinkState{}, true, true, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, StoredPositionAheadOfTheSlotIsUsed) {
  EXPECT_EQ(ChooseStart(Slot(200, 300), Stored(250), true, false, kEndsAt500).ValueOrDie(), 250u);
}

TEST(ChooseStart, SlotAheadOfTheStoredPositionIsRefusedUnlessTold) {
  ExpectGap(ChooseStart(Slot(200, 300), Stored(150), true, false, kEndsAt500));
  EXPECT_EQ(ChooseStart(Slot(200, 300), Stored(150), true, true, kEndsAt500).ValueOrDie(), 200u);
}

TEST(ChooseStart, StoredPositionBeyondTheServerIsRefused) {
  ExpectGap(ChooseStart(Slot(200, 300), Stored(301), true, false, kEndsAt500));
  ExpectGap(ChooseStart(Slot(200, 300), Stored(301), true, true, kEndsAt500));
}

TEST(ChooseStart, TimelinesDecideWhetherAStoredPositionIsWorthSomething) {
  EXPECT_EQ(ChooseStart(Slot(200, 900, 2), Stored(500), true, false, kEndsAt500).ValueOrDie(), 500u);
  ExpectGap(ChooseStart(Slot(200, 900, 2), Stored(501), true, false, kEndsAt500));
  ExpectGap(ChooseStart(Slot(200, 900, 1), Stored(300, 2), true, false, kEndsAt500));
}

TEST(CheckReconnect, RefusesAnotherServerAndAMovedSlot) {
  const StreamIdentity before = Slot(0, 0).stream;
  EXPECT_TRUE(CheckReconnect(before, Slot(200, 300), 250, kEndsAt500).ok());
  EXPECT_FALSE(CheckReconnect(before, Slot(260, 300), 250, kEndsAt500).ok());
  SourceInfo other = Slot(200, 300);
  other.stream.source.id = "8";
  EXPECT_FALSE(CheckReconnect(before, other, 250, kEndsAt500).ok());
}

}  // namespace
}  // namespace arrowcdc
