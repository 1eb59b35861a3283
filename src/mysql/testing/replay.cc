#include "src/mysql/testing/replay.h"

#include <chrono>
#include <utility>
#include <variant>

#include <arrow/api.h>

#include "arrowcdc/change_rows.h"

namespace arrowcdc::mysql::test {
namespace {

constexpr std::chrono::seconds kLimit{60};
constexpr size_t kLogMax = 10'000;

// Of the first column, and of the whole row.
arrow::Result<std::pair<std::string, std::string>> TextOf(const ChangeBatch& batch, int64_t row) {
  std::pair<std::string, std::string> found;
  for (int column = 0; column < batch.table->column_count; ++column) {
    ARROW_ASSIGN_OR_RAISE(const auto value, batch.rows->column(column)->GetScalar(row));
    const std::string cell = value->is_valid ? value->ToString() : "NULL";
    if (column == 0) found.first = cell;
    found.second += (column == 0 ? "" : "|") + cell;
  }
  return found;
}

}  // namespace

arrow::Status Replay::Begin(Source* source, bool accept_gap) {
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ResumeRequest request;
  request.accept_gap = accept_gap;
  if (position_.has_value()) {
    request.have = ResumeRequest::Have::kStored;
    request.position = *position_;
  }
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume(request));
  if (!position_.has_value() || start > *position_) position_ = start;
  session_.clear();
  return source->Start(start);
}

arrow::Status Replay::Catch(Source* source) {
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ARROW_ASSIGN_OR_RAISE(const LogEnd end, source->CurrentEnd());
  ARROW_RETURN_NOT_OK(Begin(source));
  return ReadUntil(source, end.position);
}

arrow::Status Replay::ReadUntil(Source* source, const Position& end) {
  const auto deadline = std::chrono::steady_clock::now() + kLimit;
  while (!position_.has_value() || *position_ < end) {
    if (std::chrono::steady_clock::now() > deadline) return arrow::Status::IOError("the end does not come");
    ARROW_RETURN_NOT_OK(ReadOne(source));
  }
  return arrow::Status::OK();
}

arrow::Status Replay::ReadOne(Source* source) {
  auto next = source->Next(std::chrono::milliseconds(100));
  for (const SourceNotice& notice : source->TakeNews().notices) notices_.push_back(notice);
  ARROW_ASSIGN_OR_RAISE(auto event, std::move(next));
  return event.has_value() ? Take(&*event) : arrow::Status::OK();
}

arrow::Status Replay::Take(Event* event) {
  if (auto* const batch = std::get_if<ChangeBatch>(event)) {
    ++batches_;
    ARROW_RETURN_NOT_OK(batch->rows->ValidateFull());
    ARROW_RETURN_NOT_OK(Apply(*batch));
    if (batch->group.group_end && batch->group.safe.has_value()) position_ = batch->group.safe;
  } else if (auto* const truncate = std::get_if<TruncateEvent>(event)) {
    TakeTruncate(*truncate);
    if (truncate->group.group_end) position_ = truncate->group.safe;
  } else if (auto* const progress = std::get_if<ProgressEvent>(event)) {
    if (progress->group.safe.has_value()) position_ = progress->group.safe;
  } else if (auto* const keepalive = std::get_if<KeepaliveEvent>(event)) {
    if (!position_.has_value() || keepalive->position > *position_) position_ = keepalive->position;
  }
  return arrow::Status::OK();
}

void Replay::TakeTruncate(const TruncateEvent& truncate) {
  bool repeated = true;
  for (size_t i = 0; i < truncate.tables.size(); ++i) {
    const TableName& table = truncate.tables[i]->name;
    const RowPosition at{truncate.commit_lsn, truncate.lsn, static_cast<uint16_t>(i)};
    const auto last = last_.find(table);
    if (last != last_.end() && at <= last->second) continue;
    last_.insert_or_assign(table, at);
    tables_[table].clear();
    logs_[table].emplace_back("truncate");
    repeated = false;
  }
  if (repeated) {
    ++repeated_;
    return;
  }
  ++truncates_;
  log_.push_back("truncate");
}

arrow::Status Replay::Copy(Snapshot* snapshot, int readers) {
  std::vector<std::unique_ptr<SnapshotReader>> open;
  for (int i = 0; i < readers; ++i) {
    ARROW_ASSIGN_OR_RAISE(auto reader, snapshot->MakeReader());
    open.push_back(std::move(reader));
  }
  for (const SnapshotTable& table : snapshot->tables()) points_.insert_or_assign(table.name, table.point);
  while (!open.empty()) {
    for (size_t i = 0; i < open.size();) {
      ARROW_ASSIGN_OR_RAISE(const auto part, open[i]->NextPart());
      if (!part.has_value()) {
        open.erase(open.begin() + static_cast<ptrdiff_t>(i));
        continue;
      }
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const auto batch, open[i]->Next());
        if (!batch.has_value()) break;
        ARROW_RETURN_NOT_OK(TakeCopied(*batch, open[i]->part().point));
      }
      ++i;
    }
  }
  return arrow::Status::OK();
}

arrow::Status Replay::TakeCopied(const ChangeBatch& batch, const Position& point) {
  ARROW_RETURN_NOT_OK(batch.rows->ValidateFull());
  ARROW_ASSIGN_OR_RAISE(const ChangeRows copied, ChangeRows::Make(*batch.table, *batch.rows));
  for (int64_t row = 0; row < copied.num_rows(); ++row) {
    if (copied.op(row) != Op::kSnapshot || copied.position(row).commit_lsn != point.order - 1)
      return arrow::Status::Invalid("a copied row is not of its point");
    ARROW_ASSIGN_OR_RAISE(auto text, TextOf(batch, row));
    if (!tables_[batch.table->name].insert(std::move(text)).second)
      return arrow::Status::Invalid("a row was copied twice");
  }
  return arrow::Status::OK();
}

arrow::Status Replay::Apply(const ChangeBatch& batch) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  auto& rows = tables_[batch.table->name];
  const auto point = points_.find(batch.table->name);
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    const RowPosition at = changes.position(row);
    const auto in_session = session_.find(batch.table->name);
    if (in_session != session_.end() && at <= in_session->second)
      return arrow::Status::Invalid("a row is out of order");
    session_.insert_or_assign(batch.table->name, at);
    // Repeated, of a transaction that came in part.
    const auto last = last_.find(batch.table->name);
    if (last != last_.end() && at <= last->second) {
      ++repeated_;
      continue;
    }
    last_.insert_or_assign(batch.table->name, at);
    if (point != points_.end() && at.commit_lsn < point->second.order) continue;
    ARROW_ASSIGN_OR_RAISE(const auto key_and_text, TextOf(batch, row));
    const auto& [key, text] = key_and_text;
    ++changes_;
    const Op op = changes.op(row);
    if (log_.size() < kLogMax) {
      log_.push_back(std::string(OpName(op)) + " " + text);
      logs_[batch.table->name].push_back(log_.back());
    }
    const bool old_side = op == Op::kDelete || op == Op::kUpdateBefore;
    const auto found = rows.find(key);
    if (old_side) {
      if (found == rows.end() || found->second != text)
        return arrow::Status::Invalid("a change is of a row that is not there");
      rows.erase(found);
    } else {
      if (found != rows.end()) return arrow::Status::Invalid("a row is inserted that is there");
      rows.emplace(key, text);
    }
  }
  return arrow::Status::OK();
}

arrow::Result<std::map<std::string, std::string>> Replay::Select(MysqlServer* server,
                                                                 const TableName& table) {
  ARROW_ASSIGN_OR_RAISE(const Rows rows, server->Query("SELECT * FROM " + QuoteName(table.schema) + "." +
                                                       QuoteName(table.table)));
  std::map<std::string, std::string> all;
  for (const auto& row : rows) {
    std::string text;
    for (size_t i = 0; i < row.size(); ++i) text += (i == 0 ? "" : "|") + row[i].value_or("NULL");
    all.emplace(row[0].value_or("NULL"), text);
  }
  return all;
}

}  // namespace arrowcdc::mysql::test
