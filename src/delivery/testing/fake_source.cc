// The made-up server: what it sends follows docs/wire.md as far as groups and positions go.
#include "src/delivery/testing/fake_source.h"

#include <algorithm>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/testing/change_batches.h"

namespace arrowcdc::test {

std::shared_ptr<const TableSchema> FakeTable(const std::string& name) {
  const auto key = arrow::key_value_metadata({kIdentityKey}, {"1"});
  return MakeTable({"public", name}, {arrow::field("id", arrow::int64(), true, key)},
                   std::hash<std::string>()(name), 0);
}

ChangeBatch FakeBatch(const std::shared_ptr<const TableSchema>& table, const std::vector<FakeRow>& rows,
                      GroupState group) {
  std::vector<RowMeta> metadata;
  std::vector<int64_t> ids;
  for (const FakeRow& row : rows) {
    metadata.push_back({row.position});
    ids.push_back(row.id);
  }
  return MakeBatch(table, metadata, {Ids(ids)}, group);
}

FakeServer::FakeServer(int table_count) {
  for (int i = 0; i < table_count; ++i) tables.push_back(FakeTable("t" + std::to_string(i)));
}

void FakeServer::Write(std::mt19937_64& random, int transactions, int rows_max) {
  const std::lock_guard lock(mutex);
  for (int t = 0; t < transactions; ++t) {
    FakeTransaction txn;
    const int rows = static_cast<int>(random() % static_cast<uint64_t>(rows_max + 1));
    uint16_t ord = 0;
    for (int r = 0; r < rows; ++r) {
      const bool same_record = r > 0 && random() % 3 == 0;
      ord = same_record ? static_cast<uint16_t>(ord + 1) : uint16_t{0};
      if (!same_record) wal_end += 8;
      txn.rows.push_back({static_cast<int>(random() % tables.size()), next_id++, {0, wal_end, ord}});
    }
    txn.commit_lsn = wal_end += 8;
    txn.end_lsn = wal_end += 8;
    for (FakeRow& row : txn.rows) row.position.commit_lsn = txn.commit_lsn;
    wal.push_back(std::move(txn));
  }
  wal_end += 8;
}

int64_t FakeServer::RowsOf(int table) const {
  int64_t rows = 0;
  for (const FakeTransaction& txn : wal) {
    rows += std::count_if(txn.rows.begin(), txn.rows.end(),
                          [&](const FakeRow& row) { return row.table == table; });
  }
  return rows;
}

arrow::Result<SourceInfo> FakeSource::Connect() {
  const std::lock_guard lock(server_.mutex);
  SourceInfo info;
  epoch_ = server_.epoch;
  info.stream = {{"fake", "1"}, "db", "slot", {}, {}};
  info.end = PositionAt(server_.wal_end);
  info.published.any = true;
  for (const auto& table : server_.tables) info.published.coming.push_back(table->name);
  return info;
}

arrow::Result<Position> FakeSource::Resume(const ResumeRequest& request) {
  const std::lock_guard lock(server_.mutex);
  const Position confirmed = PositionAt(server_.confirmed);
  using Have = ResumeRequest::Have;
  if (request.have == Have::kNothing || request.have == Have::kNothingYet) return confirmed;
  const auto refused = [](const char* why) {
    return MakeError(ErrorKind::kPositionGap, why, "slot", "begin anew");
  };
  const auto& [epoch, order, token] = request.position;
  EXPECT_EQ(token, TokenAt(order, epoch)) << "what a source adds to a position comes back with it";
  if (epoch > epoch_) return refused("a later epoch");
  const Position has = PositionAt(FakeServer::LsnAt(request.position));
  if (has > PositionAt(server_.wal_end)) return refused("beyond the end");
  if (has < confirmed && !request.accept_gap) return refused("a gap");
  return std::max(has, confirmed);
}

arrow::Result<std::vector<SourceTable>> FakeSource::Tables() { return server_.catalog; }

arrow::Result<LogEnd> FakeSource::CurrentEnd() {
  const std::lock_guard lock(server_.mutex);
  return LogEnd{PositionAt(server_.wal_end), true};
}

arrow::Result<Position> FakeSource::ParsePosition(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(const uint64_t order, ParseLsn(text));
  return Position{epoch_, order};
}

arrow::Result<Position> FakeSource::Rebase(const Position& position) {
  return PositionAt(FakeServer::LsnAt(position));
}

arrow::Status FakeSource::Start(const Position& start) {
  const std::lock_guard lock(server_.mutex);
  if (scripted_) return arrow::Status::OK();
  queue_.clear();
  next_ = 0;
  const uint64_t from = std::max(FakeServer::LsnAt(start), server_.confirmed);
  for (size_t i = 0; i < server_.wal.size(); ++i) {
    if (server_.wal[i].commit_lsn >= from) i = QueueGroup(i);
    // A keepalive tells of everything before it, whole or not published.
    if (OneIn(4)) QueueKeepalive(server_.wal[i].end_lsn);
  }
  QueueKeepalive(server_.wal_end);
  return arrow::Status::OK();
}

arrow::Result<std::optional<Event>> FakeSource::Next(std::chrono::milliseconds) {
  if (calls_left_ >= 0 && calls_left_-- == 0) return MakeError(ErrorKind::kInternal, "killed", "client", "");
  if (fail_one_in_ > 0 && OneIn(static_cast<uint64_t>(fail_one_in_))) {
    const std::lock_guard lock(server_.mutex);
    if (fail_over_one_in_ > 0 && OneIn(fail_over_one_in_)) server_.FailOver();
    return MakeError(ErrorKind::kConnection, "lost", "server", "", "", true);
  }
  const std::lock_guard lock(server_.mutex);
  if (next_ == queue_.size()) {
    std::this_thread::yield();
    return std::optional<Event>();
  }
  return std::optional<Event>(queue_[next_++]);
}

// The contract under test.
void FakeSource::Acknowledge(const Position& durable) {
  const std::lock_guard lock(server_.mutex);
  const uint64_t lsn = FakeServer::LsnAt(durable);
  EXPECT_EQ(durable.token, TokenAt(durable.order, durable.epoch));
  for (const FakeTransaction& txn : server_.wal) {
    if (txn.end_lsn > lsn) break;
    for (const FakeRow& row : txn.rows) {
      EXPECT_TRUE(server_.may_forget(row))
          << "acknowledged, not dealt with: row " << row.id << " of table " << row.table;
    }
  }
  EXPECT_GE(lsn, server_.confirmed);
  server_.confirmed = std::max(server_.confirmed, lsn);
}

void FakeSource::RequestKeepalive() {
  const std::lock_guard lock(server_.mutex);
  queue_.push_back(KeepaliveEvent{PositionAt(server_.wal_end), false});
}

void FakeSource::QueueKeepalive(uint64_t lsn) { queue_.push_back(KeepaliveEvent{PositionAt(lsn), OneIn(5)}); }

// A few transactions in one group, flushed in the middle at random, tables in any order at each flush, as the
// plugin may do it: a batch may hold rows of several transactions, and a transaction may be spread over
// several. While the server says that it holds rows back, keepalives tell of more than was sent and must not
// count. Returns the last transaction of the group.
size_t FakeSource::QueueGroup(size_t first) {
  const size_t last = std::min(first + (OneIn(2) ? 0 : random_() % 8), server_.wal.size() - 1);
  const bool more = last + 1 < server_.wal.size();
  const Position safe = PositionAt(server_.wal[last].end_lsn);
  const bool dirty_end = more && OneIn(3);
  std::map<int, std::vector<FakeRow>> open;
  const auto flush = [&](bool end, bool incomplete) {
    size_t left = open.size();
    for (auto& [table, rows] : open) {
      const bool ends = end && --left == 0;
      GroupState group{std::nullopt, ends, incomplete, ends ? dirty_end : OneIn(3)};
      if (ends) group.safe = safe;
      queue_.push_back(FakeBatch(server_.tables[static_cast<size_t>(table)], rows, group));
    }
    open.clear();
  };
  for (size_t i = first; i <= last; ++i) {
    const auto& rows = server_.wal[i].rows;
    for (size_t r = 0; r < rows.size(); ++r) {
      open[rows[r].table].push_back(rows[r]);
      if (!OneIn(10)) continue;
      flush(false, r + 1 < rows.size());
      if (OneIn(3)) QueueKeepalive(server_.wal_end);
    }
  }
  if (open.empty()) {
    queue_.push_back(ProgressEvent{{safe, true, false, dirty_end}});
  } else {
    flush(true, false);
  }
  if (more && (dirty_end || OneIn(5))) {
    if (!dirty_end) queue_.push_back(ProgressEvent{{safe, true, false, true}});
    QueueKeepalive(server_.wal[last + 1].end_lsn);
  }
  return last;
}

}  // namespace arrowcdc::test
