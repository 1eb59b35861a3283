// One version of a table: its schema, how its row images are read, and the rows that are held.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/error.h"
#include "src/change/batch_builder.h"
#include "src/mysql/decode/column_reader.h"
#include "src/mysql/decode/row_decoder.h"
#include "src/mysql/decode/rows_event.h"
#include "src/mysql/decode/table_map.h"
#include "src/mysql/decode/type_table.h"

namespace arrowcdc::mysql {

// The schema that rows of the table have. Errors: as TableRows::Make.
arrow::Result<std::shared_ptr<const TableSchema>> SchemaOf(const TableMap& map, TypeChoices choices);

// One thread.
class TableRows {
 public:
  using Generated = std::function<arrow::Result<std::set<std::string>>(const TableName&)>;
  // generated: as RowDecoderOptions has it. batch_bytes_max: where a batch ends also in the middle of an
  // event. Errors: kUnsupported, by column; kProtocol where the map contradicts itself.
  static arrow::Result<std::unique_ptr<TableRows>> Make(
      const TableMap& map, TypeChoices choices, arrow::MemoryPool* pool, Generated generated = {},
      int64_t batch_bytes_max = BatchBuilder::kBatchBytesMax);

  // The rows of an event of this table, whose `rows` are not compressed. Errors: as RowDecoder::AddRows;
  // there are as many rows as before then.
  arrow::Status Add(const RowsEvent& event, const RowContext& context);

  int64_t rows() const { return finished_rows_ + builder_->rows(); }
  int64_t bytes() const { return finished_bytes_ + builder_->bytes(); }
  // What is held, if anything.
  arrow::Status Finish(std::vector<ChangeBatch>* batches);

 private:
  // The columns that an image carries.
  struct Image {
    std::vector<bool> has = {};
    std::vector<int> columns = {};
    size_t null_bytes = 0;
    uint8_t last_bits = 0;  // those of the last of these bytes that mean a column; MariaDB sets the others
    bool HasNulls(const uint8_t* nulls) const {
      uint8_t all = 0;
      for (size_t i = 0; i + 1 < null_bytes; ++i) all |= nulls[i];
      return (all | (nulls[null_bytes - 1] & last_bits)) != 0;
    }
    bool is_full() const { return columns.size() == has.size(); }
  };
  // Where a column of the old image is.
  struct Place {
    bool is_there = false;
    const uint8_t* at = nullptr;  // null: the value is
  };

  TableRows(std::unique_ptr<BatchBuilder> builder, Generated generated, int64_t batch_bytes_max)
      : builder_(std::move(builder)), generated_(std::move(generated)), batch_bytes_max_(batch_bytes_max) {}
  arrow::Status SetImage(std::span<const uint8_t> bits, Image* image) const;
  arrow::Status SetImages(const RowsEvent& event);
  arrow::Status FindLost();
  arrow::Status AddAll(const RowsEvent& event, const RowContext& context);
  arrow::Status EndRow(Op op, uint64_t number);
  arrow::Status FinishBuilder();

  const uint8_t* ReadOne(int field, const uint8_t* at);
  const uint8_t* TakeFormless(int field);
  const uint8_t* ReadImage(const Image& image, const uint8_t* at, bool keep_places);
  const uint8_t* ReadUpdated(const uint8_t* at, bool is_partial);
  bool FillAbsent();
  const uint8_t* ReadPartialBits(const uint8_t* at);
  const uint8_t* ReadDifference(int field, const uint8_t* at);
  const uint8_t* Fail(int field, ErrorKind kind, const char* what, const char* remedy = "");
  arrow::Status Failure(const RowsEvent& event, const uint8_t* at) const;
  std::string object() const { return "table " + ToString(builder_->table().name); }

  std::unique_ptr<BatchBuilder> builder_;
  const Generated generated_;
  const int64_t batch_bytes_max_;
  std::vector<ColumnStep> steps_;
  std::vector<ColumnBuilder*> columns_;  // of builder_
  std::vector<bool> is_json_;
  struct Kind {
    bool is_key = false;
    bool is_blob = false;  // or may be: a NOBLOB image leaves it out
  };
  std::vector<Kind> kinds_;
  bool leaves_generated_out_ = false;
  size_t json_columns_ = 0;
  std::vector<ChangeBatch> finished_;
  int64_t finished_rows_ = 0;
  int64_t finished_bytes_ = 0;

  // Of the event that is being read.
  Image before_;
  Image after_;
  RowInput input_;
  RowMetadata row_;
  std::vector<Place> places_;
  std::vector<bool> is_lost_;        // not in the new image, and may be other than in the old one
  std::vector<bool> is_difference_;  // of the row: the column's new value is
  // What was met where a read has returned null.
  int failed_field_ = -1;
  ErrorKind failed_kind_ = ErrorKind::kProtocol;
  const char* failed_what_ = "";
  const char* failed_remedy_ = "";
};

}  // namespace arrowcdc::mysql
