// The pipeline against a made-up server and a made-up storage, both of which can fail at any point: every row
// ends up in the storage exactly once, and nothing is acknowledged that is not there.
#include "arrowcdc/pipeline.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "src/change/message_row.h"
#include "src/delivery/testing/fake_source.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc {
namespace {

using std::chrono::milliseconds;

using test::At;
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

  std::optional<Position> stored_position;
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
    state.position = world_.stored_position;
    state.last_rows = world_.stored_last_rows;
    return state;
  }
  arrow::Status Write(const ChangeBatch& batch) override {
    EXPECT_GT(batch.rows->num_rows(), 0);
    const auto& ids = static_cast<const arrow::Int64Array&>(*batch.rows->column(0));
    ARROW_ASSIGN_OR_RAISE(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
    for (int64_t row = 0; row < ids.length(); ++row) {
      pending_[batch.table->name].push_back({0, ids.Value(row), changes.position(row)});
    }
    last_commit_ = pending_[batch.table->name].back().position.commit_lsn;
    // A table's file that is full becomes durable by itself, also in the middle of a transaction.
    if (random_() % 7 == 0) Store(batch.table->name);
    return arrow::Status::OK();
  }
  arrow::Status Advance(const Position& position) override {
    EXPECT_GE(position, advanced_);
    EXPECT_LT(last_commit_, FakeServer::LsnAt(position)) << "rows behind it were accepted";
    advanced_ = position;
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
  std::optional<Position> durable() const override { return world_.stored_position; }
  bool has_pending_rows() const override { return !pending_.empty(); }
  arrow::Status Close() override { return crash_ ? arrow::Status::OK() : Flush(); }

 private:
  void Store(const TableName& name) {
    EXPECT_TRUE(world_.stored_position.has_value()) << "rows before a position";
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
  uint64_t last_commit_ = 0;  // of the rows accepted
  std::optional<Position> advanced_;
};

void ExpectEveryRowOnce(const World& world) {
  EXPECT_EQ(world.stored_ids.size(), static_cast<size_t>(world.server.next_id));
  for (int64_t id = 0; id < world.server.next_id; ++id)
    EXPECT_EQ(world.stored_ids.count(id), 1u) << "row " << id;
}

std::string UntilEnd(const FakeServer& server) { return FormatLsn(server.PositionAt(server.wal_end).order); }

TEST(Pipeline, EveryRowExactlyOnceOverCrashesAndReconnects) {
  std::mt19937_64 random(test::Seed());
  PipelineObserver observer;
  const StopToken stop;
  uint64_t reconnects = 0;
  uint32_t epochs = 0;
  for (int round = 0; round < 60; ++round) {
    World world(random, 40);
    PipelineOptions options;
    for (int crash = 0; crash < 5; ++crash) {
      if (random() % 4 == 0) world.server.FailOver();
      options.until = UntilEnd(world.server);
      FakeSource source(world.server, random(), 0);
      source.FailForGoodAfter(static_cast<int>(random() % 120));
      FakeSink sink(world, random, true);
      (void)RunPipeline(source, sink, options, nullptr, observer, stop);
    }
    options.until = UntilEnd(world.server);
    FakeSource source(world.server, random(), 20);
    source.FailOverOneIn(3);
    FakeSink sink(world, random, false);
    const uint32_t epoch = world.server.epoch;
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
    ASSERT_TRUE(stats.ok()) << stats.status();
    reconnects += stats->reconnects;
    epochs += world.server.epoch - epoch;
    EXPECT_EQ(world.stored_position, world.server.PositionAt(world.server.wal_end));
    EXPECT_EQ(world.server.PositionAt(world.server.confirmed), world.stored_position);
    ExpectEveryRowOnce(world);
    if (HasFailure()) return;
  }
  EXPECT_GT(reconnects, 0u);
  EXPECT_GT(epochs, 0u) << "while it streamed";
}

// Delivers so many transactions a session, then meets what no session can pass.
class PoisonedSource : public FakeSource {
 public:
  PoisonedSource(FakeServer& server, ErrorKind kind, std::vector<Position> session_ends)
      : FakeSource(server, 1, 0), kind_(kind), session_ends_(std::move(session_ends)) {}

  arrow::Status Start(const Position& start) override {
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
  const std::vector<Position> session_ends_;
  Position start_;
  bool told_ = false;
};

TEST(Pipeline, WhatLiesBeforeAnErrorOfOnePlaceIsDelivered) {
  const StopToken stop;
  const auto run = [&](ErrorKind kind, const PipelineOptions& options = {}) {
    World world;
    world.server.wal_end = 1000;
    std::mt19937_64 random(1);
    PoisonedSource source(world.server, kind, {At(101), At(105), At(105)});
    FakeSink sink(world, random, false);
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, stop);
    EXPECT_FALSE(stats.ok());
    EXPECT_EQ(GetErrorDetail(stats.status())->kind(), kind);
    return std::pair(source.sessions, world.stored_position);
  };
  EXPECT_EQ(run(ErrorKind::kUnsupported), std::pair(size_t{3}, std::optional(At(105))));
  EXPECT_EQ(run(ErrorKind::kPublicationMissing), std::pair(size_t{3}, std::optional(At(105))));
  PipelineOptions without_retries;
  without_retries.retry_max = milliseconds(0);
  EXPECT_EQ(run(ErrorKind::kUnsupported, without_retries), std::pair(size_t{3}, std::optional(At(105))));
  // Of another error nobody knows that.
  EXPECT_EQ(run(ErrorKind::kProtocol), std::pair(size_t{1}, std::optional(At(101))));
}

TEST(Pipeline, AnEndThatWasAskedForIsNoErrorOfTheSession) {
  World world;
  std::mt19937_64 random(1);
  const auto batch = [&](int64_t id, uint64_t lsn) {
    return Event(test::FakeBatch(world.server.tables[0], {{0, id, {lsn, lsn, 0}}},
                                 {At(lsn + 1), /*group_end=*/true, false, false}));
  };
  NoticeEvent notice;
  notice.what = NoticeEvent::What::kPassedOver;
  notice.table = world.server.tables[1]->name;
  notice.operation.insert = true;
  notice.position = At(300);
  struct Observer : PipelineObserver {
    void OnRetry(const arrow::Status& status, milliseconds) override { ADD_FAILURE() << status; }
    void OnNotice(const SourceNotice& told) override {
      waits += told.text == "the log of the source ends at 0/64: the stream waits until it has come to 0/12D"
                   ? 1
                   : 0;
    }
    int waits = 0;
  } observer;
  FakeSource source(world.server, {batch(0, 200), Event(notice), batch(1, 300), batch(2, 400)});
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.on_unpublished = OnUnpublished::kStop;
  options.until = FormatLsn(301);
  const auto patterns = TablePatterns::Parse({"public.*"});
  ASSERT_TRUE(patterns.ok());
  const auto stats = RunPipeline(source, sink, options, &*patterns, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kPublicationMissing);
  EXPECT_EQ(world.stored_ids, (std::multiset<int64_t>{0, 1}));
  EXPECT_EQ(world.stored_position, At(301));
  EXPECT_EQ(observer.waits, 1) << "the log did not reach so far";
}

TEST(Pipeline, APartitionThatCarriesLessIsSaidOnceATable) {
  const StopToken stop;
  World world;
  std::mt19937_64 random(1);
  const auto batch = [&](int table, int64_t id, bool weakened) {
    auto schema = std::make_shared<TableSchema>(*world.server.tables[static_cast<size_t>(table)]);
    if (weakened) schema->weakened = WeakenedIdentity{"public.leaf", ReplicaIdentity::kDefault, {0}};
    const uint64_t lsn = 200 + static_cast<uint64_t>(id);
    return Event(test::FakeBatch(schema, {{table, id, {lsn, lsn, 0}}},
                                 {At(lsn + 1), /*group_end=*/true, false, false}));
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
  options.until = FormatLsn(207);
  world.server.wal_end = 207;
  ASSERT_TRUE(RunPipeline(source, sink, options, nullptr, observer, stop).ok());
  EXPECT_EQ(observer.objects, std::vector<std::string>{"table public.t0"});
}

// Rows that the source has passed over itself count as those that come and match no pattern.
TEST(Pipeline, NewsOfASourceAreToldAndCounted) {
  World world;
  std::mt19937_64 random(1);
  struct Telling : FakeSource {
    using FakeSource::FakeSource;
    SourceNews TakeNews() override {
      SourceNews news;
      if (asked++ == 0) news.notices.push_back({false, "older than this client", "plugin"});
      if (asked == 2) news.unmatched = {{{"public", "t7"}, 5}, {{"public", "t8"}, 2}};
      return news;
    }
    int asked = 0;
  } source(world.server,
           {test::FakeBatch(world.server.tables[0], {{0, 1, {200, 200, 0}}}, {At(201), true, false, false})});
  struct Observer : PipelineObserver {
    void OnNotice(const SourceNotice& notice) override { told.push_back(notice.object + ": " + notice.text); }
    std::vector<std::string> told;
  } observer;
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until = FormatLsn(201);
  world.server.wal_end = 201;
  const auto patterns = TablePatterns::Parse({"public.t0"}).ValueOrDie();
  const auto stats = RunPipeline(source, sink, options, &patterns, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->rows_unmatched, 7u);
  EXPECT_EQ(stats->unmatched_tables,
            (std::map<TableName, uint64_t>{{{"public", "t7"}, 5}, {{"public", "t8"}, 2}}));
  ASSERT_EQ(observer.told.size(), 3u);
  EXPECT_EQ(observer.told[0], "plugin: older than this client");
  EXPECT_TRUE(observer.told[1].starts_with("table public.t7: ")) << observer.told[1];
}

TEST(Pipeline, AServerThatGoesAwayBeforeTheFirstStartIsTriedAgain) {
  std::mt19937_64 random(1);
  World world(random, 5);
  struct Restarting : FakeSource {
    using FakeSource::FakeSource;
    arrow::Status Start(const Position& start) override {
      if (starts++ == 0) return MakeError(ErrorKind::kConnection, "restarting", "server", "", "57P01", true);
      return FakeSource::Start(start);
    }
    int starts = 0;
  } source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until = UntilEnd(world.server);
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
  world.stored_position = At(100);
  struct Promoted : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<Position> Resume(const ResumeRequest& request) override {
      EXPECT_EQ(request.have, ResumeRequest::Have::kStored);
      EXPECT_EQ(request.position, At(100));
      if (asked++ == 0) return MakeError(ErrorKind::kConnection, "lost", "server", "", "57P01", true);
      return FakeSource::Resume(request);
    }
    int asked = 0;
  } source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until = UntilEnd(world.server);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(source.asked, 2);
  ExpectEveryRowOnce(world);
}

TEST(Pipeline, AGapThatWasAcceptedIsStored) {
  std::mt19937_64 random(1);
  World world;
  world.stored_position = At(50);
  FakeSource source(world.server, random(), 0);
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until = UntilEnd(world.server);
  options.accept_gap = true;
  struct : PipelineObserver {
    void OnNotice(const SourceNotice& notice) override { texts.push_back(notice.text); }
    std::vector<std::string> texts;
  } observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(world.stored_position, At(world.server.confirmed));
  EXPECT_EQ(observer.texts, std::vector<std::string>{"changes are lacking, as was accepted: a gap"});
}

// Columns differ by who decodes: what one plugin began the other does not go on with unasked.
TEST(Pipeline, ASinkKeepsToThePluginOfItsRows) {
  struct PluginSource : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<SourceInfo> Connect() override {
      ARROW_ASSIGN_OR_RAISE(SourceInfo info, FakeSource::Connect());
      info.stream.plugin = "pgoutput";
      return info;
    }
  };
  struct PluginSink : FakeSink {
    using FakeSink::FakeSink;
    std::string plugin;
    arrow::Result<SinkState> Open(const StreamIdentity& stream) override {
      ARROW_ASSIGN_OR_RAISE(SinkState state, FakeSink::Open(stream));
      state.stream = stream;
      state.stream->plugin = plugin;
      return state;
    }
  };
  const auto run = [](const std::string& plugin, bool accept) {
    std::mt19937_64 random(1);
    World world(random, 5);
    world.stored_position = At(world.server.confirmed);
    PluginSource source(world.server, random(), 0);
    PluginSink sink(world, random, false);
    sink.plugin = plugin;
    PipelineOptions options;
    options.until = UntilEnd(world.server);
    options.accept_plugin = accept;
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
    EXPECT_EQ(world.stored_ids.empty(), !stats.ok());
    return stats.status();
  };
  const arrow::Status refused = run("wal2arrow", false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(GetErrorDetail(refused)->kind(), ErrorKind::kSlotMismatch) << refused;
  EXPECT_NE(refused.message().find("by the plugin wal2arrow, and the slot is one of pgoutput"),
            std::string::npos);
  EXPECT_NE(GetErrorDetail(refused)->remedy().find("--accept-plugin"), std::string::npos);
  EXPECT_TRUE(run("wal2arrow", true).ok());
  EXPECT_TRUE(run("pgoutput", false).ok());
  EXPECT_TRUE(run("", false).ok());
}

// Ends each of its sessions with a lost connection.
struct ScriptedSessions : FakeSource {
  ScriptedSessions(FakeServer& server, std::vector<std::vector<Event>> scripts)
      : FakeSource(server, std::vector<Event>{}), sessions(std::move(scripts)) {}
  arrow::Status Start(const Position&) override {
    ++session;
    place = 0;
    return arrow::Status::OK();
  }
  arrow::Result<std::optional<Event>> Next(milliseconds) override {
    const std::vector<Event>& script = sessions[session - 1];
    if (place < script.size()) return std::optional<Event>(script[place++]);
    return MakeError(ErrorKind::kConnection, "lost", "server", "", "", true);
  }
  const std::vector<std::vector<Event>> sessions;
  size_t session = 0;
  size_t place = 0;
};

// A server that takes over without the last that the other one had sent: its rows are in the sink.
TEST(Pipeline, RowsThatDoNotComeAgainAreAnError) {
  std::mt19937_64 random(1);
  World world;
  world.server.wal_end = 1000;
  const auto batch = [&](int table, uint64_t commit, GroupState group) {
    return Event(test::FakeBatch(world.server.tables[static_cast<size_t>(table)],
                                 {{table, static_cast<int64_t>(commit), {commit, commit, 0}}}, group));
  };
  const auto ends = [](uint64_t order) { return GroupState{At(order), /*group_end=*/true, false, false}; };
  ScriptedSessions source(world.server, {{batch(0, 110, {})},
                                         {KeepaliveEvent{At(115), true}, batch(1, 120, ends(121))},
                                         {batch(0, 110, ends(111)), batch(1, 120, ends(121))}});
  FakeSink sink(world, random, false);
  PipelineOptions options;
  options.until = FormatLsn(121);
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kPositionGap) << stats.status();
  EXPECT_EQ(GetErrorDetail(stats.status())->object(), "table public.t0");
  EXPECT_EQ(source.session, 2u);
  EXPECT_EQ(world.server.confirmed, 100u);
}

// The same where no row comes at all, and where the server has rows of its own in their place.
TEST(Pipeline, RowsThatDoNotComeAgainAreAnErrorWithoutLaterOnes) {
  for (const bool same_table : {false, true}) {
    std::mt19937_64 random(1);
    World world;
    world.server.wal_end = 1000;
    const auto batch = [&](uint64_t commit, GroupState group) {
      return Event(test::FakeBatch(world.server.tables[0],
                                   {{0, static_cast<int64_t>(commit), {commit, commit, 0}}}, group));
    };
    const auto ends = [](uint64_t order) { return GroupState{At(order), /*group_end=*/true, false, false}; };
    ScriptedSessions source(
        world.server,
        {{batch(110, {}), batch(200, {})},
         same_table ? std::vector<Event>{batch(110, ends(111)), batch(150, ends(151)), batch(210, ends(211))}
                    : std::vector<Event>{KeepaliveEvent{At(150), true}, ProgressEvent{ends(300)}},
         {ProgressEvent{ends(400)}}});
    FakeSink sink(world, random, false);
    PipelineOptions options;
    options.until = FormatLsn(400);
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, options, nullptr, observer, StopToken());
    ASSERT_FALSE(stats.ok()) << same_table;
    EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kPositionGap) << stats.status();
    EXPECT_EQ(GetErrorDetail(stats.status())->object(), "table public.t0");
    EXPECT_EQ(source.session, 2u) << same_table;
    EXPECT_EQ(world.server.confirmed, 100u) << same_table;
  }
}

// Another connection divides the same transactions into other groups.
TEST(Pipeline, APositionIsToldOnceNoRowLiesBehindIt) {
  std::mt19937_64 random(1);
  World world;
  world.server.wal_end = 1000;
  const auto batch = [&](int table, std::initializer_list<uint64_t> commits, GroupState group) {
    std::vector<FakeRow> rows;
    for (const uint64_t commit : commits)
      rows.push_back({table, static_cast<int64_t>(commit) * 10 + table, {commit, commit, 0}});
    return Event(test::FakeBatch(world.server.tables[static_cast<size_t>(table)], rows, group));
  };
  const GroupState open;
  const auto ends = [](uint64_t order) { return GroupState{At(order), /*group_end=*/true, false, false}; };
  ScriptedSessions source(world.server,
                          {{batch(0, {110, 120, 130}, open)},
                           {batch(0, {110}, open), batch(1, {110}, ends(111)), KeepaliveEvent{At(115), true},
                            batch(0, {120}, ends(121)), batch(0, {130}, ends(131))}});
  struct Recording : FakeSink {
    using FakeSink::FakeSink;
    arrow::Status Advance(const Position& position) override {
      told.push_back(position);
      return FakeSink::Advance(position);
    }
    std::vector<Position> told;
  } sink(world, random, false);
  PipelineOptions options;
  options.until = FormatLsn(131);
  PipelineObserver observer;
  ARROWCDC_ASSERT_OK(RunPipeline(source, sink, options, nullptr, observer, StopToken()));
  EXPECT_EQ(sink.told, (std::vector<Position>{At(100), At(131)}));
  EXPECT_EQ(world.stored_ids, (std::multiset<int64_t>{1100, 1101, 1200, 1300}));
}

// Its orders begin below those that were acknowledged, as another server's do after a failover.
TEST(Pipeline, AnEpochWithLowerOrdersGoesOnWhereTheOneBeforeItEnded) {
  std::mt19937_64 random(1);
  World world(random, 20);
  const auto run = [&] {
    FakeSource source(world.server, random(), 0);
    FakeSink sink(world, random, false);
    PipelineOptions options;
    options.until = UntilEnd(world.server);
    PipelineObserver observer;
    return RunPipeline(source, sink, options, nullptr, observer, StopToken());
  };
  ARROWCDC_ASSERT_OK(run());
  const Position before = *world.stored_position;
  world.server.FailOver();
  world.server.Write(random, 3, 11);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const PipelineStats stats, run());
  EXPECT_EQ(world.stored_position, world.server.PositionAt(world.server.wal_end));
  EXPECT_EQ(stats.durable, world.stored_position);
  EXPECT_EQ(world.stored_position->epoch, 2u);
  EXPECT_LT(world.stored_position->order, before.order);
  EXPECT_EQ(world.server.PositionAt(world.server.confirmed), world.stored_position);
  ExpectEveryRowOnce(world);
}

// The end that a connection set is behind all that a later epoch delivers, until the source says where it is
// there.
TEST(Pipeline, AnEndMovesIntoTheNextEpoch) {
  std::mt19937_64 random(test::Seed());
  struct Unpublished : FakeSource {
    using FakeSource::FakeSource;
    arrow::Result<SourceInfo> Connect() override {
      ARROW_ASSIGN_OR_RAISE(SourceInfo info, FakeSource::Connect());
      info.published.any = false;
      return info;
    }
  };
  uint32_t epochs = 0;
  for (int round = 0; round < 5; ++round) {
    World world(random, 20);
    Unpublished source(world.server, random(), 40);
    source.FailOverOneIn(1);
    FakeSink sink(world, random, false);
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, {}, nullptr, observer, StopToken());
    ASSERT_FALSE(stats.ok());
    EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kPublicationMissing) << stats.status();
    ExpectEveryRowOnce(world);
    epochs += world.server.epoch - 1;
  }
  EXPECT_GT(epochs, 0u);
}

// A server of the earlier epoch must not take the rows for its own.
TEST(Pipeline, TheFirstPositionOfAnEpochIsStoredBeforeItsRows) {
  std::mt19937_64 random(1);
  World world;
  world.stored_position = At(100);
  world.server.FailOver();
  world.server.wal_end = 1000;
  struct Observing : FakeSink {
    using FakeSink::FakeSink;
    arrow::Status Write(const ChangeBatch& batch) override {
      stored.push_back(*durable());
      return FakeSink::Write(batch);
    }
    std::vector<Position> stored;
  } sink(world, random, false);
  const auto batch = [&](int64_t id, uint64_t lsn) {
    return Event(test::FakeBatch(world.server.tables[0], {{0, id, {lsn, lsn, 0}}},
                                 {world.server.PositionAt(lsn + 8), /*group_end=*/true, false, false}));
  };
  FakeSource source(world.server, {batch(1, 200), batch(2, 216)});
  PipelineOptions options;
  options.until = FormatLsn(world.server.PositionAt(224).order);
  PipelineObserver observer;
  ARROWCDC_ASSERT_OK(RunPipeline(source, sink, options, nullptr, observer, StopToken()));
  ASSERT_EQ(sink.stored.size(), 2u);
  EXPECT_EQ(sink.stored[0], world.server.PositionAt(100));
  EXPECT_EQ(sink.stored[1].epoch, 2u);
}

// Whatever the stream ends with before any row: it may be of another slot, or with other patterns, next time.
TEST(Pipeline, ASinkIsNewUntilItHasRowsOrAPosition) {
  std::mt19937_64 random(1);
  World world;
  world.server.wal_end = 1000;
  const auto run = [&](std::vector<Position> session_ends) {
    PoisonedSource source(world.server, ErrorKind::kProtocol, std::move(session_ends));
    FakeSink sink(world, random, false);
    PipelineObserver observer;
    EXPECT_FALSE(RunPipeline(source, sink, {}, nullptr, observer, StopToken()).ok());
    EXPECT_EQ(source.sessions, 1u);
  };
  run({At(100)});
  EXPECT_EQ(world.stored_position, std::nullopt);
  EXPECT_EQ(world.server.confirmed, 100u);
  run({At(120)});
  EXPECT_EQ(world.stored_position, At(120));
}

TEST(Pipeline, ASinkThatClaimsTooMuchIsStoppedBeforeTheAcknowledgement) {
  std::mt19937_64 random(1);
  World world(random, 5);
  struct Liar : FakeSink {
    using FakeSink::FakeSink;
    std::optional<Position> durable() const override { return At(~0ull); }
  } sink(world, random, false);
  FakeSource source(world.server, random(), 0);
  PipelineOptions options;
  options.until = UntilEnd(world.server);
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
  options.until = UntilEnd(world.server);
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

// A sink that writes down whose rows it was given.
class RecordingSink : public Sink {
 public:
  bool keeps_data() const override { return true; }
  arrow::Result<SinkState> Open(const StreamIdentity&) override { return state; }
  arrow::Status Write(const ChangeBatch& batch) override {
    written.push_back(ToString(batch.table->name));
    return arrow::Status::OK();
  }
  arrow::Status Advance(const Position& position) override {
    position_ = position;
    return arrow::Status::OK();
  }
  arrow::Status Flush() override { return arrow::Status::OK(); }
  arrow::Status Tick() override { return arrow::Status::OK(); }
  std::optional<Position> durable() const override { return position_; }
  bool has_pending_rows() const override { return false; }
  arrow::Status Close() override { return arrow::Status::OK(); }

  SinkState state;
  std::vector<std::string> written;

 private:
  std::optional<Position> position_;
};

// As the decoders give them: of a transaction that ends behind `commit_lsn`, or of none.
ChangeBatch FakeMessage(uint64_t commit_lsn, uint64_t end_lsn, GroupState group) {
  LogicalMessage message{end_lsn, "p", arrow::Buffer::FromString("x"), std::nullopt};
  if (commit_lsn != 0) message.transaction = {commit_lsn, 700, 0};
  return {MessagesTable(), MessageRow(message).ValueOrDie(), group};
}

// Whatever the patterns are, and as little repeated as rows are: one that is not transactional lies between
// the commits before and behind it.
TEST(Pipeline, LogicalMessagesComeOnce) {
  FakeServer server(1);
  server.wal_end = 180;
  const std::vector<Event> events = {
      FakeMessage(0, 105, {At(105), true, false, false}),
      test::FakeBatch(server.tables[0], {{0, 1, {120, 108, 0}}}, {At(105), false, true, false}),
      FakeMessage(120, 111, {At(105), false, true, false}),
      ProgressEvent{{At(130), true, false, false}},
      FakeMessage(0, 135, {At(135), true, false, false}),
      FakeMessage(150, 132, {At(135), false, true, false}),  // written before the one that came before it
      ProgressEvent{{At(160), true, false, false}},
  };
  PipelineOptions options;
  options.until = FormatLsn(160);
  const auto patterns = TablePatterns::Parse({"public.*"}).ValueOrDie();
  for (size_t seen = 0; seen <= 4; ++seen) {
    SCOPED_TRACE(seen);
    RecordingSink sink;
    server.confirmed = 100;
    // What an earlier process has stored: so many messages, and none of the table's rows.
    const RowPosition positions[] = {{}, {104, 104, 0}, {120, 110, 0}, {134, 134, 0}, {150, 131, 0}};
    sink.state.position = At(100);
    if (seen > 0) sink.state.last_rows[MessagesTable()->name] = positions[seen];
    FakeSource source(server, events);
    PipelineObserver observer;
    const auto stats = RunPipeline(source, sink, options, &patterns, observer, StopToken());
    ASSERT_TRUE(stats.ok()) << stats.status();
    EXPECT_EQ(std::count(sink.written.begin(), sink.written.end(), "pg_catalog._arrowcdc_messages"),
              4 - static_cast<int64_t>(seen));
    EXPECT_EQ(std::count(sink.written.begin(), sink.written.end(), "public.t0"), 1);
    EXPECT_EQ(stats->rows_skipped, seen);
    EXPECT_EQ(stats->rows_unmatched, 0u);
    EXPECT_EQ(stats->delivered, At(160));
  }
}

TEST(Pipeline, ATableWithTheNameOfLogicalMessagesIsRefused) {
  FakeServer server(1);
  auto impostor = std::make_shared<TableSchema>(*server.tables[0]);
  impostor->name = MessagesTable()->name;
  RecordingSink sink;
  FakeSource source(server, std::vector<Event>{test::FakeBatch(impostor, {{0, 1, {120, 108, 0}}},
                                                               {At(130), true, false, false})});
  PipelineObserver observer;
  const auto stats = RunPipeline(source, sink, PipelineOptions{}, nullptr, observer, StopToken());
  ASSERT_FALSE(stats.ok());
  EXPECT_EQ(GetErrorDetail(stats.status())->kind(), ErrorKind::kUnsupported);
  EXPECT_EQ(GetErrorDetail(stats.status())->object(), "table pg_catalog._arrowcdc_messages");
  EXPECT_TRUE(sink.written.empty());
}

}  // namespace
}  // namespace arrowcdc
