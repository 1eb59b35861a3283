// What the readers of a set share: one lock, the claims, and the way to acknowledge. The pump fills the
// readers, the readers' owners empty them.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "arrowcdc/readers.h"
#include "src/reader/claims.h"

namespace arrowcdc {

// What waits in a reader, and what its owner has not committed. All guarded by the stream's lock.
struct Reader::Waiting {
  struct Item {
    ReadResult batch;
    int64_t bytes;
    uint64_t claim;
    uint64_t behind;  // delivered position when it came: its rows commit after it
  };
  enum class State {
    kOpen,
    kClosed,     // drops rows, claims nothing
    kAbandoned,  // drops rows, keeps a claim on the first of them
  };

  std::deque<Item> queue;
  int64_t bytes = 0;
  std::deque<uint64_t> uncommitted;  // claims of what Next has returned
  std::optional<uint64_t> kept_claim;
  State state = State::kOpen;
  arrow::Status end;                        // why it is abandoned
  bool was_read = false;                    // Next was called, ever
  bool hungry = false;                      // Next found nothing, and nothing has come since
  std::optional<uint64_t> wanted_position;  // `until` of that Next
  std::condition_variable arrived;
  std::function<void()> notify;
  ReaderStats stats;
};

struct SharedStream {
  explicit SharedStream(CommitMode commit_mode, int64_t reader_bytes)
      : commit(commit_mode), reader_bytes_max(reader_bytes) {}

  const CommitMode commit;
  const int64_t reader_bytes_max;

  mutable std::mutex mutex;
  std::condition_variable room;  // a reader was emptied or closed, or somebody waits for rows
  std::vector<std::shared_ptr<Reader>> readers;
  Claims claims;
  Source* source = nullptr;  // null once the stream was stopped
  uint64_t delivered = 0;
  uint64_t acknowledged = 0;
  bool ended = false;
  arrow::Status end;  // of the stream; ok: in order
  std::deque<ReaderEvent> events;
  std::condition_variable event_arrived;
  int partitions = 1;

  // --- all below with the lock held ---

  arrow::Result<std::optional<ReadResult>> Take(Reader& reader, std::optional<uint64_t> until);
  arrow::Status Commit(Reader& reader);
  void Close(Reader& reader);
  void Abandon(Reader& reader, arrow::Status why);

  // False: there is no room for it and the reader is open.
  bool HasRoom(const Reader& reader, int64_t bytes) const;
  void Put(Reader& reader, ReadResult batch, int64_t bytes);
  // Everything up to `order` was delivered.
  arrow::Status Advance(uint64_t order);
  arrow::Status Acknowledge();
  void EndStream(arrow::Status why);
  void PushEvent(ReaderEvent event);
  bool AnotherIsHungry(const Reader& than) const;
  bool AnyWaitsForPosition() const;

  static Reader::Waiting& WaitingOf(const Reader& reader) { return *reader.waiting_; }

 private:
  void Signal(Reader::Waiting& waiting);
  void Drop(Reader::Waiting& waiting);
};

// Memory that a batch holds, with what Arrow needs for its arrays.
int64_t BatchBytes(const arrow::RecordBatch& rows);

}  // namespace arrowcdc
