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
  // `columns`: those that the table's fields come from. Errors: kInternal where they do not fit together.
  static arrow::Result<std::unique_ptr<RowReader>> Make(std::shared_ptr<const TableSchema> table,
                                                        MappedColumns columns, arrow::MemoryPool* pool);

  // The next value of column `field`; each column takes one a row, in any order. `offset`: where the value
  // begins in what the caller decodes, for errors. Errors: kProtocol with offset and column, never the value;
  // the row must be cancelled then.
  arrow::Status Read(int field, ValueForm form, std::string_view value, uint64_t offset) {
    const Field& to = fields_[static_cast<size_t>(field)];
    const ReadOutcome outcome = form == ValueForm::kBinary
                                    ? to.reader->ReadBinary(value, to.column, &context_)
                                    : to.reader->ReadText(value, to.column, &context_);
    return outcome == ReadOutcome::kValue ? arrow::Status::OK() : EndWithout(outcome, field, value, offset);
  }
  void ReadNull(int field) { builder_->AppendNull(field); }
  void ReadUnchanged(int field) { builder_->AppendUnchanged(field); }

  // Ends and cancels rows, finishes batches.
  BatchBuilder* batch() { return builder_.get(); }
  const TableSchema& table() const { return builder_->table(); }
  // In which form a server that is asked for binary must be made to send the column: kText where only text
  // may be read.
  ValueForm binary_form(int field) const { return fields_[static_cast<size_t>(field)].form; }

 private:
  // What a value needs, in one place.
  struct Field {
    const ValueReader* reader;
    ColumnBuilder* column;
    ValueForm form;
  };

  arrow::Status EndWithout(ReadOutcome outcome, int field, std::string_view value, uint64_t offset);

  RowReader(std::unique_ptr<BatchBuilder> builder, MappedColumns columns);

  std::unique_ptr<BatchBuilder> builder_;
  MappedColumns columns_;
  std::vector<Field> fields_;
  ReadContext context_;
};

}  // namespace arrowcdc
