// The changes applied one by one, as somebody would who knows docs/types.md, and the result beside the
// tables.
#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/util/key_value_metadata.h>

#include "tests/same_wal/log_rows.h"
#include "tests/same_wal/postgres_text.h"

namespace arrowcdc::test {
namespace {

using std::string;
using What = LogCell::What;

// A column that it is still the same one: attribute number and type.
using ColumnId = std::pair<int, string>;

struct Cell {
  LogCell value;
  const arrow::DataType* type = nullptr;  // the schema lives as long as the log
};
using Row = std::map<ColumnId, Cell>;

bool SameCell(const LogCell& left, const LogCell& right) {
  return left.what == right.what && left.text == right.text;
}

class Replica {
 public:
  // What cannot be; empty: done.
  string Apply(const LogRow& change) {
    switch (change.op) {
      case Op::kInsert:
        Insert(change, {});
        return "";
      case Op::kTruncate:
        rows_.clear();
        return "";
      case Op::kUpdateBefore:
        before_ = &change;
        return "";
      case Op::kDelete:
        return Take(change, nullptr) ? "" : "a row is deleted that is not there";
      default: {
        Row row;
        const LogRow& old = before_ != nullptr ? *before_ : change;
        before_ = nullptr;
        if (!Take(old, &row)) return "a row is updated that is not there";
        Insert(change, row);
        return "";
      }
    }
  }

  // Takes the row of the table out that is like `cells`, which `columns` are the columns of.
  bool TakeLike(const std::vector<ColumnId>& columns, const SqlRow& cells, size_t id) {
    auto& bucket = rows_[*cells[id]];
    const auto found = std::find_if(bucket.begin(), bucket.end(), [&](const Row& row) {
      for (size_t i = 0; i < columns.size(); ++i) {
        const auto cell = row.find(columns[i]);
        if (cell != row.end() && !IsValue(cell->second, cells[i])) return false;
      }
      return true;
    });
    if (found == bucket.end()) return false;
    bucket.erase(found);
    return true;
  }
  size_t size() const {
    size_t size = 0;
    for (const auto& [id, bucket] : rows_) size += bucket.size();
    return size;
  }

 private:
  static bool IsValue(const Cell& cell, const std::optional<string>& text) {
    if (!text.has_value()) return cell.value.what == What::kNull;
    if (!HasArrowForm(*cell.type, *text)) return cell.value.what == What::kUnrepresentable;
    return cell.value.what == What::kValue && cell.value.text == *text;
  }

  static ColumnId IdOf(const arrow::Field& field) {
    const auto& metadata = *field.metadata();
    return {std::stoi(metadata.Get("PARQUET:field_id").ValueOr("0")),
            metadata.Get("arrowcdc:typoid").ValueOr("") + "/" + metadata.Get("arrowcdc:typmod").ValueOr("")};
  }

  static string KeyOf(const LogRow& change) {
    return change.cells[static_cast<size_t>(change.table->schema->GetFieldIndex("id"))].text;
  }

  // The new row of a change; what that has not is as in `old`.
  void Insert(const LogRow& change, const Row& old) {
    Row row;
    for (size_t i = 0; i < change.cells.size(); ++i) {
      const arrow::Field& field = *change.table->schema->field(static_cast<int>(i));
      const ColumnId id = IdOf(field);
      if (change.cells[i].what != What::kUnchanged) {
        row[id] = {change.cells[i], field.type().get()};
      } else if (const auto before = old.find(id); before != old.end()) {
        row[id] = before->second;
      }
    }
    rows_[KeyOf(change)].push_back(std::move(row));
  }

  // The row that `old` names by what its identity carries.
  bool Take(const LogRow& old, Row* taken) {
    auto& bucket = rows_[KeyOf(old)];
    std::vector<size_t> by;
    if (old.table->replica_identity == ReplicaIdentity::kFull) {
      for (size_t i = 0; i < old.cells.size(); ++i) by.push_back(i);
    } else {
      by.assign(old.table->key_fields.begin(), old.table->key_fields.end());
    }
    const auto found = std::find_if(bucket.begin(), bucket.end(), [&](const Row& row) {
      return std::all_of(by.begin(), by.end(), [&](size_t i) {
        const auto cell = row.find(IdOf(*old.table->schema->field(static_cast<int>(i))));
        return cell == row.end() || SameCell(cell->second.value, old.cells[i]);
      });
    });
    if (found == bucket.end()) return false;
    if (taken != nullptr) *taken = std::move(*found);
    bucket.erase(found);
    return true;
  }

  std::unordered_map<string, std::vector<Row>> rows_;  // by id
  const LogRow* before_ = nullptr;
};

constexpr char kTables[] = R"(
  SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE (n.nspname = 'a' AND c.relkind IN ('r', 'p') AND NOT c.relispartition)
     OR (n.nspname = 'b' AND c.relkind = 'r'))";

arrow::Result<string> DifferenceOfTable(SqlConnection& sql, const string& oid, const string& name,
                                        Replica* replica) {
  ARROW_ASSIGN_OR_RAISE(
      const auto columns,
      sql.Query("SELECT attnum, attname, atttypid, atttypmod, quote_ident(attname) FROM pg_attribute "
                "WHERE attrelid = " +
                oid +
                " AND attnum > 0 AND NOT attisdropped AND "
                "(attgenerated = '' OR current_setting('server_version_num')::int >= 180000)"));
  std::vector<ColumnId> ids;
  string list;
  size_t id = 0;
  for (const SqlRow& column : columns) {
    if (*column[1] == "id") id = ids.size();
    ids.push_back({std::stoi(*column[0]), *column[2] + "/" + *column[3]});
    list += (list.empty() ? "" : ", ") + *column[4];
  }
  ARROW_ASSIGN_OR_RAISE(const auto rows, sql.Query("SELECT " + list + " FROM " + name));
  for (const SqlRow& row : rows) {
    if (replica->TakeLike(ids, row, id)) continue;
    string text;
    for (const auto& cell : row) text += cell.value_or("null").substr(0, 60) + ", ";
    return "the replay of " + name + " has not the row " + text;
  }
  if (replica->size() > 0)
    return "the replay of " + name + " has rows too many: " + std::to_string(replica->size());
  return "";
}

}  // namespace

arrow::Result<string> DifferenceFromTables(const std::vector<LogRow>& rows, SqlConnection& sql) {
  std::map<uint32_t, Replica> replicas;
  for (const LogRow& row : rows) {
    if (row.table->name.schema != "a" && row.table->name.schema != "b") continue;
    Replica& replica = replicas[row.table->table_id];
    if (string wrong = replica.Apply(row); !wrong.empty())
      return "replay: " + wrong + ": " + ToString(row.table->name) + " xid " + std::to_string(row.xid) +
             " lsn " + std::to_string(row.position.lsn) + " ord " + std::to_string(row.position.ord);
  }
  ARROW_ASSIGN_OR_RAISE(const auto tables, sql.Query(kTables));
  for (const SqlRow& table : tables) {
    ARROW_ASSIGN_OR_RAISE(string difference,
                          DifferenceOfTable(sql, *table[0], *table[1],
                                            &replicas[static_cast<uint32_t>(std::stoul(*table[0]))]));
    if (!difference.empty()) return difference;
  }
  return "";
}

}  // namespace arrowcdc::test
