// What reading a value gave, as the batch builder wants it.
#include "src/postgres/decode/values/row_reader.h"

#include <string>
#include <utility>

#include "arrowcdc/error.h"

namespace arrowcdc {

RowReader::RowReader(std::unique_ptr<BatchBuilder> builder, MappedColumns columns)
    : builder_(std::move(builder)), columns_(std::move(columns)) {
  for (size_t i = 0; i < columns_.readers.size(); ++i)
    fields_.push_back({columns_.readers[i].get(), builder_->column(static_cast<int>(i)), columns_.forms[i]});
}

arrow::Result<std::unique_ptr<RowReader>> RowReader::Make(std::shared_ptr<const TableSchema> table,
                                                          MappedColumns columns, arrow::MemoryPool* pool) {
  // A reader writes into its column without asking for the type.
  bool fits = static_cast<int>(columns.fields.size()) == table->column_count;
  for (int i = 0; fits && i < table->column_count; ++i) {
    fits = columns.fields[static_cast<size_t>(i)]->type()->Equals(*table->schema->field(i)->type());
  }
  if (!fits) {
    return MakeError(ErrorKind::kInternal, "columns were mapped for another table",
                     "table " + ToString(table->name), "");
  }
  ARROW_ASSIGN_OR_RAISE(auto builder, BatchBuilder::Make(std::move(table), pool));
  return std::unique_ptr<RowReader>(new RowReader(std::move(builder), std::move(columns)));
}

// No value was appended.
arrow::Status RowReader::EndWithout(ReadOutcome outcome, int field, std::string_view value, uint64_t offset) {
  if (outcome == ReadOutcome::kNoForm) {
    builder_->AppendUnrepresentable(field);
    return arrow::Status::OK();
  }
  const std::string object =
      "column " + table().schema->field(field)->name() + " of table " + ToString(table().name);
  const auto within = static_cast<uint64_t>(context_.fault_at() - value.data());
  return MakeError(ErrorKind::kProtocol,
                   std::string(context_.fault_what()) + " at byte " + std::to_string(offset + within), object,
                   "");
}

}  // namespace arrowcdc
