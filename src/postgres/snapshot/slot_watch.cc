#include "src/postgres/snapshot/slot_watch.h"

#include <algorithm>
#include <string>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kRateOver(1);
constexpr minutes kWarnBelow(10);
constexpr char kUnreserved[] = "unreserved";  // wal_status: the next checkpoint may remove what it needs

// Twice what the slot may keep now, in whole GB.
std::string RaiseLimit(uint64_t limit_bytes) {
  constexpr uint64_t kGigabyte = uint64_t{1} << 30;
  const uint64_t gigabytes = (2 * limit_bytes + kGigabyte - 1) / kGigabyte;
  return "ALTER SYSTEM SET max_slot_wal_keep_size = '" + std::to_string(std::max<uint64_t>(gigabytes, 1)) +
         "GB'; SELECT pg_reload_conf();";
}

arrow::Status Invalidated(const SlotInfo& slot) {
  return MakeError(
      ErrorKind::kSlotInvalidated,
      "the server has invalidated the slot (" + slot.invalidation +
          ") while rows were copied: the changes behind them are gone",
      "slot \"" + slot.name + "\"",
      "raise max_slot_wal_keep_size (ALTER SYSTEM SET, and SELECT pg_reload_conf()), run 'arrowcdc "
      "teardown' and 'arrowcdc setup', and start again with --snapshot when-needed, which copies "
      "all rows anew");
}

}  // namespace

double SlotWatch::BytesPerSecond(uint64_t wal_end, TimePoint now) {
  while (ends_.size() > 1 && now - ends_[1].first >= kRateOver) ends_.pop_front();
  ends_.emplace_back(now, wal_end);
  const auto [since, from] = ends_.front();
  const double passed = std::chrono::duration<double>(now - since).count();
  return passed > 0 && wal_end > from ? static_cast<double>(wal_end - from) / passed : 0;
}

std::optional<std::string> SlotWatch::Warn(const SlotInfo& slot, const SnapshotHold& hold) {
  if (slot.wal_status == kUnreserved) {
    warned_of_time_ = true;
    if (std::exchange(warned_of_checkpoint_, true)) return std::nullopt;
    return "the slot keeps more WAL than max_slot_wal_keep_size allows: with its next checkpoint the server "
           "may "
           "invalidate it, and the copy would be in vain.";
  }
  const bool soon = hold.lost_in.has_value() && *hold.lost_in < kWarnBelow;
  if (!soon || std::exchange(warned_of_time_, true)) return std::nullopt;
  return "the slot reaches max_slot_wal_keep_size in about " + std::to_string(hold.lost_in->count()) +
         " s, as fast as WAL grows now: if the copy takes longer, the server may invalidate it.";
}

arrow::Result<SnapshotHold> SlotWatch::Look(const SlotInfo& slot, uint64_t wal_end, TimePoint now) {
  if (!slot.invalidation.empty()) return Invalidated(slot);
  SnapshotHold hold;
  hold.log_bytes = wal_end > slot.restart_lsn ? wal_end - slot.restart_lsn : 0;
  const double rate = BytesPerSecond(wal_end, now);
  if (!slot.safe_wal_bytes.has_value()) return hold;
  const uint64_t left = *slot.safe_wal_bytes > 0 ? static_cast<uint64_t>(*slot.safe_wal_bytes) : 0;
  if (left == 0) hold.lost_in = seconds(0);
  if (left > 0 && rate > 0) hold.lost_in = seconds(static_cast<int64_t>(static_cast<double>(left) / rate));
  if (const auto text = Warn(slot, hold)) {
    const std::string remedy =
        " Raise the limit, where the disk has room: " + RaiseLimit(hold.log_bytes + left);
    notices_.push_back({false, *text + remedy, "slot \"" + slot.name + "\""});
  }
  return hold;
}

}  // namespace arrowcdc::postgres
