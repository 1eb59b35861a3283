// Threads that encode the Parquet sink's files while the sink takes more rows. A file is written by one
// thread at a time. Files of one table get their names in the order in which they were completed, since the
// greatest name says how far a table is stored; nothing gets a name once something has failed.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <arrow/status.h>

#include "arrowcdc/sink.h"
#include "src/sink/parquet_file.h"
#include "src/sink/row_buffer.h"

namespace arrowcdc {

// Threads: status() may be called from any, everything else from the one that writes to the sink.
class ParquetEncoders {
 public:
  // A file on its way. Rows are added by the sink until Complete; what else there is of it is the encoders'.
  class File {
   public:
    explicit File(std::unique_ptr<ParquetFile> parquet_file) : parquet(std::move(parquet_file)) {}
    const std::unique_ptr<ParquetFile> parquet;

   private:
    friend class ParquetEncoders;
    // Under the mutex:
    std::deque<RowBuffer> waiting;  // row groups
    int64_t handed_bytes = 0;       // of rows, in memory
    int64_t encoded_bytes = 0;      // of them
    int64_t written_bytes = 0;      // what became of those
    bool taken = false;             // a thread is at it, or it waits for one
    bool completing = false;
    bool finished = false;  // under its temporary name
    bool publishing = false;
  };
  using FilePtr = std::shared_ptr<File>;

  // threads: at most; each begins when there is work for it. Where the system gives none, or none is wanted,
  // the sink's thread does the work.
  explicit ParquetEncoders(size_t threads) : threads_max_(threads) {}
  ~ParquetEncoders() { Stop(); }
  ParquetEncoders(const ParquetEncoders&) = delete;
  ParquetEncoders& operator=(const ParquetEncoders&) = delete;

  // What is buffered in the file becomes a row group of it.
  void WriteRowGroup(const FilePtr& file);
  // Likewise; then the file is completed: durable, and under its name.
  void Complete(const FilePtr& file);

  // The first failure: after it nothing is encoded, and no file gets its name.
  arrow::Status status();
  // Bytes of rows that were handed over and are not encoded.
  int64_t bytes();
  // Of the file if it were completed now: by the compression of its row groups so far, and as in memory where
  // none is encoded.
  int64_t ExpectedBytes(const File& file);

  // Files that have become durable since the last call.
  std::vector<FilePtr> TakeDurable();

  // Blocking: on storage and encoding; errors: as status().
  arrow::Status WaitForBytes(int64_t bytes_max);
  arrow::Status WaitForRowGroup(const File& file);  // the first one, which was handed over
  arrow::Status WaitForFiles(size_t files_max);     // that were completed and are not durable: so many

  // What is not encoded is dropped. Blocking: until what is under way ends.
  void Stop();

 private:
  using Lock = std::unique_lock<std::mutex>;

  void HandOver(Lock* lock, const FilePtr& file);
  void Give(Lock* lock, const FilePtr& file);
  void Run();
  void WorkOn(Lock* lock, const FilePtr& file);
  arrow::Status WriteNext(Lock* lock, File* file);
  arrow::Status PublishInOrder(Lock* lock, const TableName& table);
  bool working() const { return failure_.ok() && !stopping_; }

  const size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable work_;     // ready_ has something, or not working()
  std::condition_variable changed_;  // something was encoded or is durable, or not working()
  // Under the mutex:
  std::deque<FilePtr> ready_;
  std::map<TableName, std::deque<FilePtr>> unpublished_;  // those that are completed, in order
  size_t completing_ = 0;                                 // files in unpublished_
  std::vector<FilePtr> durable_;
  int64_t bytes_ = 0;
  size_t idle_ = 0;  // threads
  bool stopping_ = false;
  arrow::Status failure_;
  // Of the sink's thread:
  std::vector<std::thread> threads_;
};

}  // namespace arrowcdc
