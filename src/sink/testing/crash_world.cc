// See crash_world.h.
#include "src/sink/testing/crash_world.h"

#include <algorithm>
#include <map>

#include <gtest/gtest.h>

#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"

namespace arrowcdc::test {

CrashWorld::CrashWorld(const CrashedSink& sink, uint64_t seed, size_t tables, int transactions)
    : sink_(sink), random_(seed) {
  for (size_t i = 0; i < tables; ++i)
    tables_.push_back(MakeTable({"s", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64())}));
  MakeSource(transactions);
}

// Transactions of one to a few rows over all tables, now and then a large one.
void CrashWorld::MakeSource(int transactions) {
  uint64_t lsn = 1000;
  int64_t id = 0;
  for (int i = 0; i < transactions; ++i) {
    Transaction transaction;
    const uint64_t rows = random_() % 8 == 0 ? 20 : 1 + random_() % 3;
    const uint64_t commit = lsn + rows * 10;
    for (uint64_t r = 0; r < rows; ++r, lsn += 10) {
      transaction.rows.push_back({random_() % tables_.size(), {commit, lsn, 0}, ++id});
    }
    lsn = commit + 8;
    transaction.end = lsn;
    source_.push_back(std::move(transaction));
  }
}

bool CrashWorld::Run() {
  const auto sink = sink_.make(&files_, [this] { return now_; });
  const bool good = Deliver(*sink);
  files_.LetAllGo();
  Observe(*sink);
  if (!sink->Close().ok()) return false;
  Observe(*sink);
  return good;
}

bool CrashWorld::Deliver(Sink& sink) {
  const auto opened = sink.Open(TestStream());
  if (!opened.ok()) {
    EXPECT_FALSE(sink.durable().has_value());
    return false;
  }
  const SinkState& state = *opened;
  const uint64_t start = state.position ? state.position->order : 0;
  if (state.position.has_value()) {
    EXPECT_EQ(state.position->token, "t" + std::to_string(start));
  }
  // The server keeps nothing before what was acknowledged.
  EXPECT_GE(start, acknowledged_);
  for (const auto& transaction : source_) {
    if (transaction.end <= start) continue;
    for (size_t i = 0; i < transaction.rows.size();) {
      size_t end = i + 1;
      while (end < transaction.rows.size() && transaction.rows[end].table == transaction.rows[i].table) ++end;
      if (!WriteRows(sink, state, transaction, i, end)) return false;
      i = end;
      if (random_() % 16 == 0 && !Flush(sink)) return false;
      HoldOrLetGo();
    }
    if (!sink.Advance({1, transaction.end, "t" + std::to_string(transaction.end)}).ok()) return false;
    now_ += std::chrono::seconds(random_() % 12);
    if (!sink.Tick().ok()) return false;
    Observe(sink);
  }
  return Flush(sink);
}

// It waits for what is held.
bool CrashWorld::Flush(Sink& sink) {
  files_.LetAllGo();
  return sink.Flush().ok();
}

void CrashWorld::HoldOrLetGo() {
  if (sink_.written_by_threads == nullptr) return;
  const std::string table = sink_.written_by_threads + tables_[random_() % tables_.size()]->name.table;
  for (const char* operation : {"create ", "sync ", "rename ", "sync directory "}) {
    if (random_() % 4 == 0) files_.Hold(operation + table);
    if (random_() % 4 == 0) files_.LetGo(operation + table);
  }
}

bool CrashWorld::WriteRows(Sink& sink, const SinkState& state, const Transaction& transaction, size_t begin,
                           size_t end) {
  const auto& table = tables_[transaction.rows[begin].table];
  const auto last = state.last_rows.find(table->name);
  std::vector<RowMeta> rows;
  std::vector<int64_t> ids;
  for (size_t i = begin; i < end; ++i) {
    const Row& row = transaction.rows[i];
    if (last != state.last_rows.end() && row.position <= last->second) continue;
    rows.push_back({row.position});
    ids.push_back(row.id);
  }
  return rows.empty() || sink.Write(MakeBatch(table, rows, {Ids(ids)})).ok();
}

void CrashWorld::Observe(const Sink& sink) {
  if (!sink.durable()) return;
  EXPECT_GE(sink.durable()->order, acknowledged_);
  acknowledged_ = sink.durable()->order;
}

void CrashWorld::ExpectEveryRowOnce() {
  std::map<StoredRow, int> seen;
  for (const auto& row : sink_.read(files_)) ++seen[row];
  std::map<StoredRow, int> expected;
  for (const auto& transaction : source_) {
    for (const auto& row : transaction.rows) expected[{tables_[row.table]->name.table, row.id}] = 1;
  }
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(acknowledged_, source_.back().end);
}

}  // namespace arrowcdc::test
