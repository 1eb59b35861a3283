#include "cli/monitor/stream_monitor.h"

#include <algorithm>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

using Level = StreamEvent::Level;
using Wall = std::chrono::system_clock;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSilence(30);

}  // namespace

const char* StreamPhaseName(StreamPhase phase) {
  switch (phase) {
    case StreamPhase::kStarting:
      return "starting";
    case StreamPhase::kCopying:
      return "copying";
    case StreamPhase::kStreaming:
      return "streaming";
    case StreamPhase::kReconnecting:
      return "reconnecting";
    case StreamPhase::kStopping:
      return "stopping";
  }
  return "";
}

const char* StreamEventLevelName(Level level) {
  switch (level) {
    case Level::kInfo:
      return "info";
    case Level::kWarning:
      return "warning";
    case Level::kError:
      return "error";
  }
  return "";
}

uint64_t LagBytes(const StreamView& view) {
  const PipelineStats& stats = view.stats;
  const auto& reached = stats.durable.has_value() ? stats.durable : stats.delivered;
  if (!reached.has_value()) return 0;
  if (stats.server_lsn <= reached->order) return 0;
  return view.source != nullptr ? view.source->BytesBetween(reached->order, stats.server_lsn)
                                : stats.server_lsn - reached->order;
}

double LagSeconds(const StreamView& view, Wall::time_point now) {
  if (!view.stats.behind_since.has_value()) return 0;
  return std::max(std::chrono::duration<double>(now - *view.stats.behind_since).count(), 0.0);
}

std::string WhyNotReady(const StreamView& view, Clock::time_point now) {
  const bool streams = view.phase == StreamPhase::kStreaming;
  if ((streams || view.phase == StreamPhase::kReconnecting) && !view.stuck.empty())
    return "reconnecting: " + view.stuck;
  if (!streams) return StreamPhaseName(view.phase);
  if (!view.stats.connected) return "not connected";
  if (now - view.last_sign > kSilence) return "the sink has held the stream up for more than 30 s";
  return "";
}

StreamMonitor::StreamMonitor(std::string slot_name, std::string sink, const Source* source) {
  view_.source = source;
  view_.slot_name = std::move(slot_name);
  view_.sink = std::move(sink);
  view_.begun_at = Wall::now();
  view_.last_sign = Clock::now();
}

StreamView StreamMonitor::view() const {
  const std::lock_guard lock(mutex_);
  return view_;
}

uint64_t StreamMonitor::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

void StreamMonitor::SetSlot(SlotView slot) {
  const std::lock_guard lock(mutex_);
  view_.slot = std::move(slot);
}

void StreamMonitor::SetStopping() {
  const std::lock_guard lock(mutex_);
  view_.phase = StreamPhase::kStopping;
}

void StreamMonitor::OnConnected(const SourceInfo& source, const Position&, bool) {
  const std::lock_guard lock(mutex_);
  view_.database = source.stream.database;
  view_.plugin = source.stream.plugin;
  view_.phase = StreamPhase::kStreaming;
  view_.stats.connected = true;
  AddEvent(Level::kInfo, connections_++ > 0 ? "connected again" : "streaming", "");
  NoteLife();
}

void StreamMonitor::OnNotice(const SourceNotice& notice) {
  const std::lock_guard lock(mutex_);
  AddEvent(notice.error ? Level::kError : Level::kWarning, notice.text, notice.object);
}

void StreamMonitor::OnProgress(const PipelineStats& stats) {
  const std::lock_guard lock(mutex_);
  view_.stats = stats;
  if (stats.delivered > failed_at_) {
    failure_.clear();
    view_.stuck.clear();
  }
  NoteLife();
}

void StreamMonitor::OnSnapshot(const SnapshotProgress& progress) {
  const std::lock_guard lock(mutex_);
  view_.snapshot = progress;
  if (view_.phase == StreamPhase::kStarting || view_.phase == StreamPhase::kReconnecting)
    view_.phase = StreamPhase::kCopying;
  NoteLife();
}

void StreamMonitor::OnTableAppeared(const TableName& table) {
  const std::lock_guard lock(mutex_);
  AddEvent(Level::kInfo, "the table is new", "table " + ToString(table));
}

void StreamMonitor::OnSchemaChange(const TableName& table, const std::string& change) {
  const std::lock_guard lock(mutex_);
  AddEvent(Level::kInfo, "other columns: " + change, "table " + ToString(table));
}

void StreamMonitor::OnRetry(const arrow::Status& status, std::chrono::milliseconds) {
  const std::lock_guard lock(mutex_);
  const ErrorDetail* const detail = GetErrorDetail(status);
  const bool goes_on =
      view_.phase == StreamPhase::kCopying && detail != nullptr && detail->kind() == ErrorKind::kBusy;
  if (!goes_on) view_.phase = StreamPhase::kReconnecting;
  const std::string object = detail == nullptr ? "" : detail->object();
  const std::string failure = object + ": " + status.message();
  if (failure == failure_) view_.stuck = failure;
  failure_ = failure;
  failed_at_ = view_.stats.delivered;
  AddEvent(Level::kError, status.message(), object);
  NoteLife();
}

void StreamMonitor::OnUnrepresentable(const TableName& table, const std::string& column) {
  const std::lock_guard lock(mutex_);
  AddEvent(Level::kWarning, "a value of column " + column + " has no Arrow form", "table " + ToString(table));
}

// The same again stands there once, at its last time.
void StreamMonitor::AddEvent(Level level, std::string text, std::string object) {
  view_.warnings += level == Level::kWarning ? 1 : 0;
  view_.errors += level == Level::kError ? 1 : 0;
  auto& events = view_.events;
  if (!events.empty() && events.back().text == text && events.back().object == object) events.pop_back();
  if (events.size() == StreamView::kEventsMax) events.pop_front();
  events.push_back({Wall::now(), level, std::move(text), std::move(object)});
}

void StreamMonitor::NoteLife() { view_.last_sign = Clock::now(); }

}  // namespace arrowcdc::cli
