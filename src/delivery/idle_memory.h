// Gives memory that is free back to the system where rows have come and none came since for a while.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace arrowcdc {

class IdleMemory {
 public:
  using Clock = std::chrono::steady_clock;

  explicit IdleMemory(std::function<void()> give_back) : give_back_(std::move(give_back)) {}

  // Again and again. rows: that came so far.
  void Look(uint64_t rows, Clock::time_point now);

 private:
  const std::function<void()> give_back_;
  uint64_t rows_ = 0;
  bool is_kept_ = false;
  Clock::time_point last_rows_{};
};

// All that Arrow's memory pool and malloc have free. Takes some milliseconds.
void GiveBackFreedMemory();

}  // namespace arrowcdc
