// A FileSystem in memory for tests: fails at the k-th operation, holds operations back, and forgets after a
// power loss what was not synced.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "src/sink/file_system.h"

namespace arrowcdc::test {

// Threads: any. The log and power are for when no operation is under way.
class MemoryFileSystem : public FileSystem {
 public:
  enum class Failure {
    kOnce,     // the operation fails, later ones work
    kForGood,  // as if the process were gone
  };

  // The operation with this number (from 0, counted from now) fails; half of what it should do may have been
  // done.
  void FailAt(int64_t operation, Failure failure);
  // The next one that begins like this fails, once.
  void FailOn(const std::string& operation);
  bool failed() const;
  int64_t operations() const;

  // Operations that begin like this wait where they begin until LetGo. "buffer PATH" is one, too, which does
  // not count: bytes come to a file that it does not write yet.
  void Hold(const std::string& operation);
  void LetGo(const std::string& operation);
  void LetAllGo();
  // One that begins like this waits.
  bool Holds(const std::string& operation) const;

  // The process is gone, the system lives: all that was done is there.
  void KillProcess();
  // The system is gone too: of everything that was not synced, any part may be there.
  void LosePower(std::mt19937_64& random);

  // Paths of all files below a directory, sorted.
  std::vector<std::string> Files(const std::string& directory);
  // What was done: "write PATH", "sync PATH", "rename A B", "sync directory PATH", ...
  std::vector<std::string> log;

  arrow::Result<PathKind> Kind(const std::string& path) override;
  arrow::Result<std::vector<std::string>> List(const std::string& directory) override;
  arrow::Status MakeDirectory(const std::string& path) override;
  arrow::Status SyncDirectory(const std::string& path) override;
  arrow::Result<std::unique_ptr<WritableFile>> Create(const std::string& path) override;
  arrow::Result<std::unique_ptr<WritableFile>> Append(const std::string& path, int64_t bytes) override;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenForReading(
      const std::string& path) override;
  arrow::Status Rename(const std::string& from, const std::string& to) override;
  arrow::Status Remove(const std::string& path) override;
  arrow::Result<std::unique_ptr<FileLock>> Lock(const std::string& path) override;

 private:
  friend class MemoryFile;
  struct Node {
    bool is_directory = false;
    std::string content;
    std::string synced_content;
    std::map<std::string, std::shared_ptr<Node>> entries;
    std::map<std::string, std::shared_ptr<Node>> synced_entries;
  };
  using NodePtr = std::shared_ptr<Node>;

  // Where an operation begins. Others may come and go before it returns.
  std::unique_lock<std::mutex> Begin(const std::string& operation);
  // Counts and logs an operation; true when it is to fail.
  bool Fails(const std::string& operation);
  arrow::Status Broken(const std::string& operation) const;
  NodePtr Find(const std::string& path) const;
  static void LosePower(Node* node, std::mt19937_64& random);
  static void Collect(const Node& node, const std::string& path, std::vector<std::string>* out);

  mutable std::mutex mutex_;
  std::condition_variable let_go_;
  std::set<std::string> held_;          // how operations begin that wait
  std::multiset<std::string> waiting_;  // operations that do
  NodePtr root_ = [] {
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    return node;
  }();
  std::shared_ptr<std::set<std::string>> locks_ = std::make_shared<std::set<std::string>>();
  int64_t operations_ = 0;
  std::optional<int64_t> fail_at_;
  std::optional<std::string> fail_on_;
  Failure failure_ = Failure::kOnce;
  bool failed_ = false;
  int generation_ = 0;  // of the process: files opened by an earlier one reach nothing
};

}  // namespace arrowcdc::test
