// ChangeRows: the rows of a batch by what they mean, for whoever looks into a batch instead of passing it on.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/array.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/util/bit_util.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// _unchanged or _unrepresentable: the names that each row lists, mostly none. Got from ChangeRows.
class NameLists {
 public:
  // Whether any row may list a name.
  bool any() const { return lists_->GetNullCount() < lists_->length; }
  int32_t count(int64_t row) const { return IsNull(row) ? 0 : offsets_[row + 1] - offsets_[row]; }
  // i: below count(row).
  std::string_view name(int64_t row, int32_t i) const {
    const int32_t* const place = name_offsets_ + offsets_[row] + i;
    return {text_ + place[0], static_cast<size_t>(place[1] - place[0])};
  }
  bool Contains(int64_t row, std::string_view name) const;

 private:
  friend class ChangeRows;
  NameLists() = default;
  explicit NameLists(const arrow::ArrayData& lists);
  bool IsNull(int64_t row) const {
    return validity_ != nullptr && !arrow::bit_util::GetBit(validity_, lists_->offset + row);
  }

  const arrow::ArrayData* lists_ = nullptr;
  const uint8_t* validity_ = nullptr;  // null: every row has a list
  const int32_t* offsets_ = nullptr;
  const int32_t* name_offsets_ = nullptr;
  const char* text_ = nullptr;
};

// Made once a batch; after that a row costs a load or two, so it may be used in loops over all rows.
//
// Ownership: it points into the table and the batch, which must outlive it. Threads: any number may read it.
class ChangeRows {
 public:
  // Errors: kInternal, with the table's name, where `rows` are not of table.schema: another number of
  // columns, metadata columns of other types or lengths, nulls in _op, _commit_lsn, _lsn or _ord, an
  // operation that is unknown. The arrays must be sound in themselves, as RecordBatch::ValidateFull has it.
  // A dictionary of _op that has the names in another order is translated. Blocking: never.
  static arrow::Result<ChangeRows> Make(const TableSchema& table, const arrow::RecordBatch& rows);

  int64_t num_rows() const { return rows_->num_rows(); }

  Op op(int64_t row) const { return static_cast<Op>(ops_[row]); }
  // Whether a row has this operation.
  bool Any(Op op) const;

  uint64_t commit_lsn(int64_t row) const { return commit_lsns_[row]; }
  uint64_t lsn(int64_t row) const { return lsns_[row]; }
  uint16_t ord(int64_t row) const { return ords_[row]; }
  RowPosition position(int64_t row) const { return {commit_lsns_[row], lsns_[row], ords_[row]}; }

  // nullopt: null, as _xid is in rows of a snapshot. commit_ts: microseconds since 1970-01-01 UTC.
  std::optional<uint32_t> xid(int64_t row) const { return xids_.at(row); }
  std::optional<int64_t> commit_ts(int64_t row) const { return commit_timestamps_.at(row); }

  const NameLists& unchanged() const { return unchanged_; }
  const NameLists& unrepresentable() const { return unrepresentable_; }

  // Why the table's column `column` is null in that row where the source has a value: the change did not
  // carry it, or it has no Arrow form. Neither is said of what such a row never has: in old rows
  // (kUpdateBefore, kDelete) the columns outside of the replica identity, in a truncate all of them.
  bool IsUnchanged(int64_t row, int column) const { return Lists(unchanged_, row, column); }
  bool IsUnrepresentable(int64_t row, int column) const { return Lists(unrepresentable_, row, column); }

 private:
  template <typename T>
  struct Nullable {
    Nullable() = default;
    explicit Nullable(const arrow::ArrayData& data)
        : values(data.GetValues<T>(1)),
          validity(data.buffers[0] == nullptr ? nullptr : data.buffers[0]->data()),
          offset(data.offset) {}
    std::optional<T> at(int64_t row) const {
      if (validity != nullptr && !arrow::bit_util::GetBit(validity, offset + row)) return std::nullopt;
      return values[row];
    }
    const T* values = nullptr;
    const uint8_t* validity = nullptr;  // null: none is null
    int64_t offset = 0;                 // of the first row in it
  };

  ChangeRows(const TableSchema& table, const arrow::RecordBatch& rows) : table_(&table), rows_(&rows) {}
  arrow::Status Read();

  bool Lists(const NameLists& lists, int64_t row, int column) const {
    return lists.count(row) > 0 && lists.Contains(row, table_->schema->field(column)->name());
  }

  const TableSchema* table_;
  const arrow::RecordBatch* rows_;
  const int8_t* ops_ = nullptr;
  const uint64_t* commit_lsns_ = nullptr;
  const uint64_t* lsns_ = nullptr;
  const uint16_t* ords_ = nullptr;
  Nullable<uint32_t> xids_;
  Nullable<int64_t> commit_timestamps_;
  NameLists unchanged_;
  NameLists unrepresentable_;
  std::unique_ptr<int8_t[]> translated_ops_;  // where the dictionary is not that of Op
};

}  // namespace arrowcdc
