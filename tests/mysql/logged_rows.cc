#include "tests/mysql/logged_rows.h"

#include <cstdlib>
#include <sstream>
#include <string_view>

namespace arrowcdc::mysql::test {
namespace {

constexpr int kOffsetBits = 36;
constexpr std::string_view kRow = "### ";
constexpr std::string_view kCell = "###   @";

// "`a``b`" -> a`b; `at` is then behind it.
std::string TakeName(const std::string& text, size_t* at) {
  std::string name;
  for (++*at; *at < text.size(); ++*at) {
    if (text[*at] == '`' && (*at + 1 >= text.size() || text[*at + 1] != '`')) break;
    if (text[*at] == '`') ++*at;
    name += text[*at];
  }
  ++*at;
  return name;
}

// "`schema`.`table`"
TableName TakeTable(const std::string& text, size_t* at) {
  TableName table;
  *at = text.find('`', *at);
  if (*at == std::string::npos) return table;
  table.schema = TakeName(text, at);
  ++*at;
  table.table = TakeName(text, at);
  return table;
}

std::string Between(const std::string& text, const std::string& front, const std::string& behind) {
  const size_t begin = text.find(front);
  if (begin == std::string::npos) return "";
  const size_t from = begin + front.size();
  return text.substr(from, text.find(behind, from) - from);
}

std::vector<std::string> Labels(const std::string& text) {
  std::vector<std::string> labels;
  for (size_t i = text.find('('); i < text.size(); ++i) {
    if (text[i] != '\'') continue;
    std::string& label = labels.emplace_back();
    for (++i; i < text.size() && text[i] != '\''; ++i) {
      if (text[i] == '\\') ++i;
      label += text[i];
    }
  }
  return labels;
}

bool Starts(const std::string& line, std::string_view with) { return line.starts_with(with); }

}  // namespace

arrow::Status LoggedRows::Add(uint32_t file_number, const std::string& text) {
  file_ = file_number;
  tables_.clear();
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    arrow::Status added;
    if (Starts(line, kRow)) {
      added = AddRowLine(line);
    } else if (Starts(line, "#")) {
      added = AddComment(line);
    } else {
      added = AddStatement(line);
    }
    if (!added.ok())
      return added.WithMessage(added.message(), " in file ", file_number, " at ", at_, ": ",
                               line.substr(0, 200));
  }
  End(true);  // a statement alone is ended by what follows
  return arrow::Status::OK();
}

arrow::Status LoggedRows::AddComment(const std::string& line) {
  if (Starts(line, "# at ")) {
    at_ = std::strtoull(line.c_str() + 5, nullptr, 10);
    return arrow::Status::OK();
  }
  if (Starts(line, "#Q>")) return arrow::Status::OK();
  if (map_ != nullptr && (Starts(line, "# Columns(") || Starts(line, "#         "))) {
    AddColumn(line.substr(10));
    return arrow::Status::OK();
  }
  if (line.find("end_log_pos") == std::string::npos) return arrow::Status::OK();
  map_.reset();
  // What stands behind is free text.
  const std::string event = line.substr(0, 200);
  if (event.find("\tGTID") != std::string::npos || event.find("\tAnonymous_GTID") != std::string::npos) {
    if (open_.has_value() && !xid_.empty()) return arrow::Status::Invalid("a GTID within an XA transaction");
    End(true);  // a statement alone
    open_.emplace();
    open_->place = file_ << kOffsetBits | at_;
    return arrow::Status::OK();
  }
  if (event.find("Table_map: ") != std::string::npos) {
    size_t at = 0;
    map_ = std::make_shared<std::vector<LoggedColumn>>();
    tables_[TakeTable(line, &at)] = map_;
  }
  if (event.find("_rows") != std::string::npos && event.find(": table id ") != std::string::npos) {
    if (event.find("_compressed_rows") != std::string::npos) ++counts_.compressed_events;
    if (event.find("_partial") != std::string::npos) ++counts_.partial_updates;
  }
  if (event.find("\tTransaction_Payload") != std::string::npos &&
      event.find("compression_type=ZSTD") != std::string::npos)
    ++counts_.compressed_events;
  return arrow::Status::OK();
}

void LoggedRows::AddColumn(std::string text) {
  text.pop_back();  // a comma, or the parenthesis at the end
  LoggedColumn column;
  size_t at = 0;
  column.name = TakeName(text, &at);
  std::string rest = text.substr(at + 1);
  column.charset = Between(rest, " CHARSET ", " ");
  if (Starts(rest, "ENUM(") || Starts(rest, "SET(")) {
    column.labels = Labels(rest.substr(0, rest.find(" CHARSET")));
    column.type = rest.substr(0, rest.find('('));
  } else {
    for (const char* word : {" CHARSET ", " NOT NULL", " INVISIBLE"}) rest = rest.substr(0, rest.find(word));
    column.type = rest;
  }
  map_->push_back(std::move(column));
}

arrow::Status LoggedRows::AddRowLine(const std::string& line) {
  if (!open_.has_value()) return arrow::Status::Invalid("a row outside of a transaction");
  auto& rows = open_->rows;
  if (Starts(line, kCell)) {
    if (rows.empty()) return arrow::Status::Invalid("a value without a row");
    char* end = nullptr;
    last_cell_ = std::strtoul(line.c_str() + kCell.size(), &end, 10) - 1;
    rows.back().cells[last_cell_] = end + 1;
    return arrow::Status::OK();
  }
  if (Starts(line, "###      ")) {
    rows.back().cells[last_cell_] += line.substr(9);
    return arrow::Status::OK();
  }
  if (Starts(line, "### WHERE")) return arrow::Status::OK();
  if (Starts(line, "### SET")) {
    if (rows.back().op == Op::kInsert) return arrow::Status::OK();
    LoggedRow after{Op::kUpdateAfter, rows.back().table, rows.back().columns, {}};
    rows.push_back(std::move(after));
    return arrow::Status::OK();
  }
  LoggedRow row;
  if (Starts(line, "### INSERT INTO ")) {
    row.op = Op::kInsert;
  } else if (Starts(line, "### UPDATE ")) {
    row.op = Op::kUpdateBefore;
  } else if (Starts(line, "### DELETE FROM ")) {
    row.op = Op::kDelete;
  } else {
    return arrow::Status::Invalid("a line of a row is not understood");
  }
  size_t at = 0;
  row.table = TakeTable(line, &at);
  const auto columns = tables_.find(row.table);
  if (columns == tables_.end()) return arrow::Status::Invalid("rows of a table that is not known");
  row.columns = columns->second;
  rows.push_back(std::move(row));
  return arrow::Status::OK();
}

// The statements are those of the workload, which are in one line each and name tables in full.
arrow::Status LoggedRows::AddStatement(const std::string& line) {
  map_.reset();
  std::string word = line.substr(0, line.find("/*!*/"));
  size_t at = 0;
  if (word == "BEGIN" || word == "START TRANSACTION") {
    savepoints_.clear();
  } else if (word == "COMMIT") {
    End(true);
  } else if (word == "ROLLBACK") {
    End(false);
  } else if (Starts(word, "SAVEPOINT ")) {
    at = word.find('`');
    savepoints_[TakeName(word, &at)] = open_.value().rows.size();
  } else if (Starts(word, "ROLLBACK TO ")) {
    at = word.find('`');
    const auto found = savepoints_.find(TakeName(word, &at));
    if (found == savepoints_.end()) return arrow::Status::Invalid("no such savepoint");
    auto& rows = open_.value().rows;
    counts_.rolled_back_rows += static_cast<int64_t>(rows.size() - found->second);
    rows.resize(found->second);
  } else if (Starts(word, "XA START ")) {
    savepoints_.clear();
    xid_ = word.substr(9);
  } else if (Starts(word, "XA PREPARE ")) {
    prepared_[word.substr(11)] = std::move(open_.value().rows);
    xid_.clear();
    open_.reset();
  } else if (Starts(word, "XA COMMIT ")) {
    EndXa(word.substr(10), true);
  } else if (Starts(word, "XA ROLLBACK ")) {
    EndXa(word.substr(12), false);
  } else if (Starts(word, "TRUNCATE TABLE ") && open_.has_value()) {
    open_->rows.push_back({Op::kTruncate, TakeTable(word, &at), nullptr, {}});
    ++counts_.truncates;
  } else if (Starts(word, "RENAME TABLE ") && open_.has_value()) {
    while (word.find('`', at) != std::string::npos) {
      const TableName from = TakeTable(word, &at);
      const TableName to = TakeTable(word, &at);
      gone_.insert(from);
      gone_.erase(to);
      open_->renames.emplace_back(from, to);
    }
    ++counts_.renames;
  } else if (Starts(word, "CREATE TABLE `") && word.find("`.`") != std::string::npos && open_.has_value()) {
    const TableName made = TakeTable(word, &at);
    if (gone_.erase(made) > 0) open_->rows.push_back({Op::kTruncate, made, nullptr, {}});
  } else if (Starts(word, "DROP TABLE ") && open_.has_value()) {
    open_->dropped.push_back(TakeTable(word, &at));
    open_->rows.push_back({Op::kTruncate, open_->dropped.back(), nullptr, {}});
  } else if (Starts(word, "ALTER TABLE ") && open_.has_value()) {
    const TableName table = TakeTable(word, &at);
    constexpr std::string_view kModify = " MODIFY COLUMN ";
    if (word.substr(at).starts_with(kModify)) {
      at += kModify.size();
      open_->modified.emplace_back(table, TakeName(word, &at));
    }
  }
  return arrow::Status::OK();
}

void LoggedRows::End(bool committed) {
  if (!open_.has_value()) return;
  if (!committed) {
    counts_.rolled_back_rows += static_cast<int64_t>(open_->rows.size());
  } else if (!open_->rows.empty() || !open_->renames.empty() || !open_->dropped.empty() ||
             !open_->modified.empty()) {
    counts_.rows += static_cast<int64_t>(open_->rows.size());
    for (const LoggedRow& row : open_->rows) {
      if (row.columns != nullptr)
        counts_.absent_cells += static_cast<int64_t>(row.columns->size() - row.cells.size());
    }
    transactions_.push_back(*std::move(open_));
  }
  open_.reset();
  xid_.clear();
}

void LoggedRows::EndXa(const std::string& xid, bool committed) {
  constexpr std::string_view kOnePhase = " ONE PHASE";
  if (xid.ends_with(kOnePhase)) {
    ++counts_.xa_one_phase;
    return End(true);
  }
  ++(committed ? counts_.xa_commits : counts_.xa_rollbacks);
  const auto found = prepared_.find(xid);
  if (found != prepared_.end() && committed && open_.has_value()) open_->rows = std::move(found->second);
  if (found != prepared_.end()) prepared_.erase(found);
  // What is rolled back was prepared, and is not there any more.
  End(true);
}

}  // namespace arrowcdc::mysql::test
