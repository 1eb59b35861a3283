#include "src/delivery/copied_tables.h"

#include <algorithm>

#include "arrowcdc/error.h"

namespace arrowcdc {

void CopiedTables::Add(const CopiedTable& table) {
  tables_.push_back(table);
  ids_.insert(table.table_id);
}

bool CopiedTables::Has(const TableName& name) const {
  return std::any_of(tables_.begin(), tables_.end(),
                     [&](const CopiedTable& copied) { return copied.name == name; });
}

arrow::Status CopiedTables::CheckIsLater(const Snapshot& snapshot) const {
  for (const SnapshotTable& table : snapshot.tables()) {
    const bool is_there = std::any_of(tables_.begin(), tables_.end(), [&](const CopiedTable& copied) {
      return copied.name == table.name && copied.point == snapshot.point();
    });
    if (!is_there) continue;
    return MakeError(
        ErrorKind::kBusy,
        "nothing was committed since its rows were copied, and a copy at the same place of the log "
        "would be the same one",
        "table " + ToString(table.name), "it is copied again once something is committed", "",
        /*retryable=*/true);
  }
  return arrow::Status::OK();
}

void CopiedTables::Look(const std::vector<SourceTable>& tables) {
  for (const SourceTable& table : tables) names_now_[table.table_id] = table.name;
}

TableName CopiedTables::NameNow(const TableName& name) const {
  const bool is_there = std::any_of(names_now_.begin(), names_now_.end(),
                                    [&](const auto& table) { return table.second == name; });
  for (const CopiedTable& copied : tables_) {
    const auto now = names_now_.find(copied.table_id);
    if (!is_there && copied.name == name && now != names_now_.end()) return now->second;
  }
  return name;
}

TableName CopiedTables::NameThen(uint32_t table_id, const TableName& name) const {
  const auto last = std::find_if(tables_.rbegin(), tables_.rend(),
                                 [&](const CopiedTable& copied) { return copied.table_id == table_id; });
  return last == tables_.rend() ? name : last->name;
}

}  // namespace arrowcdc
