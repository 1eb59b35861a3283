// See memory_file_system.h.
#include "src/sink/testing/memory_file_system.h"

#include <algorithm>
#include <cerrno>

#include <arrow/buffer.h>
#include <arrow/io/memory.h>

namespace arrowcdc::test {
namespace {

std::string LastName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class MemoryLock : public FileLock {
 public:
  MemoryLock(std::shared_ptr<std::set<std::string>> locks, std::string path)
      : locks_(std::move(locks)), path_(std::move(path)) {}
  ~MemoryLock() override { locks_->erase(path_); }

 private:
  std::shared_ptr<std::set<std::string>> locks_;
  std::string path_;
};

}  // namespace

class MemoryFile : public WritableFile {
 public:
  MemoryFile(MemoryFileSystem* files, std::string path, MemoryFileSystem::NodePtr node)
      : files_(files), path_(std::move(path)), node_(std::move(node)), generation_(files->generation_) {
    position_ = static_cast<int64_t>(node_->content.size());
  }

  // Buffers, as a real file does, so that an operation is one that the system sees.
  arrow::Status Write(const void* data, int64_t bytes) override {
    if (closed_) return files_->Broken("write " + path_);
    const auto lock = files_->Begin("buffer " + path_);
    buffer_.append(static_cast<const char*>(data), static_cast<size_t>(bytes));
    position_ += bytes;
    return arrow::Status::OK();
  }
  using arrow::io::OutputStream::Write;

  arrow::Status Flush() override {
    const auto lock = files_->Begin("write " + path_);
    if (generation_ != files_->generation_) return files_->Broken("write " + path_);
    if (buffer_.empty()) return arrow::Status::OK();
    const bool fails = files_->Fails("write " + path_);
    node_->content += fails ? buffer_.substr(0, buffer_.size() / 2) : buffer_;
    buffer_.clear();
    return fails ? files_->Broken("write " + path_) : arrow::Status::OK();
  }

  arrow::Status Sync() override {
    ARROW_RETURN_NOT_OK(Flush());
    const auto lock = files_->Begin("sync " + path_);
    if (files_->Fails("sync " + path_)) return files_->Broken("sync " + path_);
    node_->synced_content = node_->content;
    return arrow::Status::OK();
  }
  arrow::Status Close() override {
    if (closed_) return arrow::Status::OK();
    ARROW_RETURN_NOT_OK(Flush());
    closed_ = true;
    const auto lock = files_->Begin("close " + path_);
    if (files_->Fails("close " + path_)) return files_->Broken("close " + path_);
    return arrow::Status::OK();
  }
  arrow::Status Abort() override {
    buffer_.clear();
    closed_ = true;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  bool closed() const override { return closed_; }

 private:
  MemoryFileSystem* files_;
  std::string path_;
  MemoryFileSystem::NodePtr node_;
  int generation_;
  std::string buffer_;
  int64_t position_ = 0;
  bool closed_ = false;
};

void MemoryFileSystem::FailAt(int64_t operation, Failure failure) {
  const std::lock_guard lock(mutex_);
  fail_at_ = operations_ + operation;
  failure_ = failure;
  failed_ = false;
}

void MemoryFileSystem::FailOn(const std::string& operation) {
  const std::lock_guard lock(mutex_);
  fail_on_ = operation;
  failure_ = Failure::kOnce;
}

bool MemoryFileSystem::failed() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

int64_t MemoryFileSystem::operations() const {
  const std::lock_guard lock(mutex_);
  return operations_;
}

void MemoryFileSystem::Hold(const std::string& operation) {
  const std::lock_guard lock(mutex_);
  held_.insert(operation);
}

void MemoryFileSystem::LetGo(const std::string& operation) {
  const std::lock_guard lock(mutex_);
  held_.erase(operation);
  let_go_.notify_all();
}

void MemoryFileSystem::LetAllGo() {
  const std::lock_guard lock(mutex_);
  held_.clear();
  let_go_.notify_all();
}

bool MemoryFileSystem::Holds(const std::string& operation) const {
  const std::lock_guard lock(mutex_);
  const auto first = waiting_.lower_bound(operation);
  return first != waiting_.end() && first->starts_with(operation);
}

std::unique_lock<std::mutex> MemoryFileSystem::Begin(const std::string& operation) {
  std::unique_lock lock(mutex_);
  const auto is_held = [&] {
    return std::any_of(held_.begin(), held_.end(),
                       [&](const std::string& held) { return operation.starts_with(held); });
  };
  if (!is_held()) return lock;
  const auto waiting = waiting_.insert(operation);
  let_go_.wait(lock, [&] { return !is_held(); });
  waiting_.erase(waiting);
  return lock;
}

bool MemoryFileSystem::Fails(const std::string& operation) {
  const int64_t number = operations_++;
  log.push_back(operation);
  if (failed_ && failure_ == Failure::kForGood) return true;
  const bool is_meant = fail_on_.has_value() && operation.starts_with(*fail_on_);
  if (is_meant) fail_on_.reset();
  if (fail_at_ != number && !is_meant) return false;
  failed_ = true;
  return true;
}

arrow::Status MemoryFileSystem::Broken(const std::string& operation) const {
  return SystemError("(injected) " + operation, "it", ENOSPC);
}

MemoryFileSystem::NodePtr MemoryFileSystem::Find(const std::string& path) const {
  NodePtr node = root_;
  size_t begin = 0;
  while (begin < path.size()) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    if (name.empty() || name == ".") continue;
    const auto entry = node->entries.find(name);
    if (entry == node->entries.end()) return nullptr;
    node = entry->second;
  }
  return node;
}

void MemoryFileSystem::KillProcess() {
  const std::lock_guard lock(mutex_);
  ++generation_;
  fail_at_.reset();
  fail_on_.reset();
  failed_ = false;
  locks_ = std::make_shared<std::set<std::string>>();
}

void MemoryFileSystem::LosePower(std::mt19937_64& random) {
  KillProcess();
  LosePower(root_.get(), random);
}

void MemoryFileSystem::LosePower(Node* node, std::mt19937_64& random) {
  if (!node->is_directory) {
    // The synced beginning stays; of the rest a prefix may have reached the disk.
    const std::string& synced = node->synced_content;
    if (node->content.starts_with(synced)) {
      const size_t more = node->content.size() - synced.size();
      node->content.resize(synced.size() + (more == 0 ? 0 : random() % (more + 1)));
    } else if (random() % 2 == 0) {
      node->content = synced;
    }
    node->synced_content = node->content;
    return;
  }
  std::set<std::string> names;
  for (const auto& [name, entry] : node->entries) names.insert(name);
  for (const auto& [name, entry] : node->synced_entries) names.insert(name);
  for (const auto& name : names) {
    const auto now = node->entries.find(name);
    const auto synced = node->synced_entries.find(name);
    const bool same =
        now != node->entries.end() && synced != node->synced_entries.end() && now->second == synced->second;
    if (same || random() % 2 == 0) continue;
    if (synced == node->synced_entries.end()) {
      node->entries.erase(name);
    } else {
      node->entries[name] = synced->second;
    }
  }
  node->synced_entries = node->entries;
  for (const auto& [name, entry] : node->entries) LosePower(entry.get(), random);
}

void MemoryFileSystem::Collect(const Node& node, const std::string& path, std::vector<std::string>* out) {
  for (const auto& [name, entry] : node.entries) {
    const std::string below = path + "/" + name;
    if (entry->is_directory) {
      Collect(*entry, below, out);
    } else {
      out->push_back(below);
    }
  }
}

std::vector<std::string> MemoryFileSystem::Files(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> paths;
  if (const NodePtr node = Find(directory)) Collect(*node, directory, &paths);
  return paths;
}

arrow::Result<PathKind> MemoryFileSystem::Kind(const std::string& path) {
  const auto lock = Begin("look at " + path);
  const NodePtr node = Find(path);
  if (node == nullptr) return PathKind::kAbsent;
  return node->is_directory ? PathKind::kDirectory : PathKind::kFile;
}

arrow::Result<std::vector<std::string>> MemoryFileSystem::List(const std::string& directory) {
  const auto lock = Begin("list " + directory);
  const NodePtr node = Find(directory);
  if (node == nullptr || Fails("list " + directory)) return Broken("list " + directory);
  std::vector<std::string> names;
  for (const auto& [name, entry] : node->entries) names.push_back(name);
  return names;
}

arrow::Status MemoryFileSystem::MakeDirectory(const std::string& path) {
  const auto lock = Begin("mkdir " + path);
  const NodePtr parent = Find(ParentDirectory(path));
  if (parent == nullptr || parent->entries.contains(LastName(path)) || Fails("mkdir " + path)) {
    return Broken("mkdir " + path);
  }
  auto node = std::make_shared<Node>();
  node->is_directory = true;
  parent->entries[LastName(path)] = std::move(node);
  return arrow::Status::OK();
}

arrow::Status MemoryFileSystem::SyncDirectory(const std::string& path) {
  const auto lock = Begin("sync directory " + path);
  const NodePtr node = Find(path);
  if (node == nullptr || Fails("sync directory " + path)) return Broken("sync directory " + path);
  node->synced_entries = node->entries;
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<WritableFile>> MemoryFileSystem::Create(const std::string& path) {
  const auto lock = Begin("create " + path);
  const NodePtr parent = Find(ParentDirectory(path));
  if (parent == nullptr || Fails("create " + path)) return Broken("create " + path);
  NodePtr& node = parent->entries[LastName(path)];
  if (node == nullptr) node = std::make_shared<Node>();
  node->content.clear();
  return std::make_unique<MemoryFile>(this, path, node);
}

arrow::Result<std::unique_ptr<WritableFile>> MemoryFileSystem::Append(const std::string& path,
                                                                      int64_t bytes) {
  const auto lock = Begin("append " + path);
  const NodePtr parent = Find(ParentDirectory(path));
  if (parent == nullptr || Fails("append " + path)) return Broken("append " + path);
  NodePtr& node = parent->entries[LastName(path)];
  if (node == nullptr && bytes == 0) node = std::make_shared<Node>();
  if (node == nullptr || node->content.size() < static_cast<size_t>(bytes)) return Broken("append " + path);
  node->content.resize(static_cast<size_t>(bytes));
  return std::make_unique<MemoryFile>(this, path, node);
}

arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> MemoryFileSystem::OpenForReading(
    const std::string& path) {
  const auto lock = Begin("open " + path);
  const NodePtr node = Find(path);
  if (node == nullptr || node->is_directory) return Broken("open " + path);
  return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(node->content));
}

arrow::Status MemoryFileSystem::Rename(const std::string& from, const std::string& to) {
  const auto lock = Begin("rename " + from + " " + to);
  const NodePtr node = Find(from);
  if (node == nullptr || Fails("rename " + from + " " + to)) return Broken("rename " + from);
  Find(ParentDirectory(to))->entries[LastName(to)] = node;
  Find(ParentDirectory(from))->entries.erase(LastName(from));
  return arrow::Status::OK();
}

arrow::Status MemoryFileSystem::Remove(const std::string& path) {
  const auto lock = Begin("remove " + path);
  if (Find(path) == nullptr || Fails("remove " + path)) return Broken("remove " + path);
  Find(ParentDirectory(path))->entries.erase(LastName(path));
  return arrow::Status::OK();
}

arrow::Result<std::unique_ptr<FileLock>> MemoryFileSystem::Lock(const std::string& path) {
  const auto lock = Begin("lock " + path);
  if (locks_->contains(path) || Fails("lock " + path)) return Broken("lock " + path);
  const NodePtr parent = Find(ParentDirectory(path));
  NodePtr& node = parent->entries[LastName(path)];
  if (node == nullptr) node = std::make_shared<Node>();
  locks_->insert(path);
  return std::make_unique<MemoryLock>(locks_, path);
}

}  // namespace arrowcdc::test
