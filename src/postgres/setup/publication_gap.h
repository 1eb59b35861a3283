// A publication that was dropped and made again after its slot: decoding looks it up as of each change, so
// that the slot cannot pass the changes between. Finds them, and the ways on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "src/postgres/client/connection.h"
#include "src/postgres/setup/setup_plan.h"

namespace arrowcdc::postgres {

struct PublicationGap {
  uint64_t first_lost = 0;     // LSN of the first change that cannot be decoded
  uint64_t readable_from = 0;  // what commits after it can be
  bool some_before = false;    // changes before the gap wait in the slot, and can be decoded
  // Publications that were there all the time and publish all the tables: with them nothing is lost.
  std::vector<std::string> survivors;
};

// nullopt: none was found. Only the first of what the slot holds is tried, for some seconds, and nothing of
// it is consumed. Needs a free slot to find `readable_from` closely; without one it is the end of the WAL.
// `names`: the publications to stream; `tables`: what must be published.
arrow::Result<std::optional<PublicationGap>> FindPublicationGap(Connection& connection,
                                                                const Inspection& inspected,
                                                                const std::vector<std::string>& names,
                                                                const std::vector<TableName>& tables);

// Publications that publish all of `tables`, by the same names as with `via_root`, and with which what the
// slot holds can be decoded, as far as was tried; except those in `names`.
arrow::Result<std::vector<std::string>> FindSurvivors(Connection& connection, const Inspection& inspected,
                                                      const std::vector<std::string>& names,
                                                      const std::vector<TableName>& tables, bool via_root);

// The error that says what is lost and what to do.
arrow::Status GapError(const PublicationGap& gap, const std::string& publication, const std::string& slot);

}  // namespace arrowcdc::postgres
