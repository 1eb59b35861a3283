// Positions in a source. Sinks and the pipeline compare (timeline, order) and store the whole; only the
// source knows what order means (PostgreSQL: an LSN; token is empty there).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc {

// Who the positions belong to.
struct SourceId {
  std::string kind;  // "postgresql"
  std::string id;    // PostgreSQL: system identifier, decimal
  bool operator==(const SourceId&) const = default;
};

// The stream a sink is opened for, stored with the data. Source and slot are its identity: a sink refuses
// another one, and an earlier timeline. The rest is memory, for people and for warnings.
struct StreamIdentity {
  SourceId source;
  uint32_t timeline = 0;
  std::string database;  // as it is called now
  std::string slot;
  std::vector<std::string> publications;
  std::vector<std::string> patterns;  // of tables; empty: all
};

// Everything that ends at or before `order` on `timeline`.
struct Position {
  SourceId source;
  uint32_t timeline = 0;
  uint64_t order = 0;
  std::string token;
};

// Identifies a row and orders all rows of a source: (_commit_lsn, _lsn, _ord).
struct RowPosition {
  uint64_t commit_lsn = 0;
  uint64_t lsn = 0;
  uint16_t ord = 0;
  auto operator<=>(const RowPosition&) const = default;
};

// PostgreSQL's text form of an LSN, "16/B374D848".
std::string FormatLsn(uint64_t lsn);
arrow::Result<uint64_t> ParseLsn(std::string_view text);

}  // namespace arrowcdc
