// Where the server's WAL ends: the position at which a stream "until now" is complete.
#pragma once

#include <cstdint>

#include <arrow/result.h>

#include "arrowcdc/postgres.h"
#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

struct WalGeometry {
  uint64_t page_bytes = 8192;
  uint64_t segment_bytes = 16 << 20;
};

// The position as the end of what lies before it. The server tells where its next record begins; just behind
// a page's header nothing ends, what came before ends at the page's start. Pure.
uint64_t EndForm(uint64_t lsn, const WalGeometry& geometry);

// The insert position in end form once it is flushed, which asynchronous commits are within three times
// wal_writer_delay; where that takes longer than this or a second, the flush position. On a standby: what was
// replayed.
arrow::Result<WalEnd> ReadWalEnd(Connection& connection);

}  // namespace arrowcdc::postgres
