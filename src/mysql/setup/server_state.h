// What a server says of itself, its log and its tables: read once a connection, judged elsewhere.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/decode/gtid_set.h"
#include "src/mysql/decode/table_map.h"

namespace arrowcdc::mysql {

struct ServerState {
  Flavor flavor = Flavor::kMysql;
  std::string version;
  std::map<std::string, std::string> variables;  // global ones, by name; absent: the server has none of it

  std::string Variable(const std::string& name) const;
  bool IsOn(const std::string& name) const;
  // MySQL with gtid_mode=ON; MariaDB always has GTIDs, and rows that are not committed yet.
  bool only_committed() const { return flavor == Flavor::kMysql && Variable("gtid_mode") == "ON"; }
  // Whose files these are: MySQL's server_uuid, MariaDB's server_id.
  std::string server() const;
  // SourceId::id.
  std::string source_id() const;
  // After which the server removes files of its log by itself; 0: it does not.
  int64_t retention_seconds() const;
  // What foreign keys change by CASCADE is in the log: the server's own layer of SQL makes it.
  bool logs_cascades() const;
};
arrow::Result<ServerState> ReadServerState(Connection* connection);

// For all sessions from now on; on MySQL over a restart, too.
std::string SetGlobal(Flavor flavor, const std::string& name, const std::string& value);

struct LogFile {
  std::string name;
  uint64_t bytes = 0;
};
// From the oldest on. Errors: kPermission; kServerSetting where there is no binary log.
arrow::Result<std::vector<LogFile>> ReadLogFiles(Connection* connection);

// Its end now, and what is in it up to there.
struct LogStatus {
  std::string file;
  uint64_t offset = 0;
  GtidState executed;
  bool filters = false;  // binlog_do_db or binlog_ignore_db
};
arrow::Result<LogStatus> ReadLogStatus(Connection* connection);

// A database of the server itself, like mysql.
bool IsOwnSchema(std::string_view schema);

struct CatalogTable {
  SourceTable table;
  std::string engine;
  std::set<std::string> generated;  // columns that are made of others
  bool is_versioned = false;        // MariaDB's WITH SYSTEM VERSIONING
};
// Base tables that the role may see, but for those of the server itself, with their columns. Sequences are
// among them: the log has them as tables.
arrow::Result<std::vector<CatalogTable>> ReadCatalog(Connection* connection);

// A foreign key whose changes no log has.
struct Cascade {
  TableName child;
  std::string constraint;
  TableName parent;
  std::string rule;  // ON DELETE CASCADE
};
// Of these tables, in their order. not_shown: those of which the role may read some columns alone.
arrow::Result<std::vector<Cascade>> ReadCascades(Connection* connection, const ServerState& state,
                                                 const std::vector<CatalogTable>& tables,
                                                 std::vector<TableName>* not_shown);

// MariaDB's uuid, inet4 and inet6 are binary(16) or binary(4) in the binary log, in an order of bytes that
// depends on the server's version; so no column may be one. An error that names it, kUnsupported.
arrow::Status RefuseHiddenType(const TableName& table, const std::string& column, const std::string& type);
bool IsHiddenType(const std::string& type);
// Whether a column of the map could be one.
bool MayHideType(const TableMap& map);
// As the catalog has the table now; one that is gone passes.
arrow::Status CheckHiddenTypes(Connection* connection, const TableName& table);

// Names of its columns that are made of others, as the catalog has it now; nullopt: it is gone.
arrow::Result<std::optional<std::set<std::string>>> ReadGeneratedColumns(Connection* connection,
                                                                         const TableName& table);

// Whether the engine of the table takes rows back.
arrow::Result<bool> IsTransactional(Connection* connection, const TableName& table);

}  // namespace arrowcdc::mysql
