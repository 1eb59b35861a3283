// The generated columns of tables, as the catalog had them last. Some tables have a new name each day: of
// those that were altered since, or are gone, not all are kept. No I/O. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "arrowcdc/change_batch.h"

namespace arrowcdc::mysql {

class GeneratedColumns {
 public:
  using Names = std::set<std::string>;
  static constexpr size_t kTablesMax = 10'000;

  // As the catalog has them now.
  void Set(const TableName& table, Names names) { MakeRoom(table) = {std::move(names), false}; }
  // None: the catalog is to be asked.
  std::optional<Names> Find(const TableName& table) const {
    const auto known = known_.find(table);
    return known == known_.end() || known->second.is_old ? std::nullopt : std::optional(known->second.names);
  }
  // What the catalog answered; none: the table is gone, and those of before count. altered: alterations()
  // when it was asked.
  Names Take(const TableName& table, std::optional<Names> names, uint64_t altered) {
    Known& known = MakeRoom(table);
    if (names.has_value()) known.names = *std::move(names);
    known.is_old = altered != altered_;
    return known.names;
  }
  // A statement may have changed them; without a name: of all tables of the database.
  void Alter(const TableName& table) {
    ++altered_;
    for (auto known = known_.lower_bound(table); known != known_.end(); ++known) {
      const bool is_it = table.table.empty() ? known->first.schema == table.schema : known->first == table;
      if (!is_it) break;
      known->second.is_old = true;
    }
  }
  uint64_t alterations() const { return altered_; }
  size_t tables() const { return known_.size(); }

 private:
  struct Known {
    Names names;
    bool is_old = false;
  };
  Known& MakeRoom(const TableName& table) {
    if (known_.size() >= kTablesMax)
      std::erase_if(known_, [&](const auto& known) { return known.second.is_old && known.first != table; });
    return known_[table];
  }

  std::map<TableName, Known> known_;
  uint64_t altered_ = 0;  // how often
};

}  // namespace arrowcdc::mysql
