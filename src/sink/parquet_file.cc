// See parquet_file.h.
#include "src/sink/parquet_file.h"

#include <charconv>
#include <cstdio>

#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>
#include <parquet/properties.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/sink/manifest.h"
#include "src/sink/parquet_types.h"
#include "src/sink/storage_names.h"

namespace arrowcdc {
namespace {

constexpr char kSchemaKey[] = "arrowcdc:schema";
constexpr char kTableKey[] = "arrowcdc:table";
constexpr char kOidKey[] = "arrowcdc:oid";
constexpr char kReplicaIdentityKey[] = "arrowcdc:replica_identity";
constexpr char kVersionKey[] = "arrowcdc:version";
constexpr char kFirstRowKey[] = "arrowcdc:first_row";
constexpr char kLastRowKey[] = "arrowcdc:last_row";
constexpr char kEmptiedKey[] = "arrowcdc:emptied";

std::string Hex(uint64_t value) {
  char digits[17];
  std::snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(value));
  return digits;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

arrow::Result<RowPosition> ParseRowPosition(std::string_view text) {
  const size_t first = text.find(' ');
  const size_t second = first == std::string_view::npos ? first : text.find(' ', first + 1);
  if (second == std::string_view::npos) return arrow::Status::Invalid("not a row position");
  RowPosition position;
  ARROW_ASSIGN_OR_RAISE(position.commit_lsn, ParseLsn(text.substr(0, first)));
  ARROW_ASSIGN_OR_RAISE(position.lsn, ParseLsn(text.substr(first + 1, second - first - 1)));
  if (!ParseNumber(text.substr(second + 1), &position.ord))
    return arrow::Status::Invalid("not a row position");
  return position;
}

std::shared_ptr<parquet::ArrowWriterProperties> ArrowProperties() {
  static const auto properties = parquet::ArrowWriterProperties::Builder().store_schema()->build();
  return properties;
}

arrow::Status BadFile(const std::string& path, const std::string& why) {
  return MakeError(ErrorKind::kSink, path + " is not a whole file of this sink: " + why, path,
                   "restore the file from a copy; it is not safe to go on without it, because it says which "
                   "rows are stored");
}

arrow::Result<ParquetFooter> FooterFrom(const arrow::KeyValueMetadata& metadata) {
  ParquetFooter footer;
  ARROW_ASSIGN_OR_RAISE(footer.table.schema, metadata.Get(kSchemaKey));
  ARROW_ASSIGN_OR_RAISE(footer.table.table, metadata.Get(kTableKey));
  ARROW_ASSIGN_OR_RAISE(const std::string oid, metadata.Get(kOidKey));
  if (!ParseNumber(oid, &footer.table_id)) return arrow::Status::Invalid("its relation OID is no number");
  footer.replica_identity = ParseReplicaIdentity(metadata.Get(kReplicaIdentityKey).ValueOr(""));
  ARROW_ASSIGN_OR_RAISE(const std::string version, metadata.Get(kVersionKey));
  // Version 1 has the version of the program here.
  if (!ParseNumber(version, &footer.version)) footer.version = 1;
  ARROW_ASSIGN_OR_RAISE(const std::string first, metadata.Get(kFirstRowKey));
  ARROW_ASSIGN_OR_RAISE(const std::string last, metadata.Get(kLastRowKey));
  ARROW_ASSIGN_OR_RAISE(footer.first_row, ParseRowPosition(first));
  ARROW_ASSIGN_OR_RAISE(footer.last_row, ParseRowPosition(last));
  if (const auto emptied = metadata.Get(kEmptiedKey); emptied.ok()) {
    ARROW_ASSIGN_OR_RAISE(footer.emptied, ParseRowPosition(*emptied));
  }
  return footer;
}

}  // namespace

ParquetFile::ParquetFile(FileSystem* files, ParquetEncoding* encoding, std::string directory,
                         std::shared_ptr<const TableSchema> table, const StreamIdentity& stream, Rows kind)
    : files_(files),
      encoding_(encoding),
      directory_(std::move(directory)),
      table_(std::move(table)),
      source_(stream.source.kind + " " + stream.source.id),
      kind_(kind),
      stored_schema_(StoredSchema(*table_->schema)) {}

ParquetFile::~ParquetFile() {
  // The writer would put a footer under what is not complete.
  if (out_ != nullptr) (void)out_->Abort();
}

arrow::Status ParquetFile::Add(std::shared_ptr<arrow::RecordBatch> rows, const RowPosition& first,
                               const RowPosition& last) {
  if (rows_ == 0) first_row_ = first;
  last_row_ = last;
  rows_ += rows->num_rows();
  if (rows->num_rows() == 1) {  // a truncation comes alone
    ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*table_, *rows));
    if (changes.op(0) == Op::kTruncate) emptied_ = first;
  }
  return buffer_.Add(std::move(rows));
}

std::string ParquetFile::NameFor(const RowPosition& row) const {
  return kind_ == Rows::kSnapshot ? SnapshotFileName(row) : DataFileName(row);
}

std::string ParquetFile::name() const { return NameFor(last_row_); }

arrow::Status ParquetFile::Begin(const arrow::Table& first_rows) {
  ARROW_ASSIGN_OR_RAISE(const auto properties, encoding_->ForFile(table_->name, first_rows));
  temporary_path_ = JoinPath(directory_, HiddenFileName(NameFor(first_row_)));
  ARROW_ASSIGN_OR_RAISE(out_, files_->Create(temporary_path_));
  auto writer = parquet::arrow::FileWriter::Open(*stored_schema_, arrow::default_memory_pool(), out_,
                                                 properties, ArrowProperties());
  if (!writer.ok()) return Fail(writer.status());
  writer_ = std::move(*writer);
  return arrow::Status::OK();
}

arrow::Status ParquetFile::WriteRowGroup(RowBuffer buffer) {
  if (buffer.rows() == 0) return arrow::Status::OK();
  const int64_t rows = buffer.rows();
  ARROW_ASSIGN_OR_RAISE(auto batches, buffer.Take());
  std::vector<std::shared_ptr<arrow::ChunkedArray>> columns;
  for (int i = 0; i < stored_schema_->num_fields(); ++i) {
    const auto& type = stored_schema_->field(i)->type();
    arrow::ArrayVector chunks;
    for (const auto& batch : batches) {
      ARROW_ASSIGN_OR_RAISE(auto chunk, ToStored(batch->column(i), type));
      chunks.push_back(std::move(chunk));
    }
    columns.push_back(std::make_shared<arrow::ChunkedArray>(std::move(chunks), type));
  }
  const auto table = arrow::Table::Make(stored_schema_, std::move(columns), rows);
  if (out_ == nullptr) ARROW_RETURN_NOT_OK(Begin(*table));
  const auto status = writer_->WriteTable(*table, rows);
  return status.ok() ? status : Fail(status);
}

arrow::Status ParquetFile::Finish() {
  ARROW_RETURN_NOT_OK(WriteRowGroup());
  if (const auto status = writer_->AddKeyValueMetadata(FooterMetadata()); !status.ok()) return Fail(status);
  if (const auto status = writer_->Close(); !status.ok()) return Fail(status);
  finished_bytes_ = written_bytes();
  writer_.reset();
  ARROW_RETURN_NOT_OK(out_->Sync());
  return out_->Close();
}

arrow::Status ParquetFile::Publish() {
  const std::string path = this->path();
  ARROW_ASSIGN_OR_RAISE(const PathKind kind, files_->Kind(path));
  if (kind != PathKind::kAbsent) {
    return MakeError(ErrorKind::kInternal, path + " exists already: rows that are stored came a second time",
                     path, "report this; nothing was overwritten");
  }
  ARROW_RETURN_NOT_OK(files_->Rename(temporary_path_, path));
  return files_->SyncDirectory(directory_);
}

int64_t ParquetFile::written_bytes() const { return out_ == nullptr ? 0 : out_->Tell().ValueOr(0); }

arrow::Status ParquetFile::Fail(const arrow::Status& status) const {
  return StorageError("write", temporary_path_, status);
}

std::shared_ptr<const arrow::KeyValueMetadata> ParquetFile::FooterMetadata() const {
  auto metadata = arrow::key_value_metadata(
      {{kSchemaKey, table_->name.schema},
       {kTableKey, table_->name.table},
       {kOidKey, std::to_string(table_->table_id)},
       {kReplicaIdentityKey, std::string(1, ReplicaIdentityLetter(table_->replica_identity))},
       {"arrowcdc:fingerprint", Hex(table_->fingerprint)},
       {"arrowcdc:source", source_},
       {kFirstRowKey, FormatRowPosition(first_row_)},
       {kLastRowKey, FormatRowPosition(last_row_)},
       {kVersionKey, std::to_string(kStorageVersion)}});
  if (emptied_.has_value()) metadata->Append(kEmptiedKey, FormatRowPosition(*emptied_));
  return metadata;
}

arrow::Result<ParquetFooter> ReadParquetFooter(FileSystem& files, const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(auto input, files.OpenForReading(path));
  std::shared_ptr<parquet::FileMetaData> metadata;
  try {
    metadata = parquet::ReadMetaData(input);
  } catch (const parquet::ParquetException& error) {
    return BadFile(path, error.what());
  }
  if (metadata->key_value_metadata() == nullptr) return BadFile(path, "it has no arrowcdc metadata");
  auto footer = FooterFrom(*metadata->key_value_metadata());
  if (!footer.ok()) return BadFile(path, footer.status().message());
  return footer;
}

}  // namespace arrowcdc
