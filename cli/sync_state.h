// Whether the server makes commits wait for this stream: asked on a connection of its own, which must not
// hold the stream up.
#pragma once

#include <future>
#include <memory>
#include <string>

#include "arrowcdc/postgres.h"

namespace arrowcdc::cli {

class SyncState {
 public:
  SyncState() = default;
  ~SyncState();
  SyncState(const SyncState&) = delete;
  SyncState& operator=(const SyncState&) = delete;

  // Asks anew, once.
  void Reset() { asked_ = false; }

  // Call it now and then: the answer, once, when it is there; else empty. Never blocks.
  std::string Look(const PostgresOptions& source);

 private:
  bool asked_ = false;
  std::shared_ptr<StopToken> stop_;
  std::future<std::string> answer_;
};

}  // namespace arrowcdc::cli
