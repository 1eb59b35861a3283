#include "tests/mysql/captured_rows.h"

#include <algorithm>
#include <chrono>
#include <list>
#include <utility>
#include <variant>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/change_rows.h"
#include "tests/mysql/value_text.h"

namespace arrowcdc::mysql::test {
namespace {

using What = CapturedRow::What;
constexpr std::chrono::seconds kLimit{60};
// Of the workload. MariaDB leaves them out of new images although they changed, docs/types.md.
bool IsGenerated(const std::string& column) { return column == "gv" || column == "gs"; }

arrow::Status AddBatch(const ChangeBatch& batch, std::map<TableName, RowPosition>* last,
                       std::vector<CapturedRow>* rows) {
  ARROW_RETURN_NOT_OK(batch.rows->ValidateFull());
  ARROW_ASSIGN_OR_RAISE(const auto changes, ChangeRows::Make(*batch.table, *batch.rows));
  for (int64_t i = 0; i < changes.num_rows(); ++i) {
    CapturedRow row{changes.op(i), changes.position(i), batch.table, batch.rows, i, {}};
    const auto before = last->find(batch.table->name);
    if (before != last->end() && row.position <= before->second)
      return arrow::Status::Invalid("a row of ", ToString(batch.table->name), " is out of order, or twice");
    last->insert_or_assign(batch.table->name, row.position);
    for (int column = 0; column < batch.table->column_count; ++column) {
      row.cells.push_back(!batch.rows->column(column)->IsNull(i) ? What::kValue
                          : changes.IsUnchanged(i, column)       ? What::kUnchanged
                          : changes.IsUnrepresentable(i, column) ? What::kUnrepresentable
                                                                 : What::kNull);
    }
    rows->push_back(std::move(row));
  }
  return arrow::Status::OK();
}

arrow::Status AddEvent(const Event& event, std::map<TableName, RowPosition>* last,
                       std::vector<CapturedRow>* rows, std::optional<Position>* safe) {
  const GroupState* group = nullptr;
  if (const auto* const batch = std::get_if<ChangeBatch>(&event)) {
    ARROW_RETURN_NOT_OK(AddBatch(*batch, last, rows));
    group = &batch->group;
  } else if (const auto* const truncate = std::get_if<TruncateEvent>(&event)) {
    for (size_t i = 0; i < truncate->tables.size(); ++i) {
      const RowPosition at{truncate->commit_lsn, truncate->lsn, static_cast<uint16_t>(i)};
      rows->push_back({Op::kTruncate, at, truncate->tables[i], nullptr, 0, {}});
    }
    group = &truncate->group;
  } else if (const auto* const progress = std::get_if<ProgressEvent>(&event)) {
    group = &progress->group;
  } else if (const auto* const keepalive = std::get_if<KeepaliveEvent>(&event)) {
    *safe = keepalive->position;
  }
  if (group != nullptr && group->safe.has_value()) *safe = group->safe;
  return arrow::Status::OK();
}

std::string Describe(const CapturedRow& row, Flavor flavor, const LoggedColumns& columns) {
  std::string text = std::string(OpName(row.op)) + " " + ToString(row.table->name) + " at " +
                     std::to_string(row.position.commit_lsn) + " (";
  for (size_t i = 0; i < row.cells.size(); ++i) {
    text += (i == 0 ? "" : ", ");
    text += row.cells[i] == What::kNull        ? "NULL"
            : row.cells[i] == What::kUnchanged ? "~"
            : row.cells[i] != What::kValue     ? "!"
            : columns != nullptr && i < columns->size()
                ? PrintedText(*row.rows->column(static_cast<int>(i)), row.row, (*columns)[i], flavor)
                : "?";
  }
  return text + ")";
}

std::string Describe(const LoggedRow& row) {
  std::string text = std::string(OpName(row.op)) + " " + ToString(row.table) + " (";
  for (const auto& [column, value] : row.cells) text += std::to_string(column + 1) + "=" + value + ", ";
  return text + ")";
}

// "1.5      /* FLOAT meta=4 ... */" -> "1.5"
std::string WithoutComment(const std::string& cell) {
  std::string text = cell.substr(0, cell.rfind(" /* "));
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

// A change of a JSON document, as a function of the old one; the server computes it.
arrow::Result<std::string> Computed(const std::string& function, size_t column, const std::string& old,
                                    MysqlServer* server) {
  const std::string name = "@" + std::to_string(column + 1);
  if (function == name) return old;
  std::string sql = function;
  const size_t at = sql.find(name + ",");
  if (at == std::string::npos) return arrow::Status::Invalid("no old document in ", function);
  sql.replace(at, name.size(), "CAST(" + old + " AS JSON)");
  ARROW_ASSIGN_OR_RAISE(const Rows rows, server->Query("SELECT " + sql));
  return PrintedBytes(rows[0][0].value_or("NULL"), Flavor::kMysql);
}

std::string DifferenceOfCell(const CapturedRow& got, size_t i, const std::string* wanted,
                             const LoggedColumn& column, Flavor flavor, bool is_there) {
  const What what = got.cells[i];
  if (wanted == nullptr) {
    const bool is_lost = flavor == Flavor::kMariadb && got.op == Op::kUpdateAfter && IsGenerated(column.name);
    // Of a table that has another name now the catalog cannot tell, and MINIMAL images do not.
    if (is_lost && !is_there && what == What::kUnchanged) return "";
    return what == (is_lost ? What::kUnrepresentable : What::kUnchanged) ? "" : "it is not in the image";
  }
  if (*wanted == "NULL") return what == What::kNull ? "" : "wanted NULL";
  const bool form = (column.type != "DATE" && !column.type.starts_with("DATETIME") &&
                     !column.type.starts_with("TIMESTAMP")) ||
                    IsCalendarDate(*wanted);
  if (!form) return what == What::kUnrepresentable ? "" : "wanted that there is no form of " + *wanted;
  if (what != What::kValue) return "wanted " + *wanted;
  const std::string text = PrintedText(*got.rows->column(static_cast<int>(i)), got.row, column, flavor);
  return text == *wanted ? "" : "wanted " + *wanted + ", got " + text;
}

class LogComparison {
 public:
  explicit LogComparison(MysqlServer* server) : server_(server) {}

  arrow::Result<std::string> Compare(const CapturedRow& got, const LoggedRow& wanted, uint64_t place) {
    if (got.table->name != wanted.table || got.op != wanted.op) return std::string("another row");
    if (got.position.commit_lsn != place)
      return "wanted _commit_lsn " + std::to_string(place) + ", got " +
             std::to_string(got.position.commit_lsn);
    if (wanted.op == Op::kTruncate) return std::string();
    const auto& columns = *wanted.columns;
    if (columns.size() != got.cells.size()) return std::string("another number of columns");
    const bool with_before = wanted.op == Op::kUpdateAfter;
    std::map<size_t, std::string> cells;
    for (const auto& [i, cell] : wanted.cells) {
      cells[i] = WithoutComment(cell);
      if (cells[i].starts_with("JSON_") || cells[i].starts_with("@")) {
        ARROW_ASSIGN_OR_RAISE(cells[i], Computed(cells[i], i, before_[i], server_));
      }
    }
    if (with_before) cells.insert(before_.begin(), before_.end());
    for (size_t i = 0; i < columns.size(); ++i) {
      if (got.table->schema->field(static_cast<int>(i))->name() != columns[i].name)
        return "wanted column " + columns[i].name;
      const auto cell = cells.find(i);
      bool is_there = true;
      if (cell == cells.end() && IsGenerated(columns[i].name)) {
        ARROW_ASSIGN_OR_RAISE(is_there, IsThere(wanted.table, columns[i].name));
      }
      const std::string found = DifferenceOfCell(got, i, cell == cells.end() ? nullptr : &cell->second,
                                                 columns[i], server_->flavor(), is_there);
      if (!found.empty()) return "column " + columns[i].name + " " + columns[i].type + ": " + found;
    }
    before_ = std::move(cells);
    return std::string();
  }

 private:
  arrow::Result<bool> IsThere(const TableName& table, const std::string& column) {
    ARROW_ASSIGN_OR_RAISE(
        const Rows rows,
        server_->Query("SELECT 1 FROM information_schema.columns WHERE table_schema = '" + table.schema +
                       "' AND table_name = '" + table.table + "' AND column_name = '" + column + "'"));
    return !rows.empty();
  }

  MysqlServer* const server_;
  std::map<size_t, std::string> before_;  // of the row in front
};

}  // namespace

arrow::Result<std::vector<CapturedRow>> CaptureUntil(Source* source, const Position& end) {
  std::vector<CapturedRow> rows;
  std::map<TableName, RowPosition> last;
  std::optional<Position> safe;
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!safe.has_value() || *safe < end) {
    if (std::chrono::steady_clock::now() > deadline) return arrow::Status::IOError("the end does not come");
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::milliseconds(100)));
    (void)source->TakeNews();
    if (event.has_value()) ARROW_RETURN_NOT_OK(AddEvent(*event, &last, &rows, &safe));
  }
  std::sort(rows.begin(), rows.end(),
            [](const CapturedRow& left, const CapturedRow& right) { return left.position < right.position; });
  return rows;
}

arrow::Result<std::string> DifferenceFromLog(const std::vector<CapturedRow>& rows,
                                             const std::vector<LoggedTransaction>& transactions,
                                             MysqlServer* server) {
  LogComparison comparison(server);
  size_t at = 0;
  for (const LoggedTransaction& transaction : transactions) {
    for (const LoggedRow& wanted : transaction.rows) {
      if (at == rows.size()) return "no row for " + Describe(wanted);
      const CapturedRow& got = rows[at++];
      ARROW_ASSIGN_OR_RAISE(const std::string found, comparison.Compare(got, wanted, transaction.place));
      if (!found.empty()) {
        return found + "\nlog: " + Describe(wanted) + " at " + std::to_string(transaction.place) +
               "\ngot: " + Describe(got, server->flavor(), wanted.columns);
      }
    }
  }
  if (at < rows.size()) return "not in the log: " + Describe(rows[at], server->flavor(), nullptr);
  return std::string();
}

// --- replay ---

namespace {

struct Cell {
  bool known = false;
  bool lost = false;                // it has another value now, which nobody knows
  std::optional<std::string> text;  // none: NULL
  bool unrepresentable = false;     // some value that is no date
  std::shared_ptr<arrow::DataType> type;

  bool Fits(const Cell& other) const {
    if (!known || !other.known || unrepresentable || other.unrepresentable) return true;
    return text == other.text;
  }
};
using StateRow = std::map<std::string, Cell>;

struct State {
  std::list<StateRow> rows;
  std::map<std::string, std::string> types;  // of the columns, as the last row had them
};

std::string TypeOf(const TableSchema& table, int column) {
  return table.schema->field(column)->metadata()->Get("arrowcdc:mysql_type").ValueOr("");
}

class TableReplay {
 public:
  void TakeDefinitions(const LoggedTransaction& transaction) {
    for (const auto& [from, to] : transaction.renames) {
      states_[to] = std::move(states_[from]);
      states_.erase(from);
    }
    for (const TableName& name : transaction.dropped) states_.erase(name);
    for (const auto& [name, column] : transaction.modified) {
      for (StateRow& row : states_[name].rows) row.erase(column);
    }
  }

  // What is different; empty: nothing.
  std::string Take(const CapturedRow& row) {
    State& state = states_[row.table->name];
    if (row.op == Op::kTruncate) {
      state.rows.clear();
      return "";
    }
    StateRow cells = Fit(row, &state);
    if (row.op == Op::kInsert) {
      state.rows.push_back(std::move(cells));
      return "";
    }
    if (row.op == Op::kUpdateAfter) {
      StateRow& open = *open_;
      for (auto& [name, cell] : cells) {
        if (cell.known || cell.lost) open[name] = std::move(cell);
      }
      return "";
    }
    open_ = std::find_if(state.rows.begin(), state.rows.end(), [&](const StateRow& there) {
      return std::all_of(cells.begin(), cells.end(), [&](const auto& cell) {
        const auto found = there.find(cell.first);
        return found == there.end() || found->second.Fits(cell.second);
      });
    });
    if (open_ == state.rows.end()) return "a change of a row that is not there";
    for (auto& [name, cell] : cells) {
      if (cell.known) (*open_)[name] = std::move(cell);
    }
    if (row.op == Op::kDelete) state.rows.erase(open_);
    return "";
  }

  arrow::Result<std::string> Compare(const std::string& schema, MysqlServer* server) {
    ARROW_ASSIGN_OR_RAISE(const Rows columns,
                          server->Query("SELECT table_name, column_name, data_type FROM "
                                        "information_schema.columns WHERE table_schema = " +
                                        QuoteText(schema) + " ORDER BY table_name, ordinal_position"));
    std::map<TableName, std::vector<std::pair<std::string, std::string>>> tables;
    for (const auto& row : columns)
      tables[{schema, row[0].value_or("")}].emplace_back(row[1].value_or(""), row[2].value_or(""));
    for (const auto& [name, state] : states_) {
      if (name.schema == schema && !state.rows.empty() && !tables.contains(name))
        return "no table " + ToString(name);
    }
    for (const auto& [name, names] : tables) {
      std::string sql;
      for (const auto& [column, type] : names)
        sql += (sql.empty() ? "SELECT " : ", ") + SelectExpression(QuoteName(column), type);
      sql += " FROM " + QuoteName(name.schema) + "." + QuoteName(name.table);
      ARROW_ASSIGN_OR_RAISE(const Rows selected, server->Query(sql));
      const std::string found = CompareTable(names, selected, &states_[name]);
      if (!found.empty()) return "table " + ToString(name) + ": " + found;
    }
    return std::string();
  }

  int64_t compared_cells() const { return compared_cells_; }

 private:
  // The row's values by name. What the state has of columns that are gone, or of another type, goes with
  // them.
  static StateRow Fit(const CapturedRow& row, State* state) {
    std::map<std::string, std::string> types;
    StateRow cells;
    for (int i = 0; i < row.table->column_count; ++i) {
      const std::string type = TypeOf(*row.table, i);
      const std::string& name = row.table->schema->field(i)->name();
      types[name] = type;
      Cell& cell = cells[name];
      const What what = row.cells[static_cast<size_t>(i)];
      cell.lost = what == What::kUnrepresentable && IsGenerated(name);
      cell.known = what != What::kUnchanged && !cell.lost;
      cell.unrepresentable = what == What::kUnrepresentable && !cell.lost;
      cell.type = row.table->schema->field(i)->type();
      if (what == What::kValue) cell.text = SelectedText(*row.rows->column(i), row.row, type);
    }
    if (types != state->types) {
      for (StateRow& there : state->rows) {
        std::erase_if(there, [&](const auto& cell) {
          const auto found = types.find(cell.first);
          return found == types.end() || found->second != state->types[cell.first];
        });
      }
      state->types = std::move(types);
    }
    return cells;
  }

  std::string CompareTable(const std::vector<std::pair<std::string, std::string>>& columns,
                           const Rows& selected, State* state) {
    if (selected.size() != state->rows.size())
      return std::to_string(selected.size()) + " rows, replayed " + std::to_string(state->rows.size());
    for (const auto& row : selected) {
      const auto found = std::find_if(state->rows.begin(), state->rows.end(), [&](const StateRow& there) {
        for (size_t i = 0; i < columns.size(); ++i) {
          const auto cell = there.find(columns[i].first);
          if (cell != there.end() && !IsSelected(cell->second, row[i])) return false;
        }
        return true;
      });
      if (found == state->rows.end()) {
        std::string text = "not replayed:";
        for (const auto& value : row) text += " " + value.value_or("NULL");
        return text;
      }
      compared_cells_ += static_cast<int64_t>(found->size());
      state->rows.erase(found);
    }
    return "";
  }

  static bool IsSelected(const Cell& cell, const std::optional<std::string>& value) {
    if (!cell.known) return true;
    if (cell.unrepresentable) return value.has_value() && !IsCalendarDate(*value);
    if (!cell.text.has_value() || !value.has_value()) return cell.text.has_value() == value.has_value();
    return SameSelected(*cell.text, *value, *cell.type);
  }

  std::map<TableName, State> states_;
  std::list<StateRow>::iterator open_;
  int64_t compared_cells_ = 0;
};

}  // namespace

arrow::Result<std::string> DifferenceFromTables(const std::vector<CapturedRow>& rows,
                                                const std::vector<LoggedTransaction>& transactions,
                                                const std::string& schema, MysqlServer* server) {
  TableReplay replay;
  size_t at = 0;
  for (const CapturedRow& row : rows) {
    for (; at < transactions.size() && transactions[at].place < row.position.commit_lsn; ++at)
      replay.TakeDefinitions(transactions[at]);
    const std::string found = replay.Take(row);
    if (!found.empty()) return found + ": " + Describe(row, server->flavor(), nullptr);
  }
  for (; at < transactions.size(); ++at) replay.TakeDefinitions(transactions[at]);
  return replay.Compare(schema, server);
}

}  // namespace arrowcdc::mysql::test
