// Who is compared: each contender's plugin, its options, and how its bytes are read.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrowcdc/postgres.h"

namespace arrowcdc::bench {

// How a contender is read.
enum class Reader {
  kPgoutput,
  kTestDecoding,
  kWal2jsonV1,       // format 1: a message a transaction
  kWal2jsonV1Arrow,  // parsed to columns
  kWal2json,         // format 2: a message a row
  kWal2jsonArrow,
  kDecoderbufs,
  kNoop,
  kRecvlogical,      // PostgreSQL's own pg_recvlogical, to /dev/null
  kSqlPeek,          // pg_logical_slot_peek_binary_changes: no walsender
  kCopy,             // no logical decoding at all
  kCopySelect,       // the same of a query
  kSnapshot,         // our client library; the rows of the table are copied and dropped
  kSnapshotParquet,  // the same into a Parquet sink
  kSource,           // our client library; batches are dropped
  kPipeline,         // our client library; batches go to a Parquet sink
  kReaders,          // our client library's readers; batches are dropped
  kPython,           // the same through the Python package
  kDebezium,         // Debezium's embedded engine
};

struct Contender {
  std::string name;
  Reader reader;
  std::string plugin{};                                        // empty: needs no slot
  std::vector<std::pair<std::string, std::string>> options{};  // of START_REPLICATION
  PostgresOptions source{};                                    // of our client library, its switches
  bool downloaded = false;                                     // takes part only when asked for
  bool tcp_only = false;                                       // whatever the workload's transport is
  int connections = 1;                                         // that copy at the same time
};

inline constexpr char kPublication[] = "arrowcdc_bench";

const std::vector<Contender>& Contenders();
const Contender* FindContender(std::string_view name);

}  // namespace arrowcdc::bench
