// The slot whose changes come behind a copy, while nobody reads it. No I/O, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/snapshot.h"
#include "src/postgres/setup/slot.h"

namespace arrowcdc::postgres {

class SlotWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // The slot as it is at `now`, when the WAL ends at `wal_end`. Errors: kSlotInvalidated.
  arrow::Result<SnapshotHold> Look(const SlotInfo& slot, uint64_t wal_end, TimePoint now);

  // That the slot is about to be lost: once as long as it is not, and once when it may be at any moment.
  std::vector<SourceNotice> TakeNotices() { return std::exchange(notices_, {}); }

 private:
  double BytesPerSecond(uint64_t wal_end, TimePoint now);
  std::optional<std::string> Warn(const SlotInfo& slot, const SnapshotHold& hold);

  std::deque<std::pair<TimePoint, uint64_t>> ends_;  // of the WAL, over the last minute
  bool warned_of_time_ = false;
  bool warned_of_checkpoint_ = false;
  std::vector<SourceNotice> notices_;
};

}  // namespace arrowcdc::postgres
