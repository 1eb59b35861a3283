#include "src/mysql/stream/live_packets.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc::mysql {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookInterval{100};

}  // namespace

LivePackets::LivePackets(std::unique_ptr<Connection> connection, const RecordStoreOptions& store,
                         std::shared_ptr<StopToken> stop)
    : connection_(std::move(connection)), stop_(std::move(stop)), store_(store) {
  thread_ = std::thread([this] { Run(); });
}

LivePackets::~LivePackets() {
  Stop();
  if (thread_.joinable()) thread_.join();
}

arrow::Result<std::optional<std::span<const uint8_t>>> LivePackets::Next(std::chrono::microseconds timeout) {
  while (true) {
    if (const auto record = ReadRecord(&left_)) return record;
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    std::unique_lock lock(mutex_);
    while (store_.empty() && !ended_) {
      if (stop_ != nullptr && stop_->stopped()) {
        return MakeError(ErrorKind::kInterrupted, "stopped while streaming",
                         "server " + connection_->server(), "");
      }
      const auto until = std::min(deadline, std::chrono::steady_clock::now() + kLookInterval);
      if (changed_.wait_until(lock, until) == std::cv_status::timeout &&
          std::chrono::steady_clock::now() >= deadline) {
        return std::optional<std::span<const uint8_t>>();
      }
    }
    if (store_.empty()) return why_;
    store_.GiveBack(std::exchange(chunk_, {}));
    ARROW_ASSIGN_OR_RAISE(auto chunk, store_.TakeChunk());
    chunk_ = *std::move(chunk);
    left_ = chunk_;
    changed_.notify_all();
  }
}

void LivePackets::Stop() {
  if (stopping_.exchange(true)) return;
  connection_->Interrupt();
  changed_.notify_all();
}

PacketStats LivePackets::stats() const {
  const std::lock_guard lock(mutex_);
  return {received_bytes_, store_.bytes()};
}

void LivePackets::Run() {
  arrow::Status why = Receive();
  if (stopping_) {
    why = MakeError(ErrorKind::kConnection, "the stream was stopped", "server " + connection_->server(), "");
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  why_ = std::move(why);
  changed_.notify_all();
}

arrow::Status LivePackets::Receive() {
  while (!stopping_) {
    ARROW_ASSIGN_OR_RAISE(const auto packet, connection_->NextPacket());
    if (!packet.has_value()) {
      return MakeError(ErrorKind::kConnection, "the server ended the dump: it is shutting down",
                       "server " + connection_->server(), "it will be tried again", "", true);
    }
    ARROW_RETURN_NOT_OK(Push(*packet));
  }
  return arrow::Status::OK();
}

arrow::Status LivePackets::Push(std::span<const uint8_t> packet) {
  std::unique_lock lock(mutex_);
  while (!store_.has_room() && !stopping_) changed_.wait_for(lock, kLookInterval);
  received_bytes_ += packet.size();
  const bool was_empty = store_.empty();
  ARROW_RETURN_NOT_OK(store_.Append({packet}));
  if (was_empty) changed_.notify_all();
  return arrow::Status::OK();
}

}  // namespace arrowcdc::mysql
