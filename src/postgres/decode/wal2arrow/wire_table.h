// A schema frame's content: the Arrow schema as it is on the wire, and the TableSchema that events carry.
#pragma once

#include <memory>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "format/frame_reader.h"
#include "src/postgres/decode/wal2arrow/batch_reader.h"
#include "src/postgres/decode/wal2arrow/batch_sections.h"

namespace arrowcdc {

struct WireTable {
  std::shared_ptr<const TableSchema> table;
  BatchReader reader;  // of the table's columns, then those of the three roles
  int op_field = -1;
  int lsn_field = -1;
  int ord_field = -1;
};

// Errors: kProtocol.
arrow::Result<WireTable> ReadWireTable(const format::Frame& frame,
                                       const std::shared_ptr<arrow::Buffer>& payload,
                                       arrow::MemoryPool* pool);

// The rows of a batch frame as a record batch of table.table->schema. `streamed`: as SpreadTransactions has
// it. A compressed body may expand to `bytes_max`. Errors: kProtocol.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadWireBatch(
    const format::Frame& frame, const std::shared_ptr<arrow::Buffer>& payload, const WireTable& table,
    int64_t rows, const StreamedCommit* streamed, int64_t bytes_max, NullLists* nulls,
    arrow::MemoryPool* pool);

}  // namespace arrowcdc
