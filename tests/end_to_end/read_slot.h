// All that a slot holds, through the library; the slot does not move.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "arrowcdc/postgres.h"

namespace arrowcdc::test {

// Calls `on_batch` for each batch, in order, up to the end of the WAL as it is now. Errors: the source's;
// IOError where the end does not come in time.
inline arrow::Status ReadSlot(const PostgresOptions& options,
                              const std::function<void(const ChangeBatch&)>& on_batch,
                              std::chrono::seconds limit = std::chrono::seconds(120)) {
  ARROW_ASSIGN_OR_RAISE(const auto source, MakePostgresSource(options));
  ARROW_RETURN_NOT_OK(source->Connect());
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
  ARROW_ASSIGN_OR_RAISE(const LogEnd end, source->CurrentEnd());
  ARROW_RETURN_NOT_OK(source->Start(start));
  bool group_open = false;
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < deadline) {
    source->RequestKeepalive();
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::milliseconds(100)));
    if (!event.has_value()) continue;
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) on_batch(*batch);
    std::visit(
        [&](const auto& e) {
          if constexpr (requires { e.group; }) group_open = !e.group.group_end || e.group.dirty;
        },
        *event);
    const auto* keepalive = std::get_if<KeepaliveEvent>(&*event);
    if (keepalive != nullptr && !group_open && keepalive->position >= end.position) return source->Stop();
  }
  return arrow::Status::IOError("the end of the WAL did not come");
}

}  // namespace arrowcdc::test
