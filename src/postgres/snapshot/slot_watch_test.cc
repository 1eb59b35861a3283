#include "src/postgres/snapshot/slot_watch.h"

#include <gtest/gtest.h>

#include "tests/testing/assert_ok.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr uint64_t kMiB = 1 << 20;
const SlotWatch::TimePoint kStart{hours(1)};

// Whose WAL begins at 100 MiB.
SlotInfo Slot(const char* wal_status, std::optional<int64_t> safe) {
  SlotInfo slot;
  slot.name = "s";
  slot.restart_lsn = 100 * kMiB;
  slot.wal_status = wal_status;
  slot.safe_wal_bytes = safe;
  return slot;
}

TEST(SlotWatch, WithoutALimitNothingIsLost) {
  SlotWatch watch;
  ARROWCDC_ASSERT_OK(watch.Look(Slot("reserved", std::nullopt), 100 * kMiB, kStart));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const SnapshotHold hold, watch.Look(Slot("extended", std::nullopt), 9100 * kMiB, kStart + seconds(10)));
  EXPECT_EQ(hold.log_bytes, 9000 * kMiB);
  EXPECT_FALSE(hold.lost_in.has_value());
  EXPECT_TRUE(watch.TakeNotices().empty());
}

// The rate is that of the last minute: what was before it, and a pause, count no longer.
TEST(SlotWatch, TheTimeThatIsLeftIsByTheRateOfNow) {
  SlotWatch watch;
  ARROWCDC_ASSERT_OK_AND_ASSIGN(SnapshotHold hold,
                                watch.Look(Slot("reserved", 100'000 * kMiB), 100 * kMiB, kStart));
  EXPECT_FALSE(hold.lost_in.has_value()) << "nobody knows a rate yet";
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      hold, watch.Look(Slot("reserved", 100'000 * kMiB), 110 * kMiB, kStart + seconds(10)));
  EXPECT_EQ(hold.lost_in, seconds(100'000));  // 1 MiB/s
  for (const int at : {20, 30, 40, 50, 60, 70}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(
        hold, watch.Look(Slot("reserved", 100'000 * kMiB), 110 * kMiB, kStart + seconds(at)));
  }
  EXPECT_FALSE(hold.lost_in.has_value()) << "it stands still";
  EXPECT_TRUE(watch.TakeNotices().empty());
}

TEST(SlotWatch, WarnsOnceBelowTenMinutesAndOnceWhenItMayBeAnyMoment) {
  SlotWatch watch;
  ARROWCDC_ASSERT_OK(watch.Look(Slot("reserved", 620 * kMiB), 1100 * kMiB, kStart));
  ARROWCDC_ASSERT_OK(watch.Look(Slot("reserved", 610 * kMiB), 1110 * kMiB, kStart + seconds(10)));
  EXPECT_TRUE(watch.TakeNotices().empty()) << "610 s are left";
  ARROWCDC_ASSERT_OK(watch.Look(Slot("extended", 590 * kMiB), 1130 * kMiB, kStart + seconds(30)));
  std::vector<SourceNotice> notices = watch.TakeNotices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_FALSE(notices[0].error);
  EXPECT_EQ(notices[0].object, "slot \"s\"");
  EXPECT_NE(notices[0].text.find("in about 590 s"), std::string::npos) << notices[0].text;
  // 1030 MiB are kept and 590 left: twice that are 3.2 GB.
  EXPECT_NE(notices[0].text.find("ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'; SELECT pg_reload_conf()"),
            std::string::npos)
      << notices[0].text;
  ARROWCDC_ASSERT_OK(watch.Look(Slot("extended", 580 * kMiB), 1140 * kMiB, kStart + seconds(40)));
  EXPECT_TRUE(watch.TakeNotices().empty());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const SnapshotHold hold, watch.Look(Slot("unreserved", -5 * int64_t{kMiB}),
                                                                    1800 * kMiB, kStart + seconds(50)));
  EXPECT_EQ(hold.lost_in, seconds(0));
  notices = watch.TakeNotices();
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].text.find("next checkpoint"), std::string::npos) << notices[0].text;
  ARROWCDC_ASSERT_OK(watch.Look(Slot("unreserved", -6 * int64_t{kMiB}), 1801 * kMiB, kStart + seconds(60)));
  EXPECT_TRUE(watch.TakeNotices().empty());
}

TEST(SlotWatch, ALostSlotIsAnError) {
  SlotWatch watch;
  SlotInfo slot = Slot("lost", std::nullopt);
  slot.invalidation = "wal_removed";
  const arrow::Status lost = watch.Look(slot, 1000 * kMiB, kStart).status();
  EXPECT_EQ(test::KindOf(lost), ErrorKind::kSlotInvalidated);
  EXPECT_FALSE(test::DetailOf(lost).retryable());
  EXPECT_NE(test::DetailOf(lost).remedy().find("max_slot_wal_keep_size"), std::string::npos);
}

}  // namespace
}  // namespace arrowcdc::postgres
