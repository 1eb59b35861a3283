// COPY ... TO STDOUT (FORMAT binary) of a table's rows, as a snapshot reads them, to change batches. No
// socket, no clock.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/values/row_reader.h"

namespace arrowcdc {

struct CopyOptions {
  // Of every row: what its metadata columns say, with _op snapshot, _ord 0 and no _xid.
  uint64_t commit_lsn = 0;
  int64_t commit_ts = 0;                       // microseconds since 1970-01-01 UTC
  uint64_t first_lsn = 0;                      // of the first row; that of each further one is one more
  int64_t batch_bytes_max = int64_t{2} << 20;  // up to BatchBuilder::kBatchBytesMax
};

// Decodes what one COPY command sends: of each row the table's columns in order. One thread.
class CopyDecoder {
 public:
  // A column whose binary_form is kText is to be selected by its output text:
  // CASE WHEN num_nulls(c) = 0 THEN format('%s', c) END.
  CopyDecoder(std::unique_ptr<RowReader> rows, const CopyOptions& options);

  // The next bytes, cut anywhere. Batches that became full are put behind *batches. Memory: the batches, and
  // one field. Errors: kProtocol with the offset in the stream; the decoder must not be used further.
  arrow::Status Decode(std::string_view chunk, std::vector<ChangeBatch>* batches);

  // After the last bytes: the rows that are left. Errors: kProtocol where the trailer has not come.
  arrow::Status Finish(std::vector<ChangeBatch>* batches);

  uint64_t rows() const { return row_count_; }

 private:
  enum class State { kHeader, kExtension, kTuple, kFieldLength, kField, kEnd };

  // From *at on; leaves it where the states go on.
  arrow::Status TakeWhole(std::string_view chunk, uint64_t chunk_offset, size_t* at,
                          std::vector<ChangeBatch>* batches);
  arrow::Status TakeFields(std::string_view chunk, uint64_t chunk_offset, size_t* at);
  // Reads what `state_` expects from `item`; it is whole.
  arrow::Status Take(std::string_view item, uint64_t offset, std::vector<ChangeBatch>* batches);
  arrow::Status TakeHeader(std::string_view item, uint64_t offset);
  arrow::Status TakeTuple(std::string_view item, uint64_t offset, std::vector<ChangeBatch>* batches);
  arrow::Status TakeFieldLength(std::string_view item, uint64_t offset, std::vector<ChangeBatch>* batches);
  arrow::Status TakeField(std::string_view item, uint64_t offset);
  arrow::Status EndField(std::vector<ChangeBatch>* batches) {
    if (++field_ == column_count_) return EndRow(batches);
    Expect(State::kFieldLength, sizeof(int32_t));
    return arrow::Status::OK();
  }
  arrow::Status EndRow(std::vector<ChangeBatch>* batches);
  arrow::Status FinishBatch(std::vector<ChangeBatch>* batches);
  void Expect(State state, size_t bytes) {
    state_ = state;
    wanted_ = bytes;
  }
  arrow::Status Fault(const std::string& what, uint64_t offset) const;

  std::unique_ptr<RowReader> rows_;
  CopyOptions options_;
  RowMetadata row_;  // of the next row
  int column_count_;
  State state_ = State::kHeader;
  size_t wanted_;        // bytes of the item that `state_` expects
  std::string pending_;  // its beginning, where a chunk ended within it
  uint64_t offset_ = 0;  // of the first byte of the next chunk
  int field_ = 0;        // of the tuple
  uint64_t row_count_ = 0;
};

}  // namespace arrowcdc
