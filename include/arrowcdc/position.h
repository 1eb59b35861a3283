// Positions in a source. Only the source makes them and knows what order means (PostgreSQL: an LSN, and the
// epoch is the timeline); everybody else compares them, and stores them whole.
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
  std::string kind;  // "postgresql", "mysql", "mariadb"
  std::string id;    // PostgreSQL: system identifier, decimal; the others: see docs/mysql.md
  bool operator==(const SourceId&) const = default;
};

// The stream a sink is opened for, stored with the data. Source and slot are its identity: a sink refuses
// another one. The rest is memory, for people and for warnings.
struct StreamIdentity {
  SourceId source;
  std::string database;  // as it is called now
  std::string slot;
  std::vector<std::string> publications;
  std::vector<std::string> patterns;  // of tables; empty: all
  std::string plugin{};               // who decodes, where columns look different by it; empty: not known
};

// Everything that ends at or before `order` in `epoch`. The source raises the epoch where order may run
// backwards, as when another server takes over.
struct Position {
  uint32_t epoch = 0;
  uint64_t order = 0;
  // What else the source needs to go on from here, its own text (MySQL: the set of GTIDs). Part of what is
  // stored, and of no comparison.
  std::string token{};

  std::strong_ordering operator<=>(const Position& other) const {
    const auto by_epoch = epoch <=> other.epoch;
    return by_epoch != 0 ? by_epoch : order <=> other.order;
  }
  bool operator==(const Position& other) const { return epoch == other.epoch && order == other.order; }
};

// Identifies a row and orders all rows of a source, over its epochs too: (_commit_lsn, _lsn, _ord).
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
