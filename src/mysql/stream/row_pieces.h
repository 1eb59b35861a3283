// Rows events -> change batches by several threads: events are gathered into pieces, each piece is decoded as
// a whole by one thread, and what comes of them is taken in the order in which they were gathered. A small
// piece is decoded where it is closed, since waking a thread takes longer.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/mysql/decode/row_decoder.h"

namespace arrowcdc::mysql {

// One thread; those within begin with the first piece that is not small.
class RowPieces {
 public:
  // threads: 0 is as many as there are processors, up to four. Errors: as RowDecoder::Make. The functions of
  // `options` are called from any thread.
  static arrow::Result<std::unique_ptr<RowPieces>> Make(RowDecoderOptions options, size_t threads = 0);
  ~RowPieces();
  RowPieces(const RowPieces&) = delete;
  RowPieces& operator=(const RowPieces&) = delete;

  // Into the piece that is open. What is wrong with rows is said by Take.
  void AddTableMap(std::span<const uint8_t> body);
  void AddRows(uint8_t event_type, std::span<const uint8_t> body, const RowContext& context);
  void ForgetTableMaps() { maps_.clear(); }
  // Of the open piece; 0: it has no rows.
  size_t open_bytes() const { return open_.size(); }
  // The open piece is as it was when it had so many.
  void CutOpen(size_t bytes) { open_.resize(bytes); }
  // The open piece is to be decoded, which has rows.
  void Close();

  // More closed pieces would not be decoded sooner.
  bool crowded() const { return closed_.size() > threads_max_; }
  // Of the oldest piece that is closed.
  struct Taken {
    std::optional<ChangeBatch> batch;  // its group state is empty; none: no rows were in it
    bool is_last = false;              // the next one is of the next piece
  };
  // nullopt: it is not ready, and `wait` is false. Errors: as RowDecoder::AddRows and Flush; what comes
  // behind is lost.
  arrow::Result<std::optional<Taken>> Take(bool wait);

 private:
  struct Piece {
    std::vector<uint8_t> bytes;
    // These by the lock.
    std::deque<ChangeBatch> batches;
    int64_t batch_bytes = 0;
    bool done = false;
    arrow::Status status;
  };

  RowPieces(RowDecoderOptions options, size_t threads);
  void Run(RowDecoder* decoder);
  void Decode(Piece* piece, RowDecoder* decoder, bool in_thread);
  arrow::Status DecodeEvents(Piece* piece, RowDecoder* decoder, bool in_thread);
  arrow::Status Put(Piece* piece, RowDecoder* decoder, bool in_thread);
  bool HasThread();

  const RowDecoderOptions options_;
  const size_t threads_max_;
  std::unique_ptr<RowDecoder> own_decoder_;
  std::vector<uint8_t> maps_;  // table maps that count, as records
  std::vector<uint8_t> open_;  // records of maps and rows
  std::deque<std::shared_ptr<Piece>> closed_;

  std::mutex mutex_;
  std::condition_variable work_;   // waits_ has something, or stopping_
  std::condition_variable ready_;  // a piece has more to take
  std::condition_variable taken_;  // something was taken of a piece, or stopping_
  std::deque<std::shared_ptr<Piece>> waits_;
  std::vector<std::vector<uint8_t>> spare_;  // memory of pieces that were decoded
  bool stopping_ = false;
  std::vector<std::unique_ptr<RowDecoder>> decoders_;
  std::vector<std::thread> threads_;
};

}  // namespace arrowcdc::mysql
