// Blocking work of libraries that cannot be ended from outside: name resolution, PQcancel.
#pragma once

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "arrowcdc/stop_token.h"

namespace arrowcdc {

// Threads of RunAbandonable that have not ended. HasAbandonedWork tells others.
extern std::atomic<int> abandonable_threads;

// Runs `work` on a thread of its own. nullopt when `stop` (may be null) came first: nobody waits for it any
// more then, and what it returns is dropped. So it must own what it uses.
template <typename Work>
std::optional<std::invoke_result_t<Work>> RunAbandonable(const StopToken* stop, Work work) {
  constexpr std::chrono::milliseconds kLookInterval{20};
  std::packaged_task<std::invoke_result_t<Work>()> task(std::move(work));
  auto done = task.get_future();
  ++abandonable_threads;
  std::thread([task = std::move(task)]() mutable {
    task();
    task = {};
    --abandonable_threads;
  }).detach();
  while (done.wait_for(kLookInterval) != std::future_status::ready) {
    if (stop != nullptr && stop->stopped()) return std::nullopt;
  }
  return done.get();
}

}  // namespace arrowcdc
