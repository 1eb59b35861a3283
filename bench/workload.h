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

// Workloads that stand beside each other and use one table share what was written.
std::vector<BacklogWorkload> BacklogWorkloads(bool quick);
std::vector<PacedWorkload> PacedWorkloads(bool quick);
TpcbWorkload MakeTpcbWorkload(bool quick);

}  // namespace arrowcdc::bench
