// Names that tables have lost since the stream began, and for which nothing has been delivered that says so.
// Whoever makes a table of such a name makes an empty one. No I/O.
#pragma once

#include <map>
#include <set>
#include <string>

#include "arrowcdc/change_batch.h"

namespace arrowcdc::mysql {

class GoneNames {
 public:
  void Rename(const TableName& from, const TableName& to) {
    gone_.insert(from);
    Take(to);
  }
  // Of those of its tables that nobody has told.
  void DropDatabase(const std::string& database) { back_[database].clear(); }
  // Whether the name was one of them. CREATE TABLE IF NOT EXISTS is logged where the table is there, too.
  bool Create(const TableName& table) { return Take(table); }

 private:
  bool Take(const TableName& table) {
    const auto database = back_.find(table.schema);
    const bool first = database != back_.end() && database->second.insert(table.table).second;
    return gone_.erase(table) > 0 || first;
  }

  std::set<TableName> gone_;
  std::map<std::string, std::set<std::string>> back_;  // of databases that were dropped, what was made since
};

}  // namespace arrowcdc::mysql
