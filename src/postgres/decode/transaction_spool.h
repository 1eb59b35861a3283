// Where decoders keep what comes of transactions in progress until they end. A source has files for it; no
// I/O of its own here.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string_view>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// One thread. Records of a transaction come back in order and byte for byte. Errors: of the storage; nothing
// of what is kept may be used further.
class TransactionSpool {
 public:
  class Reader {
   public:
    virtual ~Reader() = default;
    // The next record, whose bytes begin at a multiple of 64 in memory; null behind the last.
    virtual arrow::Result<std::shared_ptr<arrow::Buffer>> Next() = 0;
  };

  virtual ~TransactionSpool() = default;

  // The parts, one behind the other, as one record.
  virtual arrow::Status Append(uint32_t xid, std::initializer_list<std::string_view> parts) = 0;
  // From the first record on; until Drop, and without an Append to the same transaction.
  virtual arrow::Result<std::unique_ptr<Reader>> Read(uint32_t xid) = 0;
  virtual void Drop(uint32_t xid) = 0;
};

// What a decoder does with transactions in progress.
struct InProgress {
  TransactionSpool* spool = nullptr;                        // outlives the decoder; null: none may come
  std::function<bool(const TableName&)> matches = nullptr;  // whose rows are kept; null: all
  // Is told, when a transaction has committed, of its rows that were not.
  std::function<void(const TableName&, uint64_t rows)> passed_over = nullptr;
};

}  // namespace arrowcdc
