#include "src/sink/parquet_encoders.h"

#include <system_error>
#include <utility>

namespace arrowcdc {

void ParquetEncoders::WriteRowGroup(const FilePtr& file) {
  Lock lock(mutex_);
  HandOver(&lock, file);
}

void ParquetEncoders::Complete(const FilePtr& file) {
  Lock lock(mutex_);
  file->completing = true;
  unpublished_[file->parquet->table().name].push_back(file);
  ++completing_;
  HandOver(&lock, file);
}

void ParquetEncoders::HandOver(Lock* lock, const FilePtr& file) {
  const int64_t bytes = file->parquet->buffered_bytes();
  if (file->parquet->buffered_rows() > 0) file->waiting.push_back(file->parquet->TakeRows());
  file->handed_bytes += bytes;
  bytes_ += bytes;
  if (!std::exchange(file->taken, true)) Give(lock, file);
}

// To a thread. The system may give none.
void ParquetEncoders::Give(Lock* lock, const FilePtr& file) {
  ready_.push_back(file);
  if (idle_ < ready_.size() && threads_.size() < threads_max_) {
    try {
      threads_.emplace_back([this] { Run(); });
    } catch (const std::system_error&) {
    }
  }
  if (!threads_.empty()) {
    work_.notify_one();
    return;
  }
  ready_.pop_front();
  if (working()) WorkOn(lock, file);
}

void ParquetEncoders::Run() {
  Lock lock(mutex_);
  while (true) {
    ++idle_;
    work_.wait(lock, [this] { return !ready_.empty() || !working(); });
    --idle_;
    if (!working()) return;
    const FilePtr file = std::move(ready_.front());
    ready_.pop_front();
    WorkOn(&lock, file);
  }
}

// Until nothing of the file waits.
void ParquetEncoders::WorkOn(Lock* lock, const FilePtr& file) {
  arrow::Status status;
  while (status.ok() && working() && !file->waiting.empty()) status = WriteNext(lock, file.get());
  if (status.ok() && working() && file->completing) {
    lock->unlock();
    status = file->parquet->Finish();
    lock->lock();
    file->finished = status.ok();
    if (status.ok()) status = PublishInOrder(lock, file->parquet->table().name);
  }
  file->taken = false;
  if (status.ok() || !failure_.ok()) return;
  failure_ = std::move(status);
  work_.notify_all();
  changed_.notify_all();
}

arrow::Status ParquetEncoders::WriteNext(Lock* lock, File* file) {
  RowBuffer rows = std::move(file->waiting.front());
  file->waiting.pop_front();
  const int64_t bytes = rows.bytes();
  lock->unlock();
  arrow::Status status = file->parquet->WriteRowGroup(std::move(rows));
  const int64_t written_bytes = file->parquet->written_bytes();
  lock->lock();
  bytes_ -= bytes;
  file->encoded_bytes += bytes;
  file->written_bytes = written_bytes;
  changed_.notify_all();
  return status;
}

// Whoever has finished a file publishes it, and those behind it that are finished already. Where one before
// it is not finished, whoever finishes that one comes here.
arrow::Status ParquetEncoders::PublishInOrder(Lock* lock, const TableName& table) {
  const auto unpublished = unpublished_.find(table);
  if (unpublished == unpublished_.end()) return arrow::Status::OK();
  auto& files = unpublished->second;
  while (working() && !files.empty() && files.front()->finished && !files.front()->publishing) {
    const FilePtr file = files.front();
    file->publishing = true;
    lock->unlock();
    arrow::Status published = file->parquet->Publish();
    lock->lock();
    ARROW_RETURN_NOT_OK(published);
    files.pop_front();
    --completing_;
    durable_.push_back(file);
    changed_.notify_all();
  }
  if (files.empty()) unpublished_.erase(unpublished);
  return arrow::Status::OK();
}

arrow::Status ParquetEncoders::status() {
  const Lock lock(mutex_);
  return failure_;
}

int64_t ParquetEncoders::bytes() {
  const Lock lock(mutex_);
  return bytes_;
}

int64_t ParquetEncoders::ExpectedBytes(const File& file) {
  const Lock lock(mutex_);
  const int64_t left = file.handed_bytes - file.encoded_bytes + file.parquet->buffered_bytes();
  if (file.encoded_bytes == 0) return left;
  const double ratio = static_cast<double>(file.written_bytes) / static_cast<double>(file.encoded_bytes);
  return file.written_bytes + static_cast<int64_t>(ratio * static_cast<double>(left));
}

std::vector<ParquetEncoders::FilePtr> ParquetEncoders::TakeDurable() {
  const Lock lock(mutex_);
  return std::exchange(durable_, {});
}

arrow::Status ParquetEncoders::WaitForBytes(int64_t bytes_max) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return bytes_ <= bytes_max || !working(); });
  return failure_;
}

arrow::Status ParquetEncoders::WaitForRowGroup(const File& file) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return file.encoded_bytes > 0 || !working(); });
  return failure_;
}

arrow::Status ParquetEncoders::WaitForFiles(size_t files_max) {
  Lock lock(mutex_);
  changed_.wait(lock, [&] { return completing_ <= files_max || !working(); });
  return failure_;
}

void ParquetEncoders::Stop() {
  {
    const Lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  ready_.clear();
  unpublished_.clear();
  completing_ = 0;
  durable_.clear();
  bytes_ = 0;
}

}  // namespace arrowcdc
