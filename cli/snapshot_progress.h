// How far the copy of earlier rows is, for people: a bar a table on a terminal, log lines elsewhere, and a
// log line a table.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "arrowcdc/pipeline.h"

namespace arrowcdc::cli {

// From 0 to 1, by bytes in the source, as far as it can be told.
double CopiedShare(const SnapshotProgress& progress);

// Since the copy of a table, or of all, has begun here; zeros: not known yet.
struct CopyRate {
  double rows_per_s = 0;
  double share_per_s = 0;
};

// "3 of 12 tables, 1234567 rows, 45 %, 120000 rows/s, about 30 s left"
std::string DescribeCopy(const SnapshotProgress& progress, const CopyRate& rate);

// "the slot keeps 1.5 GiB of WAL and is lost in about 14 min, deleted rows are kept for 3 min"
std::string DescribeHold(const SnapshotHold& hold);

// "public.orders 60 %, public.lines 10 %", the tables that are being copied; empty: none.
std::string ListCopied(const SnapshotProgress& progress);

// Lines for a terminal: a bar a table that is being copied, a handful at most, and the whole below.
// rates: of progress.tables.
std::vector<std::string> DrawCopy(const SnapshotProgress& progress, const std::vector<CopyRate>& rates,
                                  const CopyRate& rate);

class SnapshotReporter {
 public:
  // log_interval: of lines where there is no terminal.
  SnapshotReporter(const Source& source, std::chrono::milliseconds log_interval)
      : source_(source), log_interval_(log_interval) {}

  void Show(const SnapshotProgress& progress);

 private:
  using Clock = std::chrono::steady_clock;

  // Where a rate is counted from.
  struct Begun {
    Clock::time_point at;
    uint64_t rows = 0;
    double share = 0;
  };

  void Begin(const SnapshotProgress& progress);
  void TellTables(const SnapshotProgress& progress);
  void LogCopy(const SnapshotProgress& progress, const CopyRate& rate);
  std::vector<CopyRate> TableRates(const SnapshotProgress& progress, Clock::time_point now);
  static CopyRate RateSince(const Begun& begun, uint64_t rows, double share, Clock::time_point now);

  const Source& source_;
  const std::chrono::milliseconds log_interval_;
  Position point_;  // of the copy that is shown
  uint64_t copy_ = 0;
  std::vector<bool> told_;                   // by table: that it is complete
  std::vector<std::optional<Begun>> begun_;  // by table: when rows of it were seen first
  Begun all_begun_;
  Clock::time_point last_log_{};
};

}  // namespace arrowcdc::cli
