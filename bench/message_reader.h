// What each plugin writes, read just far enough to count changes and to see transactions end.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/status.h>

#include "bench/contender.h"
#include "bench/table.h"

namespace arrowcdc::bench {

class MessageReader {
 public:
  virtual ~MessageReader() = default;
  virtual arrow::Status Read(std::string_view message) = 0;
  // After the last message: hands on what is still held.
  virtual arrow::Status Finish() { return arrow::Status::OK(); }

  int64_t rows() const { return rows_; }
  int64_t transactions() const { return transactions_; }
  // The last message ended a transaction.
  bool at_commit() const { return at_commit_; }
  // Of that transaction, in microseconds since 1970; 0 where the plugin's messages do not carry it.
  int64_t commit_time() const { return commit_time_; }

 protected:
  int64_t rows_ = 0;
  int64_t transactions_ = 0;
  int64_t commit_time_ = 0;
  bool at_commit_ = false;
};

// For contenders whose plugin speaks through a ReplicationClient.
std::unique_ptr<MessageReader> MakeMessageReader(Reader reader, const Table& table);

}  // namespace arrowcdc::bench
