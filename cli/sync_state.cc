#include "cli/sync_state.h"

#include <chrono>
#include <thread>
#include <utility>

namespace arrowcdc::cli {

SyncState::~SyncState() {
  if (!answer_.valid()) return;
  stop_->Stop();
  answer_.wait();  // a stopped look ends at once
}

std::string SyncState::Look(const PostgresOptions& source) {
  constexpr std::chrono::seconds kPatience(5);
  if (answer_.valid() && answer_.wait_for(std::chrono::seconds(0)) == std::future_status::ready)
    return answer_.get();
  if (!std::exchange(asked_, true)) {
    PostgresOptions own = source;
    own.stop = stop_ = std::make_shared<StopToken>();
    stop_->StopAfter(kPatience);
    std::packaged_task<std::string()> ask(
        [own = std::move(own)] { return GetSyncState(own).ValueOr(std::string()); });
    answer_ = ask.get_future();
    std::thread(std::move(ask)).detach();
  }
  return "";
}

}  // namespace arrowcdc::cli
