#include "src/delivery/readers/claims.h"

#include <algorithm>
#include <iterator>

namespace arrowcdc {

uint64_t Claims::Add() {
  if (stretches_.empty() || stretches_.rbegin()->second.end.has_value())
    stretches_.emplace(next_++, Stretch{});
  auto last = std::prev(stretches_.end());
  ++last->second.outstanding;
  return last->first;
}

// A stretch of which nothing is outstanding becomes part of the one before, whose end then is its end.
void Claims::Release(uint64_t claim) {
  const auto found = stretches_.find(claim);
  if (found == stretches_.end() || --found->second.outstanding > 0 || !found->second.end.has_value()) return;
  const std::optional<Position> end = found->second.end;
  if (found == stretches_.begin()) {
    floor_ = std::max(floor_, end);
  } else {
    std::prev(found)->second.end = end;
  }
  stretches_.erase(found);
}

void Claims::Advance(const Position& position) {
  if (stretches_.empty()) {
    floor_ = std::max(floor_, std::optional(position));
    return;
  }
  auto last = std::prev(stretches_.end());
  if (last->second.end.has_value()) {
    last->second.end = std::max(*last->second.end, position);
    return;
  }
  last->second.end = position;
  if (last->second.outstanding > 0) return;
  last->second.outstanding = 1;
  Release(last->first);
}

}  // namespace arrowcdc
