// Checks of metadata columns, which may come from anywhere, and the pointers into them.
#include "arrowcdc/change_rows.h"

#include <algorithm>
#include <cstring>

#include "arrowcdc/error.h"
#include "src/change/metadata_columns.h"

namespace arrowcdc {
namespace {

using arrow::ArrayData;
using arrow::DataType;
using arrow::Type;

// What the columns are compared with first. It outlives every batch.
struct Promised {
  const DataType* types[kMetadataColumnCount];  // by MetadataColumn
  const ArrayData* op_dictionary;
};

const Promised& ThePromised() {
  static const Promised promised = [] {
    Promised made{{}, OpDictionary()->data().get()};
    for (int i = 0; i < kMetadataColumnCount; ++i) {
      made.types[i] = MetadataColumnType(static_cast<MetadataColumn>(i)).get();
    }
    return made;
  }();
  return promised;
}

// Names of fields inside a list play no part: a Parquet reader's list has "element" where ours has "item".
bool IsSameType(const DataType& type, const DataType& promised) {
  if (type.id() != promised.id()) return false;
  if (type.id() == Type::LIST) return type.field(0)->type()->id() == Type::STRING;
  if (type.id() == Type::DICTIONARY) {
    const auto& dictionary = static_cast<const arrow::DictionaryType&>(type);
    return dictionary.index_type()->id() == Type::INT8 && dictionary.value_type()->id() == Type::STRING;
  }
  return type.Equals(promised);
}

constexpr bool IsIdentity(MetadataColumn column) {
  return column == MetadataColumn::kOp || column == MetadataColumn::kCommitLsn ||
         column == MetadataColumn::kLsn || column == MetadataColumn::kOrd;
}

arrow::Status Fault(const TableSchema& table, const std::string& what) {
  return MakeError(ErrorKind::kInternal, "a batch is not of its table's schema: " + what,
                   "table " + ToString(table.name), "");
}

arrow::Status ColumnFault(const TableSchema& table, MetadataColumn column, const std::string& what) {
  return Fault(table, std::string("column ") + MetadataColumnName(column) + " " + what);
}

// The codes of another dictionary as those of Op; null where they are the same.
arrow::Result<std::unique_ptr<int8_t[]>> TranslateOps(const TableSchema& table, const ArrayData& data) {
  const bool is_text = data.dictionary != nullptr && data.dictionary->type->id() == Type::STRING;
  if (!is_text) return ColumnFault(table, MetadataColumn::kOp, "has no dictionary of names");
  const arrow::StringArray names(data.dictionary);
  if (names.Equals(OpDictionary())) return nullptr;
  int8_t op_of_code[INT8_MAX + 1];
  std::fill(std::begin(op_of_code), std::end(op_of_code), int8_t{-1});
  for (int code = 0; code <= INT8_MAX && code < names.length(); ++code) {
    for (int8_t op = 0; op < kOpCount; ++op) {
      if (names.IsValid(code) && names.GetView(code) == OpName(static_cast<Op>(op))) op_of_code[code] = op;
    }
  }
  const auto* codes = data.GetValues<int8_t>(1);
  auto ops = std::make_unique<int8_t[]>(static_cast<size_t>(data.length));
  for (int64_t row = 0; row < data.length; ++row) {
    ops[row] = codes[row] < 0 ? int8_t{-1} : op_of_code[codes[row]];
    if (ops[row] < 0) {
      return ColumnFault(table, MetadataColumn::kOp,
                         "has an operation that is unknown, in row " + std::to_string(row));
    }
  }
  return ops;
}

}  // namespace

NameLists::NameLists(const ArrayData& lists)
    : lists_(&lists),
      validity_(lists.buffers[0] == nullptr ? nullptr : lists.buffers[0]->data()),
      offsets_(lists.GetValues<int32_t>(1)),
      name_offsets_(lists.child_data[0]->GetValues<int32_t>(1)),
      text_(lists.child_data[0]->GetValues<char>(2, /*absolute_offset=*/0)) {}

bool NameLists::Contains(int64_t row, std::string_view name) const {
  const int32_t names = count(row);
  for (int32_t i = 0; i < names; ++i) {
    if (this->name(row, i) == name) return true;
  }
  return false;
}

arrow::Result<ChangeRows> ChangeRows::Make(const TableSchema& table, const arrow::RecordBatch& rows) {
  if (rows.num_columns() != table.column_count + kMetadataColumnCount) {
    return Fault(table, "it has " + std::to_string(rows.num_columns()) + " columns");
  }
  arrow::Result<ChangeRows> made{ChangeRows(table, rows)};
  ARROW_RETURN_NOT_OK(made->Read());
  return made;
}

arrow::Status ChangeRows::Read() {
  const Promised& promised = ThePromised();
  const auto* const columns = rows_->column_data().data() + table_->column_count;
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    const ArrayData& data = *columns[i];
    const auto column = static_cast<MetadataColumn>(i);
    if (data.type.get() != promised.types[i] && !IsSameType(*data.type, *promised.types[i])) {
      return ColumnFault(*table_, column, "is of another type");
    }
    if (data.length != rows_->num_rows()) {
      return ColumnFault(*table_, column, "is of another length than the batch");
    }
    if (data.buffers[0] != nullptr && IsIdentity(column) && data.GetNullCount() != 0) {
      return ColumnFault(*table_, column, "has nulls");
    }
  }
  const auto data = [&](MetadataColumn column) -> const ArrayData& {
    return *columns[static_cast<int>(column)];
  };
  ops_ = data(MetadataColumn::kOp).GetValues<int8_t>(1);
  if (data(MetadataColumn::kOp).dictionary.get() != promised.op_dictionary) {
    ARROW_ASSIGN_OR_RAISE(translated_ops_, TranslateOps(*table_, data(MetadataColumn::kOp)));
    if (translated_ops_ != nullptr) ops_ = translated_ops_.get();
  }
  commit_lsns_ = data(MetadataColumn::kCommitLsn).GetValues<uint64_t>(1);
  lsns_ = data(MetadataColumn::kLsn).GetValues<uint64_t>(1);
  ords_ = data(MetadataColumn::kOrd).GetValues<uint16_t>(1);
  xids_ = Nullable<uint32_t>(data(MetadataColumn::kXid));
  commit_timestamps_ = Nullable<int64_t>(data(MetadataColumn::kCommitTs));
  unchanged_ = NameLists(data(MetadataColumn::kUnchanged));
  unrepresentable_ = NameLists(data(MetadataColumn::kUnrepresentable));
  return arrow::Status::OK();
}

bool ChangeRows::Any(Op op) const {
  return num_rows() > 0 && memchr(ops_, static_cast<int>(op), static_cast<size_t>(num_rows())) != nullptr;
}

}  // namespace arrowcdc
