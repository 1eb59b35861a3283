// Reads what a slot of pgoutput holds by SQL, chunk by chunk, before the stream is taken: the walsender waits
// for its socket at every WAL record, and pg_logical_slot_get_binary_changes does not. What comes of it are
// the stream's own messages. The server reads from a temporary copy of the slot, and so goes on while what
// came is being stored; the slot itself is moved no further than was acknowledged. Whatever hinders it, the
// stream goes on from where it came to: that has the better errors, too.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <arrow/result.h>

#include "arrowcdc/stop_token.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/stream/message_run.h"
#include "src/postgres/stream/message_stream.h"

namespace arrowcdc::postgres {

struct CatchUpOptions {
  std::string conninfo;
  ServerPlace server;  // that was looked at
  std::string slot;
  std::string plugin_options;  // as in START_REPLICATION
  // All up to there is stored for good, and nothing behind it was delivered. The slot is there or before.
  uint64_t start = 0;
  uint64_t confirmed_flush = 0;  // the slot's
  // So many, and the rest of a transaction, are asked to be stored at once, and read at once at most.
  int64_t messages_max = 0;
  int64_t bytes_min = 0;  // of WAL, for a chunk
  int64_t buffer_bytes_max = 0;
};

class CatchUp : public MessageStream {
 public:
  // Everything happens on a thread of its own, connecting, too.
  explicit CatchUp(CatchUpOptions options);
  ~CatchUp() override;

  // Behind each chunk comes a keepalive, which asks for a reply where what came is to be stored. Errors,
  // retryable: a chunk broke off behind its first messages.
  arrow::Result<std::optional<StreamMessage>> Next(std::chrono::milliseconds timeout) override;
  void Acknowledge(uint64_t lsn) override;
  void RequestKeepalive() override {}  // each chunk's end is told
  void Stop() override;
  StreamStats stats() const override;
  std::optional<uint64_t> handover() const override;

 private:
  struct Standing;

  void Run();
  arrow::Status ReadChunks();
  arrow::Status Connect();
  arrow::Result<bool> CopySlot();
  arrow::Result<Standing> ReadStanding();
  bool IsHindered(const Standing& now) const;
  bool IsWorthAChunk(const Standing& now);
  arrow::Result<bool> ReadChunk(uint64_t upto);
  arrow::Result<bool> ReceiveChunk();
  arrow::Result<bool> TakeRow(std::string_view row);
  void HandOnRun();
  arrow::Status Broken(const arrow::Status& why) const;
  bool AwaitRoom();
  uint64_t AskToStore();
  bool AwaitAcknowledged(uint64_t lsn);
  uint64_t acknowledged();
  arrow::Status MoveSlot(uint64_t to);

  const CatchUpOptions options_;
  const std::shared_ptr<StopToken> stop_ = std::make_shared<StopToken>();
  MessageQueue queue_;
  std::atomic<uint64_t> received_bytes_{0};
  std::atomic<uint64_t> server_lsn_{0};

  std::mutex mutex_;
  std::condition_variable changed_;  // room in the queue, acknowledged_, or a stop
  uint64_t acknowledged_ = 0;

  // The thread's own, and the reader's once the queue is closed.
  std::unique_ptr<Connection> connection_;
  std::string slot_;  // as a literal
  std::string copy_;
  uint64_t position_;         // everything up to there was handed on
  uint64_t moved_;            // where the slot is
  uint64_t asked_;            // up to there storing was asked for
  int64_t unasked_ = 0;       // messages behind it
  int64_t chunk_messages_;    // after so many the next chunk ends with its transaction
  uint64_t chunk_bytes_ = 0;  // of WAL, that the last chunk had
  MessageRun run_;
  int64_t messages_ = 0;     // of this chunk
  uint64_t commit_end_ = 0;  // of its last transaction
  bool in_transaction_ = false;
  bool skips_publication_ = false;
  std::chrono::steady_clock::time_point hold_until_;
  bool done_ = false;
  std::thread thread_;
};

// The arguments of the SQL functions for "name 'value', name 'value'": 'name', 'value', 'name', 'value'.
std::string SqlArguments(const std::string& start_options);

}  // namespace arrowcdc::postgres
