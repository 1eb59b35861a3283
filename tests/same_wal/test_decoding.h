// What test_decoding writes, read: an account of the same WAL by a program of somebody else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::test {

struct TextCell {
  std::string name;  // of the column, as it is
  std::string type;
  std::optional<std::string> value;  // none: null
  bool unchanged = false;            // the value is not in the WAL
};

struct TextChange {
  enum class Kind { kInsert, kUpdate, kDelete, kTruncate, kMessage };
  Kind kind = Kind::kInsert;
  uint64_t lsn = 0;
  std::vector<TableName> tables;  // one, but for TRUNCATE
  bool has_old = false;
  std::vector<TextCell> old_row;  // without nulls
  std::vector<TextCell> row;
  bool cascade = false;
  bool restart_identity = false;
  // Of a message.
  bool transactional = false;
  std::string prefix{};
  std::string content{};
};

struct TextTransaction {
  uint32_t xid = 0;
  uint64_t end_lsn = 0;
  std::string commit_time;
  std::vector<TextChange> changes;
};

// What a slot of test_decoding holds; it does not move. Messages that are not transactional are a transaction
// of their own, without a commit time.
arrow::Result<std::vector<TextTransaction>> ReadTestDecoding(SqlConnection& sql, const std::string& slot);

}  // namespace arrowcdc::test
