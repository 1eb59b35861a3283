// Who is compared: each contender's plugin, its options, and how its bytes are read.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arrowcdc/source.h"

namespace arrowcdc::bench {

// How a contender is read.
enum class Reader {
  kPgoutput,
  kTestDecoding,
  kWal2json,
  kWal2jsonArrow,  // parsed to columns
  kDecoderbufs,
  kNoop,
  kRecvlogical,  // PostgreSQL's own pg_recvlogical, to /dev/null
  kSqlPeek,      // pg_logical_slot_peek_binary_changes: no walsender
  kCopy,         // no logical decoding at all
  kSource,       // our client library; batches are dropped
  kPipeline,     // our client library; batches go to a Parquet sink
  kAbsent,       // cannot be run here: `absent` says why
};

struct Contender {
  std::string name;
  Reader reader;
  std::string plugin{};                                        // empty: needs no slot
  std::vector<std::pair<std::string, std::string>> options{};  // of START_REPLICATION
  SourceOptions source{};                                      // of our client library, its switches
  std::string absent;
  bool downloaded = false;  // takes part only when asked for
};

inline constexpr char kPublication[] = "arrowcdc_bench";

const std::vector<Contender>& Contenders();
const Contender* FindContender(std::string_view name);

}  // namespace arrowcdc::bench
