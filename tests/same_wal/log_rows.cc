#include "tests/same_wal/log_rows.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/change_rows.h"
#include "tests/same_wal/postgres_text.h"

namespace arrowcdc::test {
namespace {

using std::string;
using What = LogCell::What;

arrow::Status AddRows(const ChangeBatch& batch, std::vector<LogRow>* all) {
  ARROW_ASSIGN_OR_RAISE(const auto rows, ChangeRows::Make(*batch.table, *batch.rows));
  std::vector<string> types;
  for (int i = 0; i < batch.table->column_count; ++i)
    types.push_back(batch.table->schema->field(i)->metadata()->Get("ADBC:postgresql:typname").ValueOr(""));
  for (int64_t i = 0; i < rows.num_rows(); ++i) {
    LogRow row{
        batch.table, rows.op(i), rows.position(i), rows.xid(i).value_or(0), rows.commit_ts(i).value_or(0),
        {}};
    for (int c = 0; c < batch.table->column_count; ++c) {
      LogCell& cell = row.cells.emplace_back();
      const arrow::Array& column = *batch.rows->column(c);
      if (!column.IsNull(i)) {
        cell = {What::kValue, PostgresText(column, i, types[static_cast<size_t>(c)])};
      } else if (rows.IsUnchanged(i, c)) {
        cell.what = What::kUnchanged;
      } else if (rows.IsUnrepresentable(i, c)) {
        cell.what = What::kUnrepresentable;
      }
    }
    all->push_back(std::move(row));
  }
  return arrow::Status::OK();
}

// What a row should be, from test_decoding's line.
struct WantedRow {
  TableName table;
  Op op = Op::kInsert;
  uint64_t lsn = 0;
  uint16_t ord = 0;
  std::map<string, TextCell> cells;
  bool transactional = true;
};

class Wanted {
 public:
  Wanted(const std::map<string, string>& leaves, bool generated) : leaves_(leaves), generated_(generated) {}

  std::vector<WantedRow> RowsOf(const TextTransaction& transaction) {
    rows_.clear();
    for (const TextChange& change : transaction.changes) {
      if (change.kind == TextChange::Kind::kTruncate) {
        AddTruncate(change);
      } else if (change.kind == TextChange::Kind::kMessage) {
        AddMessage(change);
      } else {
        AddRowsOf(change);
      }
    }
    return std::move(rows_);
  }

 private:
  void AddTruncate(const TextChange& change) {
    for (const TableName& table : change.tables) {
      const bool leaf = leaves_.contains(table.table);
      const bool root = std::any_of(change.tables.begin(), change.tables.end(), [&](const TableName& other) {
        const auto found = leaves_.find(other.table);
        return found != leaves_.end() && found->second == table.table && other.schema == table.schema;
      });
      if (table.schema == "a" ? !leaf : !root) Add(change, table, Op::kTruncate, {});
    }
  }

  // test_decoding tells the end of the record, which is where the next one begins: if that is a row's of
  // another subtransaction, the server may merge the row in front of the message.
  void AddMessage(const TextChange& change) {
    static constexpr char kDigits[] = "0123456789abcdef";
    string content = "\\x";
    for (const char byte : change.content) {
      content += kDigits[static_cast<unsigned char>(byte) / 16];
      content += kDigits[static_cast<unsigned char>(byte) % 16];
    }
    auto place = rows_.end();
    while (place != rows_.begin() && std::prev(place)->lsn == change.lsn) --place;
    WantedRow& row = *rows_.emplace(place);
    row.table = {"pg_catalog", "_arrowcdc_messages"};
    row.lsn = change.lsn - 1;
    row.transactional = change.transactional;
    row.cells["prefix"] = {"prefix", "text", change.prefix};
    row.cells["content"] = {"content", "bytea", content};
    row.cells["transactional"] = {"transactional", "boolean", change.transactional ? "t" : "f"};
  }

  void AddRowsOf(const TextChange& change) {
    TableName table = change.tables[0];
    if (table.schema == "c" && change.kind != TextChange::Kind::kInsert) return;
    if (const auto leaf = leaves_.find(table.table); table.schema == "a" && leaf != leaves_.end())
      table.table = leaf->second;
    if (change.kind == TextChange::Kind::kInsert) return Add(change, table, Op::kInsert, change.row);
    if (change.kind == TextChange::Kind::kDelete) return Add(change, table, Op::kDelete, change.old_row);
    if (change.has_old) Add(change, table, Op::kUpdateBefore, change.old_row);
    Add(change, table, Op::kUpdateAfter, change.row);
    // What the change did not carry is as in the old row, where that has it.
    for (const TextCell& old : change.old_row) {
      const auto cell = rows_.back().cells.find(old.name);
      if (cell != rows_.back().cells.end() && cell->second.unchanged) cell->second = old;
    }
  }

  void Add(const TextChange& change, const TableName& table, Op op, const std::vector<TextCell>& cells) {
    const bool same_record = !rows_.empty() && rows_.back().lsn == change.lsn;
    const uint16_t ord = same_record ? static_cast<uint16_t>(rows_.back().ord + 1) : uint16_t{0};
    WantedRow& row = rows_.emplace_back(WantedRow{table, op, change.lsn, ord, {}, true});
    for (const TextCell& cell : cells) {
      const bool sent = !cell.name.starts_with("gen_") || (generated_ && table.schema != "c");
      if (sent) row.cells[cell.name] = cell;
    }
  }

  const std::map<string, string>& leaves_;
  const bool generated_;
  std::vector<WantedRow> rows_;
};

bool SameNumber(const string& left, const string& right, const arrow::DataType& type) {
  if (type.id() == arrow::Type::DOUBLE)
    return std::strtod(left.c_str(), nullptr) == std::strtod(right.c_str(), nullptr);
  return type.id() == arrow::Type::FLOAT &&
         std::strtof(left.c_str(), nullptr) == std::strtof(right.c_str(), nullptr);
}

string DifferenceOfCell(const TextCell* wanted, const LogCell& got, const arrow::DataType& type) {
  if (wanted == nullptr || (!wanted->unchanged && !wanted->value.has_value()))
    return got.what == What::kNull ? "" : "wanted null";
  if (wanted->unchanged) return got.what == What::kUnchanged ? "" : "wanted what says that it is unchanged";
  const bool form = HasArrowForm(type, *wanted->value);
  if (!form && got.what == What::kUnrepresentable) return "";
  if (form && got.what == What::kValue &&
      (got.text == *wanted->value || SameNumber(got.text, *wanted->value, type)))
    return "";
  return "wanted " + string(form ? "" : "that there is no form of ") + "'" + wanted->value->substr(0, 200) +
         "'";
}

string Describe(const LogRow& row) {
  string text = string(OpName(row.op)) + " " + ToString(row.table->name) + " xid " + std::to_string(row.xid) +
                " lsn " + std::to_string(row.position.lsn) + " ord " + std::to_string(row.position.ord) +
                " (";
  for (const LogCell& cell : row.cells) {
    text += cell.what == What::kNull        ? "null, "
            : cell.what == What::kUnchanged ? "~, "
            : cell.what == What::kValue     ? "'" + cell.text.substr(0, 60) + "', "
                                            : "!, ";
  }
  return text + ")";
}

string DifferenceOfRow(const WantedRow& wanted, const LogRow& got) {
  if (got.table->name != wanted.table || got.op != wanted.op)
    return string("wanted ") + OpName(wanted.op) + " of " + ToString(wanted.table);
  if (got.position.lsn != wanted.lsn || got.position.ord != wanted.ord)
    return "wanted lsn " + std::to_string(wanted.lsn) + " ord " + std::to_string(wanted.ord);
  for (const auto& [name, cell] : wanted.cells) {
    if (got.table->schema->GetFieldIndex(name) < 0) return "no column " + name;
  }
  for (int i = 0; i < got.table->column_count; ++i) {
    const auto& field = *got.table->schema->field(i);
    const auto cell = wanted.cells.find(field.name());
    string found = DifferenceOfCell(cell == wanted.cells.end() ? nullptr : &cell->second,
                                    got.cells[static_cast<size_t>(i)], *field.type());
    if (!found.empty()) return "column " + field.name() + ": " + found;
    const bool whole = wanted.op == Op::kInsert || wanted.op == Op::kUpdateAfter;
    if (whole && cell == wanted.cells.end()) return "column " + field.name() + " was not wanted";
  }
  return "";
}

}  // namespace

arrow::Result<std::vector<LogRow>> RowsInOrder(const ChangeLog& log) {
  std::vector<LogRow> all;
  for (const auto& [name, batches] : log.tables) {
    const size_t first = all.size();
    for (const ChangeBatch& batch : batches) ARROW_RETURN_NOT_OK(AddRows(batch, &all));
    for (size_t i = first + 1; i < all.size(); ++i) {
      if (all[i - 1].position >= all[i].position)
        return arrow::Status::Invalid("not in order: ", Describe(all[i - 1]), " and ", Describe(all[i]));
    }
  }
  std::sort(all.begin(), all.end(),
            [](const LogRow& left, const LogRow& right) { return left.position < right.position; });
  return all;
}

string DifferenceFromTestDecoding(const std::vector<LogRow>& rows,
                                  const std::vector<TextTransaction>& transactions,
                                  const std::map<string, string>& leaves, bool generated) {
  Wanted wanted(leaves, generated);
  size_t next = 0;
  uint64_t previous_end = 0;
  for (const TextTransaction& transaction : transactions) {
    for (const WantedRow& row : wanted.RowsOf(transaction)) {
      if (next == rows.size())
        return string("rows end before ") + OpName(row.op) + " of " + ToString(row.table) + ", xid " +
               std::to_string(transaction.xid);
      const LogRow& got = rows[next++];
      string found = DifferenceOfRow(row, got);
      const uint64_t commit = got.position.commit_lsn;
      if (!row.transactional) {
        if (found.empty() && (commit != got.position.lsn || got.xid != 0 || got.commit_ts != 0))
          found = "wanted what is of no transaction";
        if (found.empty()) continue;
      }
      if (found.empty() && got.xid != transaction.xid)
        found = "wanted xid " + std::to_string(transaction.xid);
      if (found.empty() &&
          (commit <= got.position.lsn || commit < previous_end || commit >= transaction.end_lsn))
        found = "commit_lsn " + std::to_string(commit) + " is not between " + std::to_string(previous_end) +
                " and " + std::to_string(transaction.end_lsn);
      const auto time = arrow::TimestampArray(arrow::timestamp(arrow::TimeUnit::MICRO, "UTC"), 1,
                                              arrow::Buffer::Wrap(&got.commit_ts, 1));
      if (found.empty() && PostgresText(time, 0, "") != transaction.commit_time)
        found = "wanted commit time " + transaction.commit_time;
      if (!found.empty()) return found + "\ngot " + Describe(got);
    }
    previous_end = std::max(previous_end, transaction.end_lsn);
  }
  return next == rows.size() ? "" : "more than was wanted: " + Describe(rows[next]);
}

}  // namespace arrowcdc::test
