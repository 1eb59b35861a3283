// Names that tables have lost, and for which nothing has been delivered that says so. Whoever makes a table
// of such a name makes an empty one. No I/O.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "arrowcdc/change_batch.h"

namespace arrowcdc::mysql {

class GoneNames {
 public:
  // They are stored with each position: some tables have a new name each day.
  static constexpr size_t kNamesMax = 1'000;

  // Of databases that were dropped: which tables were made in them since.
  using DroppedDatabases = std::map<std::string, std::set<std::string>>;

  explicit GoneNames(std::vector<TableName> names, DroppedDatabases dropped = {})
      : gone_(std::move(names)), back_(std::move(dropped)) {}

  // Returns the name that is forgotten for it.
  std::optional<TableName> Lose(const TableName& table) {
    std::erase(gone_, table);
    gone_.push_back(table);
    if (gone_.size() <= kNamesMax) return std::nullopt;
    TableName oldest = std::move(gone_.front());
    gone_.erase(gone_.begin());
    return oldest;
  }
  // Of those of its tables that nobody has told.
  void DropDatabase(const std::string& database) {
    back_[database].clear();
    Bound(database);
  }
  // Whether the name was one of them, which another table has now. CREATE TABLE IF NOT EXISTS is logged where
  // the table is there, too.
  bool Take(const TableName& table) {
    const auto database = back_.find(table.schema);
    const bool first = database != back_.end() && database->second.insert(table.table).second;
    if (first) Bound(table.schema);
    return std::erase(gone_, table) > 0 || first;
  }

  // Those of RENAME, the oldest first.
  const std::vector<TableName>& names() const { return gone_; }
  const DroppedDatabases& dropped() const { return back_; }

 private:
  // What is stored of databases: others are forgotten first, and one that has too many tables with them.
  void Bound(const std::string& latest) {
    const auto size = [this] {
      size_t names = 0;
      for (const auto& [database, tables] : back_) names += 1 + tables.size();
      return names;
    };
    while (size() > kNamesMax) {
      const auto first = back_.begin();
      const bool is_latest = first->first == latest && back_.size() > 1;
      back_.erase(is_latest ? std::next(first) : first);
    }
  }

  std::vector<TableName> gone_;
  DroppedDatabases back_;
};

}  // namespace arrowcdc::mysql
