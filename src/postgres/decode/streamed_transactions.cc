// See streamed_transactions.h.
#include "src/postgres/decode/streamed_transactions.h"

#include <algorithm>

namespace arrowcdc {

void StreamedTransactions::BeginBlock(uint32_t xid) {
  xid_ = xid;
  open_ = &transactions_[xid];
}

void StreamedTransactions::Abort(uint32_t xid, uint32_t subxid) {
  const auto found = transactions_.find(xid);
  if (found == transactions_.end()) return;
  if (xid != subxid) {
    found->second.aborted.push_back(subxid);
    return;
  }
  transactions_.erase(found);
  options_.spool->Drop(xid);
}

bool StreamedTransactions::HasAbortedPart(uint32_t xid) const {
  const auto found = transactions_.find(xid);
  return found != transactions_.end() && !found->second.aborted.empty();
}

arrow::Status StreamedTransactions::BeginReplay(uint32_t xid) {
  auto node = transactions_.extract(xid);
  ARROW_ASSIGN_OR_RAISE(replay_.reader, options_.spool->Read(xid));
  replay_.xid = xid;
  replay_.transaction = std::move(node.mapped());
  std::sort(replay_.transaction.aborted.begin(), replay_.transaction.aborted.end());
  return arrow::Status::OK();
}

bool StreamedTransactions::IsAborted(uint32_t subxid) const {
  const auto& aborted = replay_.transaction.aborted;
  return std::binary_search(aborted.begin(), aborted.end(), subxid);
}

void StreamedTransactions::EndReplay() {
  for (const auto& [table, rows] : replay_.transaction.passed_over) {
    if (options_.passed_over) options_.passed_over(table, rows);
  }
  options_.spool->Drop(replay_.xid);
  replay_ = {};
}

}  // namespace arrowcdc
