// What the readers of a set share: one lock, the claims, and the way to acknowledge. The pump fills the
// readers, the readers' owners empty them.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "arrowcdc/readers.h"
#include "src/delivery/readers/claims.h"

namespace arrowcdc {

// What waits in a reader, and what its owner has not committed. All guarded by the stream's lock.
struct Reader::Waiting {
  using Clock = std::chrono::steady_clock;
  struct Item {
    ReadResult batch;
    int64_t bytes;
    uint64_t claim;
    std::optional<Position> behind;  // delivered position when it came: its rows commit after it
    bool ends_copy = false;          // the last of those that were copied
  };
  enum class State {
    kOpen,
    kClosed,     // drops rows, claims nothing
    kAbandoned,  // drops rows, keeps a claim on the first of them
  };

  std::deque<Item> queue;
  int64_t bytes = 0;
  // Changes wait here, behind rows that are being copied.
  bool holds = false;
  std::deque<Item> held;
  int64_t held_bytes = 0;
  std::deque<uint64_t> uncommitted;  // claims of what Next has returned
  std::optional<uint64_t> kept_claim;
  State state = State::kOpen;
  arrow::Status end;                           // why it is abandoned
  std::optional<Clock::time_point> last_read;  // when Next was called last
  bool in_next = false;                        // somebody stands in Next
  bool hungry = false;                         // Next found nothing, and nothing has come since
  std::optional<Position> wanted_position;     // `until` of that Next
  std::condition_variable arrived;
  std::function<void()> notify;
  ReaderStats stats;
};

// Those of the stream, in their order, or rows that their table had before.
enum class GivenRows { kChanges, kCopied };

struct SharedStream {
  using Clock = Reader::Waiting::Clock;

  SharedStream(std::shared_ptr<Source> streamed, const ReaderSetOptions& options)
      : source(std::move(streamed)),
        commit(options.commit),
        partitions(options.partitions),
        reader_bytes_max(options.reader_bytes_max),
        bytes_max(std::max(options.bytes_max, options.reader_bytes_max)) {}

  const std::shared_ptr<Source> source;
  const CommitMode commit;
  const int partitions;
  const int64_t reader_bytes_max;
  const int64_t bytes_max;

  mutable std::mutex mutex;
  std::condition_variable room;  // a reader was emptied or closed, or somebody waits for rows
  std::vector<std::shared_ptr<Reader>> readers;
  Claims claims;
  bool stopped = false;  // the source is not told of anything any more
  std::optional<Position> delivered;
  std::optional<Position> acknowledged;
  bool ended = false;
  arrow::Status end;  // of the stream; ok: in order
  std::deque<ReaderEvent> events;
  std::condition_variable event_arrived;
  std::vector<SourceNotice> notices;  // not taken yet
  int64_t bytes = 0;                  // that wait in all readers
  int64_t held_bytes = 0;             // besides: of changes behind rows that are being copied
  int position_waiters = 0;           // readers with a wanted_position

  // --- all below with the lock held ---

  arrow::Result<std::optional<ReadResult>> Take(Reader& reader, const std::optional<Position>& until);
  arrow::Status Commit(Reader& reader);
  void Close(Reader& reader);
  void Abandon(Reader& reader, arrow::Status why);

  // False: there is no room for it and the reader is open.
  bool HasRoom(const Reader& reader, int64_t batch_bytes, GivenRows what) const;
  // Whose fault it is that HasRoom is false: the reader itself where its own bytes are full, else any that
  // holds some.
  bool StandsInTheWay(const Reader& reader, const Reader& of, int64_t batch_bytes) const;
  void Put(Reader& reader, ReadResult batch, int64_t batch_bytes, GivenRows what);
  // What is left of a batch of changes: null, where it is nothing.
  using Filter = std::function<arrow::Result<std::shared_ptr<arrow::RecordBatch>>(const ReadResult&)>;
  // Ends the wait of changes: what the filter leaves of them follows.
  arrow::Status Release(Reader& reader, const Filter& filter);
  // All rows of its table were put.
  void EndCopy(Reader& reader);
  // Everything up to `position` was delivered; wakes who waits for that.
  void SetDelivered(const Position& position);
  // The same, and acknowledges what may be.
  arrow::Status Advance(const Position& position);
  arrow::Status Acknowledge();
  void EndStream(arrow::Status why);
  void PushEvent(ReaderEvent event);
  // For the log. Whoever waits with a notification takes it.
  void PushNotice(SourceNotice notice);
  // Somebody waits for rows: in Next, for its notification, or asking again and again, last after `since`.
  bool AnyIsHungry(Clock::time_point since) const;

  // In the epoch of the source's last connection: positions of rows that wait may be of an earlier one.
  bool Reaches(const Position& position, const Position& until) const;

  static Reader::Waiting& WaitingOf(const Reader& reader) { return *reader.waiting_; }

 private:
  static bool OwnBytesAreFull(const Reader::Waiting& waiting, int64_t batch_bytes, int64_t reader_bytes_max);
  void WantPosition(Reader::Waiting& waiting, const std::optional<Position>& position);
  void Signal(Reader::Waiting& waiting);
  void Drop(Reader::Waiting& waiting);
};

// Memory that a batch holds, with what Arrow needs for its arrays.
int64_t BatchBytes(const arrow::RecordBatch& rows);

}  // namespace arrowcdc
