// A sink that keeps data, under failures: a small source is delivered to it as the pipeline would, file
// operations fail, processes are killed and power is lost; in the end storage holds every row once.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/testing/memory_file_system.h"

namespace arrowcdc::test {

using StoredRow = std::pair<std::string, int64_t>;  // name of its table, id

// What is to be known of a sink.
struct CrashedSink {
  const char* name;
  std::function<std::unique_ptr<Sink>(FileSystem* files, const SteadyClock& clock)> make;
  // All rows that a reader finds.
  std::function<std::vector<StoredRow>(MemoryFileSystem& files)> read;
  // Whether a run may succeed although an operation failed in it.
  bool makes_up_for_failures = false;
  uint64_t operations = 0;    // of a run, about
  uint64_t many_crashes = 0;  // how often so many are tried; a file format may be slow to read
  // Threads of its own write these files, by how their names begin: what they do is held back, and let go,
  // between calls.
  const char* written_by_threads = nullptr;
};

inline void PrintTo(const CrashedSink& sink, std::ostream* out) { *out << sink.name; }

class CrashWorld {
 public:
  CrashWorld(const CrashedSink& sink, uint64_t seed, size_t tables = 3, int transactions = 7);

  MemoryFileSystem& files() { return files_; }
  std::mt19937_64& random() { return random_; }

  // One life of the client; false when the sink failed in it.
  bool Run();

  void ExpectEveryRowOnce();

 private:
  struct Row {
    size_t table;
    RowPosition position;
    int64_t id;
  };
  struct Transaction {
    std::vector<Row> rows;
    uint64_t end;
  };

  void MakeSource(int transactions);
  bool Deliver(Sink& sink);
  void HoldOrLetGo();
  bool Flush(Sink& sink);
  bool WriteRows(Sink& sink, const SinkState& state, const Transaction& transaction, size_t begin,
                 size_t end);
  void Observe(const Sink& sink);

  const CrashedSink& sink_;
  std::mt19937_64 random_;
  std::vector<Transaction> source_;
  std::vector<std::shared_ptr<const TableSchema>> tables_;
  MemoryFileSystem files_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
  uint64_t acknowledged_ = 0;
};

}  // namespace arrowcdc::test
