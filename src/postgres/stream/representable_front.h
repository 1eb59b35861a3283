// Under --unrepresentable error: what of a group stands in front of the transaction that has such a value.
// Between the tables of a group there is no order, so its rest is looked through before the error. Pure.
#pragma once

#include <optional>
#include <set>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc::postgres {

class RepresentableFront {
 public:
  // What there is to deliver of the next event; a group in which such a value was found does not end. Errors:
  // CheckRepresentable's, where nothing in front of it is left.
  arrow::Result<std::optional<Event>> Take(Event event);
  // The same error, as soon as that is so.
  arrow::Status ended() const { return complete_ ? found_ : arrow::Status::OK(); }

 private:
  arrow::Result<std::optional<Event>> TakeBatch(ChangeBatch batch);

  arrow::Status found_;
  uint64_t commit_lsn_ = 0;     // of the first transaction that has one
  std::set<TableName> tables_;  // that had rows since
  bool complete_ = false;       // all in front of it has come
};

}  // namespace arrowcdc::postgres
