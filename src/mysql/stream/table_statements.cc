// What statements do to tables, of which the log lists no rows: it is told, or comes as a truncation.
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/mysql/decode/table_id.h"
#include "src/mysql/stream/transaction_reader.h"

namespace arrowcdc::mysql {

void TransactionReader::Tell(bool error, const std::string& text, const TableName& table) {
  news_.notices.push_back({error, text + ", at " + ToString(event_at_, token_.base),
                           "table " + ToString(table), NoticeKind::kDdlSeen});
}

void TransactionReader::TellRowsAltered(const TableName& table) {
  if (!Wanted(table)) return;
  Tell(true,
       "rows went or came with a partition or a tablespace, or may have gone by ALTER IGNORE, which the "
       "binary log does not list: they are not delivered",
       table);
}

arrow::Status TransactionReader::TakeDdl(const Statement& statement) {
  using Kind = Statement::Kind;
  transaction_->alters = true;
  for (const TableName& table : statement.tables) {
    if (options_.altered) options_.altered(table);
  }
  if (statement.kind == Kind::kTruncate) return TakeEmptied(statement.tables);
  if (statement.kind == Kind::kDropTable) return TakeDropped(statement.tables);
  if (statement.kind == Kind::kDropDatabase) return TakeDroppedDatabase(statement.tables[0].schema);
  if (statement.cascades) ARROW_RETURN_NOT_OK(TakeCascades(statement.tables[0]));
  if (statement.kind == Kind::kCreateTable) {
    if (statement.replaces) return TakeDropped(statement.tables);
    if (names_.Take(statement.tables[0]) && Wanted(statement.tables[0])) return TakeEmptied(statement.tables);
    // Rows of a CREATE ... SELECT have the same numbers, whatever is known of the name.
    ++transaction_->rows_events;
    return arrow::Status::OK();
  }
  const TableName& altered = statement.tables[0];
  if (statement.kind == Kind::kAlterRows) {
    TellRowsAltered(altered);
    if (statement.other.has_value()) TellRowsAltered(*statement.other);
  }
  for (size_t i = 0; i + 1 < statement.tables.size(); i += 2) {
    const TableName& table = statement.tables[i];
    const TableName& to = statement.tables[i + 1];
    names_.Take(to);
    if (Wanted(table)) Lose(table);
    if (Wanted(table) && !Wanted(to)) {
      Tell(true,
           "the table was renamed to " + ToString(to) +
               ", which no pattern matches: its changes do "
               "not come any more",
           table);
    } else if (Wanted(table) || Wanted(to)) {
      Tell(false, "the table was renamed to " + ToString(to), table);
    }
  }
  return arrow::Status::OK();
}

// What is known of names that are gone is bounded: some tables have a new one each day.
void TransactionReader::Lose(const TableName& table) {
  if (const auto forgotten = names_.Lose(table)) schemas_.erase(*forgotten);
}

// A table that gets one of these names later has none of their rows.
arrow::Status TransactionReader::TakeDropped(const std::vector<TableName>& tables) {
  for (const TableName& table : tables) {
    if (Wanted(table)) Tell(false, "the table was dropped", table);
  }
  ARROW_RETURN_NOT_OK(TakeEmptied(tables));
  for (const TableName& table : tables) schemas_.erase(table);
  return arrow::Status::OK();
}

// The log does not list which tables it had.
arrow::Status TransactionReader::TakeDroppedDatabase(const std::string& database) {
  ARROW_RETURN_NOT_OK(TakeAllDecoded());
  std::set<TableName> tables(options_.tables.begin(), options_.tables.end());
  for (const auto& [name, schema] : schemas_) tables.insert(name);
  std::erase_if(tables, [&](const TableName& table) { return table.schema != database; });
  names_.DropDatabase(database);
  return TakeDropped({tables.begin(), tables.end()});
}

arrow::Status TransactionReader::TakeCascades(const TableName& table) {
  if (options_.cascades == Cascades::kAreLogged || !Wanted(table)) return arrow::Status::OK();
  const std::string what =
      "the table gets a foreign key with CASCADE, SET NULL or SET DEFAULT, and what that changes in it is "
      "not in "
      "the binary log";
  if (options_.cascades == Cascades::kAreSaid) {
    Tell(true, what, table);
    return arrow::Status::OK();
  }
  return MakeError(ErrorKind::kUnsupported, what + ", at " + ToString(event_at_, token_.base),
                   "table " + ToString(table),
                   "make the foreign key RESTRICT and change the rows in the application, or leave the table "
                   "out, and capture into a new sink; --accept-cascades takes it as it is");
}

// The schemas are those of the rows in front of what comes, then.
arrow::Status TransactionReader::TakeAllDecoded() {
  ARROW_RETURN_NOT_OK(Flush());
  while (!closing_.empty()) ARROW_RETURN_NOT_OK(TakeDecoded(/*wait=*/true).status());
  return arrow::Status::OK();
}

// As a truncation.
arrow::Status TransactionReader::TakeEmptied(std::vector<TableName> tables) {
  std::erase_if(tables, [this](const TableName& table) { return !Wanted(table); });
  if (tables.empty()) return arrow::Status::OK();
  ARROW_RETURN_NOT_OK(TakeAllDecoded());
  TruncateEvent event;
  for (const TableName& table : tables) {
    ARROW_ASSIGN_OR_RAISE(auto schema, SchemaOf(table));
    event.tables.push_back(std::move(schema));
  }
  ARROW_ASSIGN_OR_RAISE(event.commit_lsn, MakeOrder(options_.epoch, transaction_->begin));
  event.lsn = transaction_->rows_events++ << 16;
  event.commit_ts = transaction_->gtid.commit_ts;
  event.group = {std::nullopt, false, true, false};
  group_open_ = true;
  transaction_->given = true;
  Emit(std::move(event));
  return arrow::Status::OK();
}

// Rows have the schema that they are logged with. Of a table of which none has come nothing is known but the
// name; the row of the truncation has the metadata columns alone then.
arrow::Result<std::shared_ptr<const TableSchema>> TransactionReader::SchemaOf(const TableName& table) {
  const auto known = schemas_.find(table);
  if (known != schemas_.end()) return known->second;
  Tell(false,
       "the table was emptied, and no rows of it have come since the stream was started, or since it was "
       "made: that comes without the table's columns",
       table);
  constexpr ReplicaIdentity kIdentity = ReplicaIdentity::kFull;
  const auto metadata =
      arrow::key_value_metadata({"arrowcdc:schema", "arrowcdc:table", "arrowcdc:replica_identity"},
                                {table.schema, table.table, {ReplicaIdentityLetter(kIdentity)}});
  return MakeTableSchema(table, TableIdOf(table), SchemaFingerprint({}, *metadata), kIdentity, {}, metadata);
}

}  // namespace arrowcdc::mysql
