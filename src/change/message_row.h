// Logical messages as the decoders make them: rows of MessagesTable, one a batch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "arrowcdc/messages_table.h"

namespace arrowcdc {

// A longer prefix is null in its row, and listed in _unrepresentable.
inline constexpr size_t kMessagePrefixBytesMax = UINT16_MAX;

struct LogicalMessage {
  uint64_t end_lsn = 0;  // of its WAL record, above 0; where that starts, servers do not tell
  std::optional<std::string_view> prefix;  // UTF-8; none: it is longer
  std::shared_ptr<arrow::Buffer> content;  // any bytes, INT32_MAX at most
  struct Transaction {
    uint64_t commit_lsn;
    uint32_t xid;
    int64_t commit_ts;  // microseconds since 1970-01-01 UTC
  };
  // None: it came when it was written, whatever became of the transaction; as if it had committed there.
  std::optional<Transaction> transaction;
};

// Its _lsn is the last byte of its WAL record: behind the start of all records before it, and before that of
// the next one.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> MessageRow(const LogicalMessage& message);

}  // namespace arrowcdc
