// glibc's malloc(3), mallopt(3), malloc_trim(3); Arrow's "Environment Variables".
#include "src/delivery/idle_memory.h"

#include <malloc.h>

#include <cstdlib>

#include <arrow/memory_pool.h>

#include "arrowcdc/process_memory.h"

namespace arrowcdc {
namespace {

constexpr std::chrono::seconds kSilence{5};
constexpr int kKeptBytesMax = 128 << 20;
constexpr int kMappedBytesMin = 32 << 20;  // of one block; what is mapped for itself is given back for itself

}  // namespace

void KeepFreedMemory() {
  setenv("ARROW_DEFAULT_MEMORY_POOL", "system", /*replace=*/0);
  mallopt(M_TRIM_THRESHOLD, kKeptBytesMax);
  mallopt(M_MMAP_THRESHOLD, kMappedBytesMin);
}

void GiveBackFreedMemory() {
  arrow::default_memory_pool()->ReleaseUnused();
  malloc_trim(0);
}

void IdleMemory::Look(uint64_t rows, Clock::time_point now) {
  if (rows != rows_) {
    rows_ = rows;
    last_rows_ = now;
    is_kept_ = true;
  } else if (is_kept_ && now - last_rows_ >= kSilence) {
    is_kept_ = false;
    give_back_();
  }
}

}  // namespace arrowcdc
