// Rows of one version of a table, value by value, to change batches: readers and batch builder together.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "src/change/batch_builder.h"
#include "src/postgres/decode/values/type_table.h"

namespace arrowcdc {

// One thread.
class RowReader {
 public:
  // `readers`: one for each of the table's columns, as MapColumns made them with the table's fields.
  static arrow::Result<std::unique_ptr<RowReader>> Make(
      std::shared_ptr<const TableSchema> table, std::vector<std::unique_ptr<const ValueReader>> readers,
      UnrepresentableAs unrepresentable, arrow::MemoryPool* pool);

  // The next value of column `field`; each column takes one a row, in any order. `offset`: where the value
  // begins in what the caller decodes, for errors. Errors: kProtocol with offset and column, never the value;
  // under UnrepresentableAs::kError kUnsupported. After an error the row must be cancelled.
  arrow::Status Read(int field, ValueForm form, std::string_view value, uint64_t offset);
  void ReadNull(int field) { builder_->AppendNull(field); }
  void ReadUnchanged(int field) { builder_->AppendUnchanged(field); }

  // Ends and cancels rows, finishes batches.
  BatchBuilder* batch() { return builder_.get(); }
  const TableSchema& table() const { return builder_->table(); }

 private:
  RowReader(std::unique_ptr<BatchBuilder> builder, std::vector<std::unique_ptr<const ValueReader>> readers,
            UnrepresentableAs unrepresentable);

  std::unique_ptr<BatchBuilder> builder_;
  std::vector<std::unique_ptr<const ValueReader>> readers_;
  UnrepresentableAs unrepresentable_;
  ReadContext context_;
};

}  // namespace arrowcdc
