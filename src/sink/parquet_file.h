// One Parquet file of one table on its way: rows are buffered, written as row groups under a temporary name,
// and the file gets its name when it is complete and on stable storage.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <arrow/result.h>
#include <parquet/arrow/writer.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/sink.h"
#include "src/sink/file_system.h"
#include "src/sink/parquet_encoding.h"
#include "src/sink/row_buffer.h"

namespace arrowcdc {

// What the footer says of the rows. Read back at the next start.
struct ParquetFooter {
  TableName table;
  uint32_t table_id = 0;
  std::optional<ReplicaIdentity> replica_identity;  // when the file was written; none: it does not say
  int64_t version = 0;                              // of the sink's format
  RowPosition first_row;
  RowPosition last_row;
  std::optional<RowPosition> emptied;  // the last truncation in the file
};

// Threads: one may add rows while another writes those that TakeRows has taken.
class ParquetFile {
 public:
  enum class Rows { kChanges, kSnapshot };

  // `directory` exists. Nothing is written before the first row group. `encoding` outlives the file.
  ParquetFile(FileSystem* files, ParquetEncoding* encoding, std::string directory,
              std::shared_ptr<const TableSchema> table, const StreamIdentity& stream,
              Rows kind = Rows::kChanges);
  // A file that was not completed stays behind under its temporary name.
  ~ParquetFile();

  // Rows after all those before; `first` and `last` are the positions of the first and the last of them.
  // Buffers only.
  arrow::Status Add(std::shared_ptr<arrow::RecordBatch> rows, const RowPosition& first,
                    const RowPosition& last);

  // Writes what is buffered as one row group.
  arrow::Status WriteRowGroup() { return WriteRowGroup(TakeRows()); }
  RowBuffer TakeRows() { return std::exchange(buffer_, {}); }
  arrow::Status WriteRowGroup(RowBuffer rows);

  // Footer and sync, under the temporary name. At least one row was added.
  arrow::Status Finish();
  // After Finish: rename, directory sync. Then all rows are durable.
  arrow::Status Publish();
  const std::string& temporary_path() const { return temporary_path_; }
  std::string name() const;  // that it is to have, in its directory
  std::string path() const { return JoinPath(directory_, name()); }
  int64_t finished_bytes() const { return finished_bytes_; }
  const RowPosition& last_row() const { return last_row_; }

  const TableSchema& table() const { return *table_; }
  int64_t rows() const { return rows_; }
  int64_t buffered_rows() const { return buffer_.rows(); }
  int64_t buffered_bytes() const { return buffer_.bytes(); }
  bool on_disk() const { return out_ != nullptr; }
  int64_t written_bytes() const;

 private:
  std::string NameFor(const RowPosition& row) const;
  arrow::Status Begin(const arrow::Table& first_rows);
  arrow::Status Fail(const arrow::Status& status) const;
  std::shared_ptr<const arrow::KeyValueMetadata> FooterMetadata() const;

  FileSystem* const files_;
  ParquetEncoding* const encoding_;
  const std::string directory_;
  const std::shared_ptr<const TableSchema> table_;
  const std::string source_;
  const Rows kind_;
  const std::shared_ptr<arrow::Schema> stored_schema_;
  RowBuffer buffer_;
  RowPosition first_row_;
  RowPosition last_row_;
  std::optional<RowPosition> emptied_;
  int64_t rows_ = 0;  // all that were added
  int64_t finished_bytes_ = 0;
  std::string temporary_path_;
  std::shared_ptr<WritableFile> out_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
};

// Errors: kSink naming the file when it is not a whole Parquet file of this sink.
arrow::Result<ParquetFooter> ReadParquetFooter(FileSystem& files, const std::string& path);

}  // namespace arrowcdc
