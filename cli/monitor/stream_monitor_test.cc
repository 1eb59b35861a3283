#include "cli/monitor/stream_monitor.h"

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

using std::chrono::seconds;

std::string WhyNot(const StreamMonitor& monitor, seconds later = seconds(0)) {
  return WhyNotReady(monitor.view(), std::chrono::steady_clock::now() + later);
}

arrow::Status Lost() {
  return MakeError(ErrorKind::kConnection, "the connection broke", "server", "wait", "", true);
}

TEST(StreamMonitor, IsReadyWhileItStreams) {
  StreamMonitor monitor("s", "parquet /x");
  EXPECT_EQ(WhyNot(monitor), "starting");
  monitor.OnSnapshot({});
  EXPECT_EQ(WhyNot(monitor), "copying");
  monitor.OnConnected({}, {}, false);
  EXPECT_EQ(WhyNot(monitor), "");
  monitor.OnSnapshot({});  // of an added table, beside the stream
  EXPECT_EQ(WhyNot(monitor), "");
  monitor.OnRetry(Lost(), seconds(1));
  EXPECT_EQ(WhyNot(monitor), "reconnecting");
  monitor.OnConnected({}, {}, false);
  EXPECT_EQ(WhyNot(monitor), "");
  monitor.SetStopping();
  EXPECT_EQ(WhyNot(monitor), "stopping");
}

TEST(StreamMonitor, ATableThatIsChangedEndsNoConnection) {
  StreamMonitor monitor("s", "parquet /x");
  monitor.OnSnapshot({});
  monitor.OnRetry(MakeError(ErrorKind::kBusy, "the table was rewritten", "table t", "", "", true),
                  seconds(1));
  EXPECT_EQ(WhyNot(monitor), "copying");
  monitor.OnRetry(Lost(), seconds(1));
  EXPECT_EQ(WhyNot(monitor), "reconnecting");
}

TEST(StreamMonitor, ASinkThatHoldsTheStreamUpIsNotReady) {
  StreamMonitor monitor("s", "parquet /x");
  monitor.OnConnected({}, {}, false);
  EXPECT_EQ(WhyNot(monitor, seconds(29)), "");
  EXPECT_NE(WhyNot(monitor, seconds(31)), "");
}

// A connection in between tells nothing: the next session ends as the last one did.
TEST(StreamMonitor, WhatEndsEachSessionAtTheSamePlaceIsNotReady) {
  StreamMonitor monitor("s", "parquet /x");
  PipelineStats stats;
  stats.delivered = Position{1, 100};
  const auto fails = [&] {
    monitor.OnConnected({}, {}, true);
    stats.connected = true;
    monitor.OnProgress(stats);
    monitor.OnRetry(MakeError(ErrorKind::kSink, "no room", "directory /x", "make room", "", true),
                    seconds(1));
  };
  fails();
  EXPECT_EQ(WhyNot(monitor), "reconnecting");
  monitor.OnConnected({}, {}, true);
  EXPECT_EQ(WhyNot(monitor), "") << "it may have passed by itself";
  fails();
  EXPECT_EQ(WhyNot(monitor), "reconnecting: directory /x: no room");
  monitor.OnConnected({}, {}, true);
  monitor.OnProgress(stats);
  EXPECT_EQ(WhyNot(monitor), "reconnecting: directory /x: no room");
  stats.delivered = Position{1, 101};
  monitor.OnProgress(stats);
  EXPECT_EQ(WhyNot(monitor), "");
}

TEST(StreamMonitor, KeepsTheLastEventsAndCountsAll) {
  StreamMonitor monitor("s", "console");
  for (int i = 0; i < 200; ++i)
    monitor.OnNotice({i % 2 == 0, "notice " + std::to_string(i), "table public.t"});
  for (int i = 0; i < 3; ++i) monitor.OnRetry(Lost(), seconds(1));
  const StreamView view = monitor.view();
  EXPECT_EQ(view.events.size(), StreamView::kEventsMax);
  EXPECT_EQ(view.events.back().text, "the connection broke");
  EXPECT_EQ(view.events[view.events.size() - 2].text, "notice 199") << "the same again stands there once";
  EXPECT_EQ(view.warnings, 100u);
  EXPECT_EQ(view.errors, 103u);
}

TEST(StreamMonitor, LagIsWhatIsNotDurable) {
  StreamMonitor monitor("s", "parquet /x");
  PipelineStats stats;
  stats.server_lsn = 1000;
  stats.delivered = Position{1, 900};
  stats.durable = Position{1, 400};
  const std::chrono::system_clock::time_point commit(seconds(1000));
  stats.behind_since = commit;
  monitor.OnProgress(stats);
  EXPECT_EQ(LagBytes(monitor.view()), 600u);
  EXPECT_DOUBLE_EQ(LagSeconds(monitor.view(), commit + seconds(5)), 5);
  EXPECT_DOUBLE_EQ(LagSeconds(monitor.view(), commit - seconds(5)), 0) << "clocks differ";
  stats.durable.reset();  // a sink that keeps nothing
  stats.behind_since.reset();
  monitor.OnProgress(stats);
  EXPECT_EQ(LagBytes(monitor.view()), 100u);
  EXPECT_DOUBLE_EQ(LagSeconds(monitor.view(), commit), 0);
}

}  // namespace
}  // namespace arrowcdc::cli
