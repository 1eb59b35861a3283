// WRITE_ROWS_EVENT, UPDATE_ROWS_EVENT, DELETE_ROWS_EVENT and their kin: what stands in front of the rows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include <arrow/result.h>

namespace arrowcdc::mysql {

// Of an event that is of no table and only ends a statement.
constexpr bool IsDummyTable(uint64_t table_id) { return table_id == 0xffffff || table_id == 0xffffffffffff; }

struct RowsEventKind {
  enum class Change : uint8_t { kWrite, kUpdate, kDelete };
  Change change = Change::kWrite;
  bool has_extra = false;      // version 2: a piece of any length behind the flags
  bool is_partial = false;     // JSON may come as a difference
  bool is_compressed = false;  // MariaDB: the rows are
};

// nullopt: no rows event, or of before MySQL 5.1.15.
std::optional<RowsEventKind> RowsEventKindOf(uint8_t event_type);

struct RowsEvent {
  RowsEventKind kind;
  uint64_t table_id = 0;
  bool statement_end = false;
  uint64_t column_count = 0;
  // A bit a column, the lowest of a byte first: whether the image has it. An event of one image: `before`
  // is for deletes, `after` for writes.
  std::span<const uint8_t> before = {};
  std::span<const uint8_t> after = {};
  std::span<const uint8_t> rows = {};
};

// Table and flags alone. Errors: kProtocol.
arrow::Result<RowsEvent> ReadRowsEventHead(RowsEventKind kind, std::span<const uint8_t> body);
// All. Errors: kProtocol.
arrow::Result<RowsEvent> ReadRowsEvent(RowsEventKind kind, std::span<const uint8_t> body);

}  // namespace arrowcdc::mysql
