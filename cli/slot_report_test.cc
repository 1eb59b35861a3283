#include "cli/slot_report.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace arrowcdc::cli {
namespace {

using std::chrono::seconds;

SlotStatus Status(uint64_t confirmed, uint64_t end) {
  SlotStatus status;
  status.exists = true;
  status.plugin = "wal2arrow";
  status.confirmed_flush = confirmed;
  status.current_lsn = end;
  status.wal_status = "reserved";
  return status;
}

TEST(LagWatch, IsTheAgeOfWhatWasSeenToCome) {
  LagWatch watch;
  const LagWatch::Time start(seconds(100));
  EXPECT_EQ(watch.Look(start, Status(100, 200)), std::nullopt) << "since when is not known";
  EXPECT_EQ(watch.Look(start + seconds(5), Status(100, 300)), std::nullopt);
  EXPECT_EQ(watch.Look(start + seconds(8), Status(200, 300)), 3.0);
  EXPECT_EQ(watch.Look(start + seconds(9), Status(300, 300)), 0.0);
  EXPECT_EQ(watch.Look(start + seconds(60), Status(300, 400)), 0.0) << "it has only just come";
  EXPECT_EQ(watch.Look(start + seconds(70), Status(350, 500)), 10.0);
}

TEST(LagWatch, AnotherServerBeginsAnew) {
  LagWatch watch;
  const LagWatch::Time start(seconds(100));
  EXPECT_EQ(watch.Look(start, Status(200, 200)), 0.0);
  EXPECT_EQ(watch.Look(start + seconds(5), Status(50, 100)), 0.0);
  EXPECT_EQ(watch.Look(start + seconds(6), Status(50, 100)), 1.0);
}

TEST(SlotReport, SaysWhatALimitMeans) {
  SlotReport report{.slot = "shop", .status = Status(0x100, 0x500)};
  EXPECT_NE(DescribeSlot(report).find("until invalidated   never"), std::string::npos);
  report.status.safe_wal_bytes = 100 << 20;
  report.wal_bytes_per_s = 1 << 20;
  report.invalidated_in = seconds(100);
  EXPECT_NE(DescribeSlot(report).find("until invalidated   100.0 MiB of WAL, 100 s at the present 1.0 MiB/s"),
            std::string::npos)
      << DescribeSlot(report);
  EXPECT_NE(SlotLine(report).find("  100 s\n"), std::string::npos) << SlotLine(report);
}

// The server tells of no limit for a slot that is lost.
TEST(SlotReport, ALostSlotIsNotSafeForEver) {
  SlotReport report{.slot = "shop", .status = Status(0x100, 0x500)};
  report.status.wal_status = "lost";
  report.status.invalidation = "wal_removed";
  EXPECT_NE(DescribeSlot(report).find("until invalidated   it is lost\n"), std::string::npos)
      << DescribeSlot(report);
  EXPECT_NE(SlotLine(report).find("  lost        lost\n"), std::string::npos) << SlotLine(report);
}

TEST(SlotReport, JsonHasNullForWhatIsNotKnown) {
  SlotReport report{.slot = "shop", .status = Status(0x100, 0x500)};
  auto json = nlohmann::json::parse(SlotJson(report));
  EXPECT_EQ(json["slot"], "shop");
  EXPECT_EQ(json["unacknowledged_bytes"], 0x400);
  EXPECT_EQ(json["confirmed_flush_lsn"], "0/100");
  EXPECT_EQ(json["lag_seconds"], nullptr);
  EXPECT_EQ(json["safe_wal_bytes"], nullptr);
  EXPECT_EQ(nlohmann::json::parse(SlotJson({.slot = "x", .status = {}})).size(), 3u) << "it is not there";
  report.lag_seconds = 1.5;
  report.status.flush_lag = std::chrono::milliseconds(250);
  json = nlohmann::json::parse(SlotJson(report));
  EXPECT_EQ(json["lag_seconds"], 1.5);
  EXPECT_EQ(json["flush_lag_seconds"], 0.25);
}

}  // namespace
}  // namespace arrowcdc::cli
