// How the columns of Parquet files are encoded: by a dictionary where values come again. For others a
// dictionary costs time and bytes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <arrow/result.h>
#include <arrow/table.h>
#include <parquet/properties.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/sink.h"

namespace arrowcdc {

// By column: whether its values come again.
using Repeats = std::map<std::string, bool>;

// Judged by a sample of the table's rows. A nested column, and one with too few values to judge by, is not
// among them. Errors: OutOfMemory.
arrow::Result<Repeats> ColumnsThatRepeat(const arrow::Table& rows);

// Whether among `rows` values less than half are expected to be distinct, where `distinct` of `sampled` are.
bool ValuesRepeat(int64_t sampled, int64_t distinct, int64_t rows);

// Judges each file by the rows that it begins with, and remembers it by table and column for files that begin
// with too few. Threads: any.
class ParquetEncoding {
 public:
  explicit ParquetEncoding(const ParquetOptions& options) : options_(options) {}

  // Of the table's next file. Errors: OutOfMemory.
  arrow::Result<std::shared_ptr<parquet::WriterProperties>> ForFile(const TableName& table,
                                                                    const arrow::Table& first_rows);

 private:
  arrow::Result<Repeats> Judge(const TableName& table, const arrow::Table& first_rows);

  const ParquetOptions options_;
  std::mutex mutex_;
  std::map<TableName, Repeats> judged_;  // under the mutex
};

}  // namespace arrowcdc
