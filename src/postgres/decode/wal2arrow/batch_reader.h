// The rows of batch frames of one schema. What can be known of a batch from its schema is known beforehand,
// for many batches have one row.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <arrow/type.h>

#include "src/change/metadata_columns.h"

namespace arrowcdc {

struct CheckedBatch {
  arrow::ArrayVector columns;
  Cells repaired;  // text that was not UTF-8 and is null now
};

class BatchReader {
 public:
  BatchReader() = default;
  // schema: as ReadSchemaPayload gives it.
  explicit BatchReader(std::shared_ptr<arrow::Schema> schema);

  // Reads the one record batch message that fills `payload`; each column is fully validated, and repaired
  // where nothing but text is wrong. Buffers are slices of the payload, except those that are not aligned for
  // their type and compressed ones, which are in memory of `pool`: to `bytes_max` at most. Errors:
  // Status::Invalid with the reason; it holds no values.
  arrow::Result<CheckedBatch> Read(const std::shared_ptr<arrow::Buffer>& payload, int64_t rows,
                                   int64_t bytes_max, arrow::MemoryPool* pool) const;

  // The columns where the message is of the usual form: nothing compressed, aligned, its numbers plainly
  // good. They are those that Arrow's reader gives, not validated either. nullopt says nothing: Arrow is
  // asked then.
  std::optional<arrow::ArrayVector> ReadPlain(const std::shared_ptr<arrow::Buffer>& payload,
                                              int64_t rows) const;

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }

 private:
  // A field or a child of one, in the order of the message.
  struct Node {
    std::shared_ptr<arrow::DataType> type;
    int buffers;   // the bitmap of nulls is the first
    int children;  // right behind it, each with its own
  };
  struct Message;

  void AddNodes(const std::shared_ptr<arrow::DataType>& type);
  std::shared_ptr<arrow::ArrayData> ReadNode(Message* message) const;

  std::shared_ptr<arrow::Schema> schema_;
  std::vector<Node> nodes_;
  bool is_plain_ = true;  // every type has its bitmap
};

}  // namespace arrowcdc
