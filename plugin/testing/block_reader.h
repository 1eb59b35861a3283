// For the plugin's tests: transactions in progress as a client would take them, without the client's code for
// them. Rows are read by the client's decoder, to which each stretch of rows is given as a transaction of its
// own.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "format/frame_reader.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace arrowcdc::test {

class BlockReader {
 public:
  BlockReader();

  // The next frame of the session. Errors: it breaks a rule of docs/wire.md.
  arrow::Status Feed(const std::shared_ptr<arrow::Buffer>& frame);

  // Rows in the order in which they are handed on, as AppendLines writes them with their _ord; those of
  // transactions in progress when these commit. Notices as "notice WHAT NAME" among them.
  std::vector<std::string> lines;
  // What came of transactions in progress: "start 1", "stop 1", "abort 2 of 1", "commit 1", "notice", the
  // numbers being xids in the order in which they were seen, and "row 2" for each row. "group end" for each
  // end of a group with rows that had committed before they came.
  std::vector<std::string> log;
  int blocks = 0;

 private:
  struct Line {
    uint32_t xid;
    std::string text;
  };

  std::string Name(uint32_t xid);
  arrow::Status TakeStream(const format::Frame& frame, format::FrameKind kind);
  arrow::Status TakeOfBlock(const std::shared_ptr<arrow::Buffer>& bytes, const format::Frame& frame);
  // By the decoder, with these flags instead of its own.
  arrow::Result<std::vector<std::string>> Decode(std::string bytes, uint16_t flags);

  std::unique_ptr<Wal2arrowDecoder> decoder_;
  std::map<uint32_t, std::string> names_;
  std::map<uint32_t, std::vector<Line>> spools_;
  std::map<uint32_t, std::set<uint32_t>> aborted_;
  uint32_t block_ = 0;  // the transaction's; 0: none is open
  uint64_t block_rows_ = 0;
  bool group_has_rows_ = false;
  uint64_t safe_lsn_ = 0;
  uint32_t sequence_ = 0;
  uint32_t decoder_sequence_ = 0;
  uint64_t made_up_lsn_ = 0;
};

}  // namespace arrowcdc::test
