#include "src/delivery/commit_times.h"

#include <algorithm>
#include <utility>

namespace arrowcdc {

void CommitTimes::Take(int64_t first, int64_t last) {
  // The batches of a large transaction have one time.
  if (entries_.size() > placed_ && entries_.back().last == first) {
    entries_.back().last = last;
    ++entries_.back().batches;
    return;
  }
  if (entries_.size() >= kEntriesMax) Coarsen();
  entries_.push_back({std::nullopt, first, last});
}

void CommitTimes::Advance(const Position& position) {
  for (; placed_ < entries_.size(); ++placed_) entries_[placed_].position = position;
}

void CommitTimes::NoteDurable(const Position& position, int64_t now, LatencyHistogram* histogram) {
  constexpr double kMicrosecond = 1e-6;
  while (placed_ > 0 && *entries_.front().position <= position) {
    const Entry& entry = entries_.front();
    // Clocks differ: nothing was durable before it was committed.
    const auto microseconds = static_cast<double>(std::max<int64_t>(now - entry.first, 0));
    Observe(microseconds * kMicrosecond, entry.batches, histogram);
    last_durable_ = std::max(last_durable_.value_or(entry.last), entry.last);
    entries_.pop_front();
    --placed_;
  }
}

std::optional<int64_t> CommitTimes::oldest() const {
  return entries_.empty() ? std::nullopt : std::optional(entries_.front().first);
}

void CommitTimes::Coarsen() {
  std::deque<Entry> coarser;
  size_t placed = 0;
  for (size_t i = 0; i < entries_.size();) {
    Entry entry = entries_[i++];
    if (i < entries_.size() && entries_[i].position.has_value() == entry.position.has_value()) {
      entry.position = entries_[i].position;
      entry.last = entries_[i].last;
      entry.batches += entries_[i++].batches;
    }
    if (entry.position.has_value()) ++placed;
    coarser.push_back(entry);
  }
  entries_ = std::move(coarser);
  placed_ = placed;
}

void Observe(double seconds, uint64_t times, LatencyHistogram* histogram) {
  const auto& bounds = LatencyHistogram::kBounds;
  const auto bound = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
  histogram->counts[static_cast<size_t>(bound)] += times;
  histogram->sum += seconds * static_cast<double>(times);
}

}  // namespace arrowcdc
