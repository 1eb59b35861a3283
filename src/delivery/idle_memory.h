// Gives memory that is free back to the system: where rows have come and none came since for a while, and
// where it is much although rows go on coming.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace arrowcdc {

class IdleMemory {
 public:
  using Clock = std::chrono::steady_clock;

  IdleMemory(std::function<void()> give_back, std::function<uint64_t()> free_bytes)
      : give_back_(std::move(give_back)), free_bytes_(std::move(free_bytes)) {}

  // Again and again. rows: that came so far.
  void Look(uint64_t rows, Clock::time_point now);

 private:
  const std::function<void()> give_back_;
  const std::function<uint64_t()> free_bytes_;
  uint64_t rows_ = 0;
  bool is_kept_ = false;
  Clock::time_point last_rows_{};
  Clock::time_point last_look_{};
};

inline constexpr uint64_t kKeptBytesMax = uint64_t{128} << 20;

// All that Arrow's memory pool and malloc have free. Takes some milliseconds.
void GiveBackFreedMemory();

// What malloc has free, in all of its arenas.
uint64_t FreedMemory();

}  // namespace arrowcdc
