// A random workload over tables of every kind of replica identity, for tests that compare what was streamed
// with what is there.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <arrow/status.h>

#include "tests/testing/private_server.h"

namespace arrowcdc::test {

// The tables a workload changes: public.w_*. Every change transaction also writes public.w_journal, an
// append-only table whose rows carry the WAL position at which they were made.
arrow::Status CreateWorkloadTables(SqlConnection& sql);
// "public.w_account" and so on, as --tables wants them.
std::vector<std::string> WorkloadTables();

// Threads that change the tables until Stop: inserts (rows, COPY, multi-row), updates, deletes, key changes,
// TOAST changed and unchanged, savepoints, rollbacks, truncates, columns added, dropped, renamed and retyped.
// A lost connection is made again.
class Workload {
 public:
  Workload(const PrivateServer& server, uint64_t seed, int threads);
  ~Workload();

  void Stop();
  uint64_t transactions() const { return transactions_; }
  uint64_t schema_changes() const { return schema_changes_; }
  // Statements that the server refused for a reason that is not a lost connection, with the last such
  // message: a mistake in the test.
  uint64_t refused() const { return refused_; }
  std::string last_refusal() const;

 private:
  void Run(const std::string& conninfo, uint64_t seed, int thread);

  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> transactions_{0};
  std::atomic<uint64_t> schema_changes_{0};
  std::atomic<uint64_t> refused_{0};
  mutable std::mutex mutex_;
  std::string last_refusal_;
  std::vector<std::thread> threads_;
};

}  // namespace arrowcdc::test
