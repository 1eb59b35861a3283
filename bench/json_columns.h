// wal2json's messages as Arrow batches: simdjson into the builders of the table's typed columns. The fair
// rival of typed batches.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include <arrow/result.h>

#include "bench/table.h"

namespace arrowcdc::bench {

class JsonColumns {
 public:
  explicit JsonColumns(const Table& table);
  ~JsonColumns();

  // Returns the message's action: 'B', 'C', 'I', 'U', 'D'. A full batch is validated and dropped.
  arrow::Result<char> Append(std::string_view message);
  // A message of format 1: a whole transaction.
  arrow::Status AppendTransaction(std::string_view message);
  arrow::Status Flush();
  // An update counts once, though it has two rows where the old one is there.
  int64_t changes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace arrowcdc::bench
