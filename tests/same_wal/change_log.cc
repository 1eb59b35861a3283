#include "tests/same_wal/change_log.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include <arrow/array.h>
#include <arrow/compare.h>
#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "arrowcdc/source.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Reading {
 public:
  explicit Reading(Source* source) : source_(source) {}

  // Again after an error: from the last boundary on.
  arrow::Result<ChangeLog> Run() {
    CutBack();
    ARROW_RETURN_NOT_OK(source_->Connect());
    ResumeRequest request;
    if (safe_.has_value()) request = {ResumeRequest::Have::kDelivered, *safe_};
    ARROW_ASSIGN_OR_RAISE(const Position start, source_->Resume(request));
    ARROW_ASSIGN_OR_RAISE(const LogEnd end, source_->CurrentEnd());
    ARROW_RETURN_NOT_OK(source_->Start(start));
    const auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      ARROW_ASSIGN_OR_RAISE(const auto event, source_->Next(milliseconds(10)));
      if (!event.has_value()) {
        source_->RequestKeepalive();
        continue;
      }
      ARROW_RETURN_NOT_OK(Take(*event));
      const auto* const keepalive = std::get_if<KeepaliveEvent>(&*event);
      if (keepalive == nullptr || group_open_ || keepalive->position < end.position) continue;
      ARROW_RETURN_NOT_OK(source_->Stop());
      return std::move(log_);
    }
    return arrow::Status::IOError("the end of the WAL did not come");
  }

 private:
  arrow::Status Take(const Event& event) {
    if (const auto* const batch = std::get_if<ChangeBatch>(&event)) ARROW_RETURN_NOT_OK(Add(*batch));
    if (const auto* const truncate = std::get_if<TruncateEvent>(&event)) {
      for (size_t i = 0; i < truncate->tables.size(); ++i) {
        ARROW_ASSIGN_OR_RAISE(auto row, TruncateRow(*truncate, static_cast<int>(i)));
        ARROW_RETURN_NOT_OK(Add({truncate->tables[i], std::move(row), {}}));
      }
    }
    std::visit(
        [this](const auto& e) {
          if constexpr (requires { e.group; }) {
            group_open_ = !e.group.group_end || e.group.dirty;
            if (e.group.group_end && e.group.safe.has_value()) NoteBoundary(*e.group.safe);
          }
        },
        event);
    return arrow::Status::OK();
  }

  void NoteBoundary(const Position& position) {
    safe_ = position;
    for (const auto& [name, batches] : log_.tables) whole_[name] = batches.size();
    whole_rows_ = log_.rows;
  }

  void CutBack() {
    std::erase_if(log_.tables, [this](const auto& table) { return !whole_.contains(table.first); });
    for (auto& [name, batches] : log_.tables) batches.resize(whole_.at(name));
    log_.rows = whole_rows_;
    group_open_ = false;
  }

  arrow::Status Add(const ChangeBatch& batch) {
    ARROW_RETURN_NOT_OK(batch.rows->ValidateFull());
    log_.rows += batch.rows->num_rows();
    log_.tables[batch.table->name].push_back(batch);
    return arrow::Status::OK();
  }

  Source* const source_;
  ChangeLog log_;
  bool group_open_ = false;
  // At the last boundary, and in front of it:
  std::optional<Position> safe_;
  std::map<TableName, size_t> whole_;
  int64_t whole_rows_ = 0;
};

string Describe(const TableSchema& table) {
  string text = "table " + std::to_string(table.table_id) + " replica identity " +
                std::to_string(static_cast<int>(table.replica_identity)) + " key";
  for (const int field : std::set<int>(table.key_fields.begin(), table.key_fields.end()))
    text += " " + std::to_string(field);
  if (table.weakened.has_value()) text += " weakened by " + table.weakened->partition;
  for (const auto& field : table.schema->fields()) {
    text += "\n  " + field->ToString();
    std::map<string, string> sorted;
    for (const auto& [key, value] : field->metadata()->sorted_pairs()) sorted[key] = value;
    if (sorted.contains("arrowcdc:key")) sorted["arrowcdc:key"] = "yes";
    sorted.erase("PARQUET:field_id");
    for (const auto& [key, value] : sorted) text += " " + key + "=" + value;
  }
  return text;
}

// Bit by bit, but for the payload of a NaN within a list or struct.
bool SameCells(const arrow::Array& left, int64_t left_row, const arrow::Array& right, int64_t right_row,
               int64_t count) {
  const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
  if (left.type_id() == arrow::Type::DOUBLE || left.type_id() == arrow::Type::FLOAT) {
    const auto bits = left.type_id() == arrow::Type::DOUBLE ? arrow::int64() : arrow::int32();
    return left.View(bits).ValueOrDie()->RangeEquals(*right.View(bits).ValueOrDie(), left_row,
                                                     left_row + count, right_row);
  }
  return left.RangeEquals(right, left_row, left_row + count, right_row, options);
}

// A run of rows of two batches.
string DifferenceOfRows(const arrow::RecordBatch& wanted, int64_t wanted_row, const arrow::RecordBatch& got,
                        int64_t got_row, int64_t count) {
  for (int i = 0; i < wanted.num_columns(); ++i) {
    if (SameCells(*wanted.column(i), wanted_row, *got.column(i), got_row, count)) continue;
    int64_t row = 0;
    while (SameCells(*wanted.column(i), wanted_row + row, *got.column(i), got_row + row, 1)) ++row;
    return "column " + wanted.schema()->field(i)->name() + ", wanted\n" +
           wanted.Slice(wanted_row + row, 1)->ToString() + "\ngot\n" +
           got.Slice(got_row + row, 1)->ToString();
  }
  return "";
}

string DifferenceOfTables(const std::vector<ChangeBatch>& wanted, const std::vector<ChangeBatch>& got) {
  size_t w = 0;
  size_t g = 0;
  int64_t wanted_row = 0;
  int64_t got_row = 0;
  std::set<std::pair<const TableSchema*, const TableSchema*>> same;
  for (int64_t total = 0; w < wanted.size() && g < got.size();) {
    const ChangeBatch& left = wanted[w];
    const ChangeBatch& right = got[g];
    if (!same.contains({left.table.get(), right.table.get()})) {
      const string left_text = Describe(*left.table);
      const string right_text = Describe(*right.table);
      if (left_text != right_text)
        return "at row " + std::to_string(total) + ": wanted " + left_text + "\ngot " + right_text;
      same.emplace(left.table.get(), right.table.get());
    }
    const int64_t count = std::min(left.rows->num_rows() - wanted_row, right.rows->num_rows() - got_row);
    if (string found = DifferenceOfRows(*left.rows, wanted_row, *right.rows, got_row, count); !found.empty())
      return "at or behind row " + std::to_string(total) + ": " + found;
    total += count;
    wanted_row += count;
    got_row += count;
    if (wanted_row == left.rows->num_rows()) wanted_row = 0, ++w;
    if (got_row == right.rows->num_rows()) got_row = 0, ++g;
  }
  if (w < wanted.size())
    return "rows are lacking from\n" + wanted[w].rows->Slice(wanted_row, 1)->ToString() + " on";
  if (g < got.size()) return "rows too many from\n" + got[g].rows->Slice(got_row, 1)->ToString() + " on";
  return "";
}

}  // namespace

arrow::Result<ChangeLog> ReadChangeLog(const PostgresOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto source, MakePostgresSource(options));
  // Sessions after the first: a type that has no binary form, or none that the client knows; a transaction in
  // progress whose rest the server would decode by another schema.
  constexpr int kSessions = 3;
  Reading reading(source.get());
  for (int session = 1;; ++session) {
    auto log = reading.Run();
    const ErrorDetail* const detail = log.ok() ? nullptr : GetErrorDetail(log.status());
    if (detail == nullptr || !detail->retryable() || session == kSessions) return log;
  }
}

string Difference(const ChangeLog& wanted, const ChangeLog& got) {
  const std::vector<ChangeBatch> none;
  for (const auto& [name, batches] : wanted.tables) {
    const auto found = got.tables.find(name);
    string difference = DifferenceOfTables(batches, found == got.tables.end() ? none : found->second);
    if (!difference.empty()) return ToString(name) + " " + difference;
  }
  for (const auto& [name, batches] : got.tables) {
    if (!wanted.tables.contains(name)) return ToString(name) + " has rows that were not wanted";
  }
  return "";
}

}  // namespace arrowcdc::test
