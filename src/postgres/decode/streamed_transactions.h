// The transactions in progress of one session: which block is open, what of them is kept, what of that counts
// when they commit. What their bytes mean is the decoder's.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/transaction_spool.h"

namespace arrowcdc {

class StreamedTransactions {
 public:
  explicit StreamedTransactions(InProgress options) : options_(std::move(options)) {}

  // False: none may come.
  bool allowed() const { return options_.spool != nullptr; }
  bool Matches(const TableName& table) const { return !options_.matches || options_.matches(table); }

  // --- as it comes ---

  // Blocks of several transactions come one after another. Only where none is open.
  void BeginBlock(uint32_t xid);
  void EndBlock() { open_ = nullptr; }
  bool in_block() const { return open_ != nullptr; }
  // Of the block that is open.
  uint32_t xid() const { return xid_; }
  arrow::Status Keep(std::initializer_list<std::string_view> parts) {
    return options_.spool->Append(xid_, parts);
  }
  // Rows that no pattern matches are not kept. Those of a part that aborts later count, too.
  void PassOver(const TableName& table, uint64_t rows) { open_->passed_over[table] += rows; }

  bool knows(uint32_t xid) const { return transactions_.contains(xid); }
  // Whether a part of it was rolled back.
  bool HasAbortedPart(uint32_t xid) const;
  // Of the transaction itself where the two are the same, else of a part of it. One that is not known is
  // ignored.
  void Abort(uint32_t xid, uint32_t subxid);

  // --- when it has committed ---

  // The transaction is known, and no block open. Then its records can be read, until EndReplay.
  arrow::Status BeginReplay(uint32_t xid);
  bool replaying() const { return replay_.reader != nullptr; }
  uint32_t replayed_xid() const { return replay_.xid; }
  // Null behind the last.
  arrow::Result<std::shared_ptr<arrow::Buffer>> NextRecord() { return replay_.reader->Next(); }
  // Whether what that part of it wrote does not count.
  bool IsAborted(uint32_t subxid) const;
  void EndReplay();

 private:
  struct Transaction {
    std::vector<uint32_t> aborted = {};  // sorted when it is replayed
    std::map<TableName, uint64_t> passed_over = {};
  };
  struct Replay {
    uint32_t xid = 0;
    Transaction transaction = {};
    std::unique_ptr<TransactionSpool::Reader> reader = nullptr;
  };

  const InProgress options_;
  std::unordered_map<uint32_t, Transaction> transactions_;
  Transaction* open_ = nullptr;  // whose block it is
  uint32_t xid_ = 0;
  Replay replay_;
};

}  // namespace arrowcdc
