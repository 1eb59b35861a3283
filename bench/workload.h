// What is written and measured: sizes, transactions, transports, and who takes part.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/table.h"

namespace arrowcdc::bench {

// Rows written before they are read: the time to drain them counts.
struct BacklogWorkload {
  std::string name;
  const Table* table;
  bool tcp;
  int64_t rows;  // changes
  int64_t rows_per_transaction;
  int rounds_max;  // 0: as many as asked for
  std::vector<std::string> contenders;

  int64_t transactions() const { return rows / rows_per_transaction; }
  // Writes all rows. One statement, outside a transaction block.
  std::string LoadSql() const;
};

// Transactions at a steady rate while they are read: the time from commit to reader counts.
struct PacedWorkload {
  std::string name;
  int rate;  // transactions a second
  int seconds;
  std::vector<std::string> contenders;
};

struct TpcbWorkload {
  std::string name = "tpcb";
  int scale = 10;
  int seconds;
  std::vector<std::string> contenders;
};

// pgbench's TPC-B at a steady rate while its changes are streamed, or those of another table: processor time
// of walsender and client counts.
struct LiveWorkload {
  std::string name;
  int rate;      // transactions a second
  bool foreign;  // in another database than the one that is streamed
  int seconds;
  std::vector<std::string> contenders;
};

// TPC-B without a limit in another database than the one that is streamed, by so many streams that have
// nothing to do: the rate to that without them counts.
struct IdleStreamsWorkload {
  std::string name = "idle_streams";
  int streams = 8;
  int seconds;
  std::vector<std::string> contenders;
};

// Workloads that stand beside each other and use one table share what was written.
std::vector<BacklogWorkload> BacklogWorkloads(bool quick);
std::vector<PacedWorkload> PacedWorkloads(bool quick);
TpcbWorkload MakeTpcbWorkload(bool quick);
std::vector<LiveWorkload> LiveWorkloads(bool quick);
IdleStreamsWorkload MakeIdleStreamsWorkload(bool quick);

}  // namespace arrowcdc::bench
