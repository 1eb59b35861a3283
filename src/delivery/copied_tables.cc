#include "src/delivery/copied_tables.h"

#include <algorithm>

#include "arrowcdc/error.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc {
namespace {

const Position& LastPoint(const CopiedTable& table) {
  return table.later_points.empty() ? table.point : table.later_points.back();
}

}  // namespace

arrow::Result<std::vector<TableName>> CopiedTables::Restore(
    const std::vector<CopiedTable>& tables,
    const std::function<arrow::Result<bool>(const Position&)>& has_in_history) {
  *this = {};
  std::map<uint32_t, const CopiedTable*> last;  // of one that was copied again both are there
  for (const CopiedTable& table : tables) last[table.table_id] = &table;
  std::map<Position, bool> history;  // many tables have one point
  std::vector<TableName> lost;
  for (const auto& [id, table] : last) {
    const Position& point = LastPoint(*table);
    const auto [there, is_new] = history.try_emplace(point, true);
    if (is_new) {
      ARROW_ASSIGN_OR_RAISE(there->second, has_in_history(point));
    }
    if (there->second) {
      Add(*table);
    } else {
      lost.push_back(table->name);
      lost_.push_back(*table);
    }
  }
  return lost;
}

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
    for (const CopiedTable& lost : lost_) {
      if (lost.table_id != table.table_id || LastPoint(lost).order < snapshot.point().order) continue;
      return MakeError(ErrorKind::kBusy,
                       "the log of this server has not come to where the rows of the table were copied "
                       "before, on another one: those would be taken for later than new ones",
                       "table " + ToString(table.name),
                       "it is copied again once the log has passed that place; or capture into a new sink",
                       "",
                       /*retryable=*/true);
    }
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

arrow::Result<std::vector<TableName>> CopiedTables::FindLeftOut(
    const std::vector<std::string>& patterns_before, const std::vector<SourceTable>& tables) const {
  std::vector<TableName> left_out;
  if (patterns_before.empty()) return left_out;
  ARROW_ASSIGN_OR_RAISE(const TablePatterns before, TablePatterns::Parse(patterns_before));
  for (const SourceTable& table : tables) {
    if (!Has(table.table_id) && !Has(table.name)) continue;
    const TableName then = NameThen(table.table_id, table.name);
    if (!before.Matches(table.name) || !before.Matches(then)) left_out.push_back(table.name);
  }
  return left_out;
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
