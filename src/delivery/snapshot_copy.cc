// A worker takes a part after the other; this thread watches, so that the readers' point is kept and a stop
// is seen.
#include "src/delivery/snapshot_copy.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "arrowcdc/error.h"
#include "src/delivery/part_queue.h"

namespace arrowcdc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kLookInterval{100};
constexpr std::chrono::seconds kProgressInterval{1};
constexpr std::chrono::seconds kKeepAliveInterval{10};

class Copy {
 public:
  Copy(Snapshot& snapshot, SnapshotTarget& target, std::set<TableName> stale, const StopToken& stop)
      : snapshot_(snapshot),
        target_(target),
        stop_(stop),
        stale_(std::move(stale)),
        parts_left_(snapshot.tables().size()) {
    for (size_t i = 0; i < parts_left_.size(); ++i) {
      const SnapshotTable& table = snapshot.tables()[i];
      parts_left_[i] = table.part_count;
      parts_left_[i] -= table.parts_kept;
      progress_.tables.push_back(
          {table.name, 0, table.rows, table.bytes, table.parts_kept, table.parts_kept, table.part_count});
      if (table.parts_kept > 0) stale_.erase(table.name);
    }
    static std::atomic<uint64_t> copies = 0;
    progress_.point = snapshot.point();
    progress_.copy = ++copies;
    progress_.begun = Clock::now();
  }

  arrow::Status Run(int workers, const std::function<void(const SnapshotProgress&)>& on_progress,
                    const std::function<void(const SourceNotice&)>& on_notice) {
    std::vector<std::thread> threads;
    {
      const std::lock_guard lock(mutex_);
      running_ = workers;
    }
    for (int i = 0; i < workers; ++i) {
      threads.emplace_back([this] {
        const arrow::Status status = Work();
        const std::lock_guard lock(mutex_);
        if (status_.ok()) status_ = status;
        --running_;
        done_.notify_all();
      });
    }
    Watch(on_progress, on_notice);
    for (std::thread& thread : threads) thread.join();
    on_progress(progress_);
    if (status_.ok() && stop_.stopped()) {
      return MakeError(ErrorKind::kInterrupted, "stopped while rows were copied", "snapshot",
                       "start it again: it goes on with what is not there yet");
    }
    return status_;
  }

 private:
  void Watch(const std::function<void(const SnapshotProgress&)>& on_progress,
             const std::function<void(const SourceNotice&)>& on_notice) {
    auto told = Clock::now();
    Clock::time_point kept{};
    std::unique_lock lock(mutex_);
    while (running_ > 0) {
      const auto now = Clock::now();
      if (now - told >= kProgressInterval) {
        told = now;
        const SnapshotProgress copy = progress_;
        lock.unlock();
        on_progress(copy);
        lock.lock();
      }
      if (now - kept >= kKeepAliveInterval) {
        kept = now;
        lock.unlock();
        const arrow::Result<SnapshotHold> hold = snapshot_.KeepAlive();
        for (const SourceNotice& notice : snapshot_.TakeNotices()) on_notice(notice);
        lock.lock();
        if (status_.ok()) status_ = hold.status();
        if (hold.ok()) progress_.hold = *hold;
      }
      if (!status_.ok() || stop_.stopped()) snapshot_.Cancel();
      if (running_ > 0) done_.wait_for(lock, kLookInterval);
    }
  }

  bool Ended() {
    const std::lock_guard lock(mutex_);
    return !status_.ok() || stop_.stopped();
  }

  arrow::Status Work() {
    ARROW_ASSIGN_OR_RAISE(const auto reader, snapshot_.MakeReader());
    while (!Ended()) {
      ARROW_ASSIGN_OR_RAISE(const auto table, reader->NextPart());
      if (!table.has_value()) return arrow::Status::OK();
      ARROW_RETURN_NOT_OK(CopyPart(*reader, *table));
    }
    return arrow::Status::OK();
  }

  arrow::Status CopyPart(SnapshotReader& reader, size_t table) {
    ARROW_ASSIGN_OR_RAISE(const auto writer, BeginPart(reader));
    PartQueue queue(writer.get());
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto batch, reader.Next());
      if (!batch.has_value()) break;
      const auto rows = static_cast<uint64_t>(batch->rows->num_rows());
      ARROW_RETURN_NOT_OK(queue.Push(*std::move(batch)));
      const std::lock_guard lock(mutex_);
      progress_.tables[table].rows += rows;
      if (!status_.ok() || stop_.stopped()) return arrow::Status::OK();
    }
    ARROW_RETURN_NOT_OK(queue.Finish());
    ARROW_RETURN_NOT_OK(writer->Finish());
    return EndPart(table);
  }

  // What is not among the rows of the point is gone. Who begins another part waits.
  arrow::Result<std::unique_ptr<SnapshotPartWriter>> BeginPart(const SnapshotReader& reader) {
    SnapshotPart part = reader.part();
    const std::lock_guard lock(stale_mutex_);
    part.voids_earlier = stale_.erase(part.table) > 0;
    ARROW_ASSIGN_OR_RAISE(auto writer, target_.BeginPart(part));
    if (part.voids_earlier) ARROW_RETURN_NOT_OK(VoidEarlierRows(reader.table(), *writer));
    return writer;
  }

  arrow::Status VoidEarlierRows(std::shared_ptr<const TableSchema> table, SnapshotPartWriter& writer) {
    TruncateEvent event;
    event.tables = {std::move(table)};
    event.commit_lsn = snapshot_.point().order - 1;  // as those rows have it, and in front of them
    event.commit_ts = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(event, 0));
    return writer.Write({event.tables[0], std::move(row), {}});
  }

  arrow::Status EndPart(size_t table) {
    {
      const std::lock_guard lock(mutex_);
      ++progress_.tables[table].parts_done;
      if (--parts_left_[table] > 0) return arrow::Status::OK();
    }
    return Complete(table);
  }

  arrow::Status Complete(size_t table) {
    const SnapshotTable& copied = snapshot_.tables()[table];
    ARROW_RETURN_NOT_OK(target_.CompleteTable({copied.name, copied.table_id, copied.point}));
    const std::lock_guard lock(mutex_);
    progress_.tables[table].complete = true;
    return arrow::Status::OK();
  }

  Snapshot& snapshot_;
  SnapshotTarget& target_;
  const StopToken& stop_;
  std::mutex stale_mutex_;
  std::set<TableName> stale_;  // under that
  std::mutex mutex_;
  std::condition_variable done_;
  // Under the mutex:
  int running_ = 0;
  arrow::Status status_;
  SnapshotProgress progress_;
  std::vector<int> parts_left_;
};

}  // namespace

void DropThoseThatVoidNothing(const std::function<bool(const SnapshotPart&)>& is_stale,
                              std::vector<SnapshotPart>* parts) {
  std::set<TableName> voided;
  for (const SnapshotPart& part : *parts) {
    if (part.voids_earlier) voided.insert(part.table);
  }
  std::erase_if(*parts,
                [&](const SnapshotPart& part) { return is_stale(part) && !voided.contains(part.table); });
}

arrow::Status CopySnapshot(Snapshot& snapshot, SnapshotTarget& target, const std::set<TableName>& stale,
                           int64_t connections, const StopToken& stop,
                           const std::function<void(const SnapshotProgress&)>& on_progress,
                           const std::function<void(const SourceNotice&)>& on_notice) {
  constexpr size_t kConnectionsMax = 4;
  size_t workers = connections > 0 ? static_cast<size_t>(connections)
                                   : std::min(size_t{std::thread::hardware_concurrency()}, kConnectionsMax);
  workers = std::min(workers, static_cast<size_t>(target.snapshot_writers_max()));
  if (workers <= 1 && !target.keeps_parts()) snapshot.ReadWholeTables();
  size_t parts = 0;
  for (const SnapshotTable& table : snapshot.tables())
    parts += static_cast<size_t>(table.part_count - table.parts_kept);
  workers = std::min(workers, parts);
  return Copy(snapshot, target, stale, stop)
      .Run(static_cast<int>(std::max<size_t>(workers, 1)), on_progress, on_notice);
}

}  // namespace arrowcdc
