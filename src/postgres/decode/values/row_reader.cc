// What reading a value gave, as the batch builder wants it.
#include "src/postgres/decode/values/row_reader.h"

#include <string>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc {

RowReader::RowReader(std::unique_ptr<BatchBuilder> builder,
                     std::vector<std::unique_ptr<const ValueReader>> readers,
                     UnrepresentableAs unrepresentable)
    : builder_(std::move(builder)), readers_(std::move(readers)), unrepresentable_(unrepresentable) {}

arrow::Result<std::unique_ptr<RowReader>> RowReader::Make(
    std::shared_ptr<const TableSchema> table, std::vector<std::unique_ptr<const ValueReader>> readers,
    UnrepresentableAs unrepresentable, arrow::MemoryPool* pool) {
  if (static_cast<int>(readers.size()) != table->column_count) {
    return MakeError(ErrorKind::kInternal, "not one reader for each column", "table " + ToString(table->name),
                     "");
  }
  ARROW_ASSIGN_OR_RAISE(auto builder, BatchBuilder::Make(std::move(table), pool));
  return std::unique_ptr<RowReader>(new RowReader(std::move(builder), std::move(readers), unrepresentable));
}

arrow::Status RowReader::Read(int field, ValueForm form, std::string_view value, uint64_t offset) {
  const ValueReader& reader = *readers_[static_cast<size_t>(field)];
  ColumnBuilder* const column = builder_->column(field);
  const ReadOutcome outcome = form == ValueForm::kBinary ? reader.ReadBinary(value, column, &context_)
                                                         : reader.ReadText(value, column, &context_);
  if (outcome == ReadOutcome::kValue) return arrow::Status::OK();
  if (outcome == ReadOutcome::kNoForm && unrepresentable_ != UnrepresentableAs::kError) {
    builder_->AppendUnrepresentable(field);
    return arrow::Status::OK();
  }
  const std::string object =
      "column " + table().schema->field(field)->name() + " of table " + ToString(table().name);
  if (outcome == ReadOutcome::kNoForm) {
    return MakeError(ErrorKind::kUnsupported, "a value has no Arrow form", object,
                     "let such values become null (docs/types.md), or change the column's type");
  }
  const auto within = static_cast<uint64_t>(context_.fault_at() - value.data());
  return MakeError(ErrorKind::kProtocol,
                   std::string(context_.fault_what()) + " at byte " + std::to_string(offset + within), object,
                   "");
}

}  // namespace arrowcdc
