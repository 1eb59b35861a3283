// A made-up server for the tests of the readers: transactions over several tables in random groups, losing
// its connection at random. Everything it was told is checked against what the test's readers have committed.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/source.h"

namespace arrowcdc {

inline std::shared_ptr<const TableSchema> MakeTable(const std::string& name) {
  auto table = std::make_shared<TableSchema>();
  table->name = {"public", name};
  table->fingerprint = std::hash<std::string>()(name);
  table->column_count = 1;
  table->key_fields = {0};
  const auto indexes = arrow::list(arrow::int16());
  table->schema =
      arrow::schema({arrow::field("id", arrow::int64()),
                     arrow::field("_op", arrow::dictionary(arrow::int8(), arrow::utf8())),
                     arrow::field("_commit_lsn", arrow::uint64()), arrow::field("_lsn", arrow::uint64()),
                     arrow::field("_ord", arrow::uint16()), arrow::field("_xid", arrow::uint32()),
                     arrow::field("_commit_ts", arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")),
                     arrow::field("_unchanged", indexes), arrow::field("_unrepresentable", indexes)});
  return table;
}

struct FakeRow {
  int table;
  int64_t id;
  RowPosition position;
};

inline ChangeBatch MakeBatch(const std::shared_ptr<const TableSchema>& table,
                             const std::vector<FakeRow>& rows, GroupState group) {
  arrow::Int64Builder id;
  arrow::Int8Builder op;
  arrow::UInt64Builder commit_lsn, lsn;
  arrow::UInt16Builder ord;
  for (const FakeRow& row : rows) {
    EXPECT_TRUE(id.Append(row.id).ok() && op.Append(0).ok() &&
                commit_lsn.Append(row.position.commit_lsn).ok() && lsn.Append(row.position.lsn).ok() &&
                ord.Append(row.position.ord).ok());
  }
  arrow::StringBuilder names;
  EXPECT_TRUE(
      names.AppendValues({"insert", "update_before", "update_after", "delete", "snapshot", "truncate"}).ok());
  arrow::ArrayVector columns;
  for (const auto& field : table->schema->fields()) {
    columns.push_back(*arrow::MakeArrayOfNull(field->type(), static_cast<int64_t>(rows.size())));
  }
  columns[0] = *id.Finish();
  columns[1] =
      *arrow::DictionaryArray::FromArrays(table->schema->field(1)->type(), *op.Finish(), *names.Finish());
  columns[2] = *commit_lsn.Finish();
  columns[3] = *lsn.Finish();
  columns[4] = *ord.Finish();
  return {table, arrow::RecordBatch::Make(table->schema, static_cast<int64_t>(rows.size()), columns), group};
}

struct FakeTransaction {
  uint64_t commit_lsn;
  uint64_t end_lsn;
  std::vector<FakeRow> rows;
};

// The server, and what the test knows of its readers. Survives the sources.
struct FakeServer {
  explicit FakeServer(int table_count) {
    for (int i = 0; i < table_count; ++i) tables.push_back(MakeTable("t" + std::to_string(i)));
  }

  void Write(std::mt19937_64& random, int transactions, int rows_max) {
    const std::lock_guard lock(mutex);
    for (int t = 0; t < transactions; ++t) {
      FakeTransaction txn;
      const int rows = static_cast<int>(random() % static_cast<uint64_t>(rows_max + 1));
      for (int r = 0; r < rows; ++r) {
        wal_end += 8;
        txn.rows.push_back({static_cast<int>(random() % tables.size()), next_id++, {0, wal_end, 0}});
      }
      txn.commit_lsn = wal_end += 8;
      txn.end_lsn = wal_end += 8;
      for (FakeRow& row : txn.rows) row.position.commit_lsn = txn.commit_lsn;
      wal.push_back(std::move(txn));
    }
    wal_end += 8;
  }

  std::mutex mutex;
  std::vector<std::shared_ptr<const TableSchema>> tables;
  std::vector<FakeTransaction> wal;
  uint64_t wal_end = 100;
  int64_t next_id = 0;
  uint64_t confirmed = 100;
  // Rows whose readers have committed them, or are closed. Set before the readers are told so.
  std::map<int64_t, bool> settled;
  std::vector<bool> closed_tables = std::vector<bool>(64, false);
  int connects = 0;
  int open_connections = 0;
};

class FakeSource : public Source {
 public:
  FakeSource(FakeServer& server, uint64_t seed, int fail_one_in)
      : server_(server), random_(seed), fail_one_in_(fail_one_in) {}

  arrow::Result<SourceInfo> Connect() override {
    const std::lock_guard lock(server_.mutex);
    ++server_.connects;
    SourceInfo info;
    info.stream = {{"fake", "1"}, 1, "db", "slot"};
    info.confirmed_flush = server_.confirmed;
    info.current_flush = server_.wal_end;
    return info;
  }
  arrow::Result<uint64_t> TimelineEnd(uint32_t) override {
    return arrow::Status::NotImplemented("one timeline");
  }

  arrow::Status Start(uint64_t start) override {
    const std::lock_guard lock(server_.mutex);
    queue_.clear();
    next_ = 0;
    for (size_t i = 0; i < server_.wal.size(); ++i) {
      if (server_.wal[i].commit_lsn < std::max(start, server_.confirmed)) continue;
      i = QueueGroup(i);
      if (random_() % 4 == 0) queue_.push_back(KeepaliveEvent{server_.wal[i].end_lsn, false});
    }
    queue_.push_back(KeepaliveEvent{server_.wal_end, false});
    return arrow::Status::OK();
  }

  arrow::Result<std::optional<Event>> Next(std::chrono::milliseconds) override {
    if (fail_one_in_ > 0 && random_() % static_cast<uint64_t>(fail_one_in_) == 0) {
      return MakeError(ErrorKind::kConnection, "lost", "server", "", "", true);
    }
    if (next_ == queue_.size()) {
      std::this_thread::yield();
      return std::optional<Event>();
    }
    return std::optional<Event>(queue_[next_++]);
  }

  // The contract under test.
  void Acknowledge(uint64_t order) override {
    const std::lock_guard lock(server_.mutex);
    for (const FakeTransaction& txn : server_.wal) {
      if (txn.end_lsn > order) break;
      for (const FakeRow& row : txn.rows) {
        if (server_.closed_tables[static_cast<size_t>(row.table)]) continue;
        EXPECT_TRUE(server_.settled.count(row.id))
            << "acknowledged, not committed: row " << row.id << " of table " << row.table;
      }
    }
    EXPECT_GE(order, server_.confirmed);
    server_.confirmed = std::max(server_.confirmed, order);
  }
  void RequestKeepalive() override {
    const std::lock_guard lock(server_.mutex);
    queue_.push_back(KeepaliveEvent{server_.wal_end, false});
  }
  arrow::Status Stop() override { return arrow::Status::OK(); }
  SourceStats stats() const override { return {}; }

 protected:
  // One to three transactions in one group, flushed in the middle at random, tables in any order; sometimes
  // dirty, with a keepalive that must not count. Returns the last transaction of the group.
  size_t QueueGroup(size_t first) {
    const size_t last = std::min(first + random_() % 3, server_.wal.size() - 1);
    std::map<int, std::vector<FakeRow>> open;
    const auto flush = [&](bool end, uint64_t safe) {
      size_t left = open.size();
      for (auto& [table, rows] : open) {
        const bool ends = end && --left == 0;
        queue_.push_back(MakeBatch(server_.tables[static_cast<size_t>(table)], rows,
                                   {ends ? safe : 0, ends, !end, false}));
      }
      open.clear();
    };
    for (size_t i = first; i <= last; ++i) {
      for (const FakeRow& row : server_.wal[i].rows) {
        open[row.table].push_back(row);
        if (random_() % 6 == 0) {
          flush(false, 0);
          if (random_() % 3 == 0) queue_.push_back(KeepaliveEvent{server_.wal_end, false});
        }
      }
    }
    const uint64_t safe = server_.wal[last].end_lsn;
    if (open.empty()) {
      queue_.push_back(ProgressEvent{{safe, true, false, false}});
    } else {
      flush(true, safe);
    }
    if (last + 1 < server_.wal.size() && random_() % 5 == 0) {
      queue_.push_back(ProgressEvent{{safe, true, false, true}});
      queue_.push_back(KeepaliveEvent{server_.wal[last + 1].end_lsn, false});
    }
    return last;
  }

  FakeServer& server_;
  std::mt19937_64 random_;
  const int fail_one_in_;
  std::vector<Event> queue_;
  size_t next_ = 0;
};

}  // namespace arrowcdc
