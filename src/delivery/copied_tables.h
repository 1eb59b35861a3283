// The tables whose rows a sink has, under the names that they had and those that they have.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/snapshot.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

class CopiedTables {
 public:
  // Those that a sink has, each as it was copied last. Returns the ones that do not count: of a point that is
  // not in the log's history.
  arrow::Result<std::vector<TableName>> Restore(
      const std::vector<CopiedTable>& tables,
      const std::function<arrow::Result<bool>(const Position&)>& has_in_history);
  void Add(const CopiedTable& table);
  const std::vector<CopiedTable>& all() const { return tables_; }
  bool Has(uint32_t table_id) const { return ids_.contains(table_id); }
  bool Has(const TableName& name) const;

  // Errors: kBusy, retryable, where the snapshot has a table at the point that it was copied at: its rows
  // would have the places of those that are there; or before one that is not in the log: rows of that would
  // be taken for later ones.
  arrow::Status CheckIsLater(const Snapshot& snapshot) const;

  // Of those that come those that the patterns of before did not match, be it under a name that they had:
  // their changes meanwhile were passed over.
  arrow::Result<std::vector<TableName>> FindLeftOut(const std::vector<std::string>& patterns_before,
                                                    const std::vector<SourceTable>& tables) const;

  // What tables are called now, as far as they are published.
  void Look(const std::vector<SourceTable>& tables);
  // The name of now of the table that was copied under this one; the same where no other is known.
  TableName NameNow(const TableName& name) const;
  // The name under which it was copied last; `name` where it was not.
  TableName NameThen(uint32_t table_id, const TableName& name) const;

 private:
  std::vector<CopiedTable> tables_;
  std::vector<CopiedTable> lost_;  // of a point that is not in the log
  std::set<uint32_t> ids_;
  std::map<uint32_t, TableName> names_now_;
};

}  // namespace arrowcdc
