// One replication session after START_REPLICATION. Knows the streaming protocol, nothing of frames.
//
// Who waits for a message reads it: Next itself, so that a message costs no change of threads. A thread reads
// into a bounded queue, and answers the server, while the caller of Next is away, and where messages come
// faster than it takes them. Whichever of the two has the turn uses the connection.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <arrow/result.h>

#include "src/postgres/client/connection.h"
#include "src/postgres/stream/message_queue.h"
#include "src/postgres/stream/message_run.h"
#include "src/postgres/stream/message_stream.h"

namespace arrowcdc::postgres {

struct StreamOptions {
  int64_t buffer_bytes_max = 64 << 20;
  std::chrono::milliseconds status_interval{10'000};
  std::chrono::milliseconds wal_sender_timeout{60'000};  // the server's; 0: off
  // Where that is off: a living server answers a request at once, unless a turn of its decoding takes long.
  std::chrono::milliseconds silence_max{300'000};
  // SQLSTATE of a warning behind which nothing may be taken; empty: there is none.
  std::string fatal_warning;
  // Kinds of messages behind which another comes at once: such ones come in runs (message_run.h), which end
  // with a message of another kind. Empty: each comes by itself.
  std::string kinds_within;
};

class ReplicationStream : public MessageStream {
 public:
  // Sends `command` (START_REPLICATION ...) and takes the connection over.
  static arrow::Result<std::unique_ptr<ReplicationStream>> Start(std::unique_ptr<Connection> connection,
                                                                 const std::string& command,
                                                                 const ErrorContext& context,
                                                                 const StreamOptions& options);
  // Stops, if that has not been done.
  ~ReplicationStream() override;

  arrow::Result<std::optional<StreamMessage>> Next(std::chrono::milliseconds timeout) override;
  void Acknowledge(uint64_t lsn) override;
  void RequestKeepalive() override;

  // Last status, CopyDone, at most kStopLimit for the server's end and kStopSilence without a byte of it,
  // then the connection is closed.
  void Stop() override;
  static constexpr std::chrono::milliseconds kStopLimit{2000};
  static constexpr std::chrono::milliseconds kStopSilence{500};

  // How long a server that shuts down is made to wait for acknowledgements.
  static constexpr std::chrono::milliseconds kShutdownPatience{1000};

  StreamStats stats() const override;

 private:
  using Clock = std::chrono::steady_clock;

  ReplicationStream(std::unique_ptr<Connection> connection, const ErrorContext& context,
                    const StreamOptions& options, int wake_fd);

  enum class Turn { kNobody, kReader, kThread };

  void Run();
  arrow::Status ReadUntilWanted();
  arrow::Result<std::optional<StreamMessage>> Pop(std::chrono::milliseconds timeout);
  bool TakeTurn(Clock::time_point deadline);
  void LeaveTurn(arrow::Status status);
  arrow::Status ReadUntil(Clock::time_point deadline);
  void End(arrow::Status status);
  void SendOrWake();
  arrow::Status Receive();
  arrow::Status ReceiveSome();
  void AddToRun(uint64_t lsn, std::string_view message);
  void HandOnRun();
  bool IsMoreDue(Clock::time_point begun);
  arrow::Status TakeMessage(char* buffer, int bytes);
  arrow::Status TakeKeepalive(const char* buffer, int bytes);
  void NotePing();
  void TakeNotice(const PGresult* notice);
  arrow::Status EndOfCopy();
  arrow::Status SendDueStatus();
  arrow::Status SendStatus(bool request_reply);
  arrow::Status CheckAlive();
  arrow::Status Wait(Clock::time_point latest);
  void FinishInOrder();
  void Wake();
  arrow::Status ConnectionError();

  std::unique_ptr<Connection> connection_;
  const ErrorContext context_;
  const StreamOptions options_;
  const std::chrono::milliseconds status_interval_;  // at most a third of wal_sender_timeout
  const std::chrono::milliseconds silence_max_;      // wal_sender_timeout, or our own
  const std::chrono::milliseconds away_max_;         // of the caller of Next, before the thread reads
  const int wake_fd_;
  MessageQueue queue_;

  std::atomic<uint64_t> acknowledged_{0};
  std::atomic<bool> keepalive_wanted_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> received_bytes_{0};
  std::atomic<uint64_t> server_lsn_{0};

  std::mutex turn_mutex_;
  std::condition_variable turn_changes_;
  Turn turn_ = Turn::kNobody;
  bool over_ = false;                // the stream has ended, and queue_ knows why
  Clock::time_point left_;           // when the reader gave its turn back
  std::atomic<bool> wanted_{false};  // the thread's turn, by the reader

  // Of the reader, in its turn.
  int64_t unwaited_bytes_ = 0;  // that came in a row without a wait

  // Of whoever has the turn.
  arrow::Status warning_;  // the fatal one, once it has come
  MessageRun run_;
  bool run_ends_ = false;
  int waits_within_ = 0;    // for more of one transaction
  int64_t turn_bytes_ = 0;  // since the last of them
  uint64_t received_lsn_ = 0;
  uint64_t sent_acknowledged_ = 0;
  bool reply_due_ = false;
  // The server has asked for a reply again and again since `pinged_since_`, with nothing new acknowledged.
  Clock::time_point pinged_since_;
  Clock::time_point last_ping_;
  uint64_t pinged_acknowledged_ = 0;
  bool reply_requested_ = false;  // by us, not answered yet
  bool paused_ = false;           // the queue is full: nothing is read
  bool drained_ = false;          // libpq has no whole message left
  Clock::time_point last_status_;
  Clock::time_point last_byte_;
  std::thread thread_;
};

}  // namespace arrowcdc::postgres
