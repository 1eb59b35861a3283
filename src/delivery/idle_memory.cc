// glibc's malloc(3), mallopt(3), malloc_trim(3); Arrow's "Environment Variables".
#include "src/delivery/idle_memory.h"

#include <malloc.h>

#include <cstdlib>
#include <utility>

#include <arrow/memory_pool.h>

#include "arrowcdc/process_memory.h"

namespace arrowcdc {
namespace {

constexpr std::chrono::seconds kSilence{5};
// glibc's threshold is of each arena's last block, and threads have arenas of their own: what all have free
// is looked at so often.
constexpr std::chrono::seconds kLook{30};
constexpr int kMappedBytesMin = 32 << 20;  // of one block; what is mapped for itself is given back for itself

}  // namespace

void KeepFreedMemory() {
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", /*replace=*/0);
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(kKeptBytesMax));
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
}

void GiveBackFreedMemory() {
  arrow::default_memory_pool()->ReleaseUnused();
  malloc_trim(0);
}

uint64_t FreedMemory() { return mallinfo2().fordblks; }

void IdleMemory::Look(uint64_t rows, Clock::time_point now) {
  if (rows != rows_) {
    rows_ = rows;
    last_rows_ = now;
    if (!std::exchange(is_kept_, true)) last_look_ = now;
  }
  if (!is_kept_) return;
  const bool is_silent = now - last_rows_ >= kSilence;
  if (!is_silent && now - last_look_ < kLook) return;
  last_look_ = now;
  if (!is_silent && free_bytes_() <= kKeptBytesMax) return;
  is_kept_ = !is_silent;
  give_back_();
}

}  // namespace arrowcdc
