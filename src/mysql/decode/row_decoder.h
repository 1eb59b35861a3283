// Table maps and rows events of a binlog -> change batches. No socket, no clock, no position: what a
// transaction is and where it ends, the caller knows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/unrepresentable.h"
#include "src/mysql/decode/flavor.h"
#include "src/mysql/decode/table_map.h"

namespace arrowcdc::mysql {

// What a rows event is part of, as the metadata columns of its rows say it. _lsn is `event` << 16 with the
// row's number in the event >> 16 below, _ord the rest of that number; an update has two rows.
struct RowContext {
  uint64_t commit_lsn = 0;
  uint64_t event = 0;                // ordinal of the rows event in its transaction, below 2^48
  int64_t commit_ts = 0;             // microseconds since 1970-01-01 UTC
  std::optional<uint32_t> xid = {};  // none: null
};

// The table of a rows event.
struct RowsTable {
  TableName name;              // empty: of no table, the event only ends a statement
  bool wanted = false;         // false: AddRows would pass its rows over
  bool statement_end = false;  // STMT_END_F: table ids mean nothing behind it
};

struct RowDecoderOptions {
  Flavor flavor = Flavor::kMysql;
  arrow::MemoryPool* memory_pool = arrow::default_memory_pool();
  // Whether the rows of a table are to come; empty: all. Asked once a table, and again now and then.
  std::function<bool(const TableName&)> wanted = {};
  // Whether the rows of a wanted table can be read as its map says; empty: they can. Asked where a map says
  // something new of its table.
  std::function<arrow::Status(const TableMap&)> check = {};
  // Names of the table's columns whose values are made of others': where a new image lacks such a one, it may
  // have changed all the same (MariaDB). Empty: none. Asked for each event whose images lack
  // columns: a table map does not tell of a column that is made of others now.
  std::function<arrow::Result<std::set<std::string>>(const TableName&)> generated = {};
  Unrepresentable unrepresentable = Unrepresentable::kNull;
};

// Bodies of events are what follows the common header of 19 bytes, without the checksum. One thread.
class RowDecoder {
 public:
  static arrow::Result<std::unique_ptr<RowDecoder>> Make(RowDecoderOptions options);
  ~RowDecoder();

  // TABLE_MAP_EVENT (19). It counts until ForgetTableMaps. Errors: kProtocol; of a wanted table
  // kServerSetting where its metadata is not FULL, kUnsupported, by column, for types and character sets that
  // are not read.
  arrow::Status AddTableMap(std::span<const uint8_t> body);

  // Whether a type of event is one that AddRows takes.
  static bool IsRowsEvent(uint8_t event_type);

  // What a rows event is of, without looking at its rows. Errors: kProtocol, also where the table's map did
  // not come.
  arrow::Result<RowsTable> TableOf(uint8_t event_type, std::span<const uint8_t> body) const;

  // Rows of event_type 23 to 25, 30 to 32, 39, and MariaDB's compressed ones 166 to 171. Errors: kProtocol,
  // kUnsupported, always naming the table; nothing of the event is in any batch then.
  arrow::Status AddRows(uint8_t event_type, std::span<const uint8_t> body, const RowContext& context);

  void ForgetTableMaps();

  // Rows that Flush would give, and the bytes of their buffers.
  int64_t open_rows() const;
  int64_t open_bytes() const;

  // The rows as batches, those of a table in the order in which they came; the group state is empty. Rows of
  // one table with another schema are further batches. Errors: kUnsupported under Unrepresentable::kError
  // where a value has no Arrow form; OutOfMemory.
  arrow::Result<std::vector<ChangeBatch>> Flush();

 private:
  class Impl;
  explicit RowDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace arrowcdc::mysql
