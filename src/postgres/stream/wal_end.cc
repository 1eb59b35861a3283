// See wal_end.h. Page headers: XLogPageHeaderData and XLogLongPageHeaderData of access/xlog_internal.h.
#include "src/postgres/stream/wal_end.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace arrowcdc::postgres {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr uint64_t kPageHeaderBytes = 24;
constexpr uint64_t kSegmentHeaderBytes = 40;  // of a segment's first page
constexpr milliseconds kFlushWaitMax{1000};
constexpr milliseconds kAskInterval{5};

}  // namespace

uint64_t EndForm(uint64_t lsn, const WalGeometry& geometry) {
  const uint64_t in_page = lsn % geometry.page_bytes;
  const bool first_page = lsn % geometry.segment_bytes < geometry.page_bytes;
  return in_page <= (first_page ? kSegmentHeaderBytes : kPageHeaderBytes) ? lsn - in_page : lsn;
}

arrow::Result<WalEnd> ReadWalEnd(Connection& connection) {
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult now,
      connection.Query("SELECT r, CASE WHEN r THEN pg_catalog.pg_last_wal_replay_lsn() "
                       "ELSE pg_catalog.pg_current_wal_insert_lsn() END, "
                       "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_block_size'), "
                       "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size'), "
                       "(SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay') "
                       "FROM (SELECT pg_catalog.pg_is_in_recovery() AS r) AS s"));
  WalGeometry geometry;
  ARROW_ASSIGN_OR_RAISE(const uint64_t position, now.Lsn(0, 1));
  ARROW_ASSIGN_OR_RAISE(geometry.page_bytes, now.Int(0, 2));
  ARROW_ASSIGN_OR_RAISE(geometry.segment_bytes, now.Int(0, 3));
  ARROW_ASSIGN_OR_RAISE(const int64_t writer_delay_ms, now.Int(0, 4));
  const uint64_t end = EndForm(position, geometry);
  if (now.Bool(0, 0)) return WalEnd{end, true};
  const auto deadline = Clock::now() + std::min(3 * milliseconds(writer_delay_ms), kFlushWaitMax);
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const QueryResult asked,
                          connection.Query("SELECT pg_catalog.pg_current_wal_flush_lsn()"));
    ARROW_ASSIGN_OR_RAISE(const uint64_t flushed, asked.Lsn(0, 0));
    if (flushed >= end) return WalEnd{end, true};
    if (Clock::now() >= deadline) return WalEnd{flushed, false};
    std::this_thread::sleep_for(kAskInterval);
  }
}

}  // namespace arrowcdc::postgres
