// What a statement in the binlog does, as far as a capture of rows must know: a tokenizer and the first
// words, no parser of SQL. Never shown to anybody: statements carry values and hashes of passwords.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrowcdc/change_batch.h"
#include "src/mysql/decode/event.h"
#include "src/mysql/decode/flavor.h"

namespace arrowcdc::mysql {

struct Statement {
  enum class Kind {
    kBegin,
    kCommit,
    kRollback,
    kSavepoint,
    kRollbackTo,
    kXaStart,
    kXaEnd,
    kXaPrepare,
    kXaCommit,
    kXaRollback,
    kTruncate,      // `tables`
    kCreateTable,   // `tables[0]`
    kDropTable,     // `tables`
    kDropDatabase,  // `tables[0].schema`
    kRenameTable,   // `tables`, each with its new name behind it
    kAlterTable,    // `tables[0]`; with a new name behind it where it gets one
    kAlterRows,     // the same, and rows may go or come with it, in `other` too
    kChangesRows,   // INSERT, UPDATE and what else changes rows, or may, by its text
    kOther,         // changes no rows of tables
    kUnreadable,
  };
  Kind kind = Kind::kUnreadable;
  std::vector<TableName> tables;
  std::optional<TableName> other;  // that gives its rows to a partition, or gets those of one
  std::string savepoint;
  std::string xid;        // of XA: as FormatXid has it, where the log's form can be read; else empty
  bool replaces = false;  // CREATE OR REPLACE
  bool cascades = false;  // it makes a foreign key with CASCADE, SET NULL or SET DEFAULT
};

// Names are UTF-8, whatever the client's character set was.
Statement ReadStatement(const QueryBody& query, Flavor flavor);

// Hexadecimal gtrid and bqual, and the format, as the servers write them: "61,,1".
std::string FormatXid(std::string_view gtrid, std::string_view bqual, uint64_t format);

}  // namespace arrowcdc::mysql
