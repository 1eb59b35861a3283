// What can be told of a stream at any moment: filled by the pipeline's thread and by what looks at the slot,
// read by the listener's thread. Holds names and numbers, no row values.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "arrowcdc/pipeline.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/source.h"

namespace arrowcdc::cli {

enum class StreamPhase { kStarting, kCopying, kStreaming, kReconnecting, kStopping };
// "starting", ...
const char* StreamPhaseName(StreamPhase phase);

struct StreamEvent {
  enum class Level { kInfo, kWarning, kError };
  std::chrono::system_clock::time_point at;
  Level level = Level::kInfo;
  std::string text;
  std::string object;
};
const char* StreamEventLevelName(StreamEvent::Level level);

// As it was seen last.
struct SlotView {
  std::chrono::system_clock::time_point at;
  SlotStatus status;
  std::optional<double> wal_bytes_per_s;
  std::optional<std::chrono::seconds> invalidated_in;
};

struct StreamView {
  static constexpr size_t kEventsMax = 50;  // kept; the oldest go

  std::string slot_name;
  std::string sink;  // its kind, and where it writes
  std::string database;
  std::string plugin;
  std::chrono::system_clock::time_point begun_at;
  StreamPhase phase = StreamPhase::kStarting;
  std::chrono::steady_clock::time_point last_sign;  // of life, from the pipeline
  PipelineStats stats;
  const Source* source = nullptr;
  std::optional<SnapshotProgress> snapshot;  // the last one
  std::optional<SlotView> slot;
  std::deque<StreamEvent> events;  // the newest last
  uint64_t warnings = 0;
  uint64_t errors = 0;
  std::string stuck;  // why sessions end again and again without getting on; empty: they do not
};

// Not durable yet, as far as it is known.
uint64_t LagBytes(const StreamView& view);
double LagSeconds(const StreamView& view, std::chrono::system_clock::time_point now);

// Why it does not stream; empty: it does. A pipeline that gave no sign of life for a while is held up by its
// sink.
std::string WhyNotReady(const StreamView& view, std::chrono::steady_clock::time_point now);

// Threads: any; the pipeline's calls come from one.
class StreamMonitor : public PipelineObserver {
 public:
  // source: what positions mean; null: they are LSNs. It outlives the views.
  StreamMonitor(std::string slot_name, std::string sink, const Source* source = nullptr);

  StreamView view() const;
  uint64_t connections() const;  // that have streamed
  void SetSlot(SlotView slot);
  void SetStopping();

  void OnConnected(const SourceInfo& source, const Position& start, bool resumed) override;
  void OnNotice(const SourceNotice& notice) override;
  void OnProgress(const PipelineStats& stats) override;
  void OnSnapshot(const SnapshotProgress& progress) override;
  void OnTableAppeared(const TableName& table) override;
  void OnSchemaChange(const TableName& table, const std::string& change) override;
  void OnRetry(const arrow::Status& status, std::chrono::milliseconds wait) override;
  void OnUnrepresentable(const TableName& table, const std::string& column) override;

 private:
  void AddEvent(StreamEvent::Level level, std::string text, std::string object);
  void NoteLife();

  mutable std::mutex mutex_;
  // Under the mutex:
  StreamView view_;
  uint64_t connections_ = 0;
  // The last failure, and what had been delivered then.
  std::string failure_;
  std::optional<Position> failed_at_;
};

}  // namespace arrowcdc::cli
