// Which positions may be acknowledged while batches are outstanding with several readers. Pure bookkeeping;
// its size is bounded by the number of outstanding batches.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "arrowcdc/position.h"

namespace arrowcdc {

// The stream is a row of stretches that end where a position came into force. A position is free when no
// batch of its stretch, or of one before, is outstanding.
class Claims {
 public:
  // A batch was delivered behind the last position. Returns what Release wants.
  uint64_t Add();
  // The batch is dealt with, or given up.
  void Release(uint64_t claim);
  // Everything up to `position` was delivered. Never goes backwards.
  void Advance(const Position& position);

  // The highest position that is free; none before there is one.
  const std::optional<Position>& floor() const { return floor_; }
  size_t size() const { return stretches_.size(); }

 private:
  struct Stretch {
    uint64_t outstanding = 0;
    std::optional<Position> end;  // none: still open, which only the last one is
  };

  std::optional<Position> floor_;
  uint64_t next_ = 0;
  std::map<uint64_t, Stretch> stretches_;
};

}  // namespace arrowcdc
