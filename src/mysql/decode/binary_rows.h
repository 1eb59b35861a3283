// Rows of the binary protocol, as a SELECT in a prepared statement gives them ("Binary Protocol Resultset
// Row" in MySQL's documentation), into the columns that the binlog's rows fill. Its values are exact, where
// those of the text protocol are not (FLOAT).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/change/batch_builder.h"
#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/type_table.h"

namespace arrowcdc::mysql {

// One table, whose columns were selected in their order, over a connection that converts no text
// (character_set_results is NULL). One thread.
class BinaryRows {
 public:
  // Errors: kUnsupported, by column, for types that are not read.
  static arrow::Result<BinaryRows> Make(const TableMap& table, TypeChoices choices);

  // A row's packet. Errors: kProtocol; those of BatchBuilder::EndRow. The row is in no batch then.
  arrow::Status Append(std::span<const uint8_t> packet, const RowMetadata& metadata, BatchBuilder* batch);

 private:
  explicit BinaryRows(TableName table) : table_(std::move(table)) {}
  arrow::Status AppendValues(std::span<const uint8_t> packet, BatchBuilder* batch);
  arrow::Status Damaged(const char* what) const;

  TableName table_;
  std::vector<ColumnStep> steps_;
  RowInput input_;
};

}  // namespace arrowcdc::mysql
