// The tables of a snapshot as the catalog has them, and the parts that their rows are read in.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/decode/table_map.h"

namespace arrowcdc::mysql {

struct CopyTable {
  TableMap map;  // as the binlog has it, but for labels
  std::shared_ptr<const TableSchema> schema;
  int64_t rows = -1;  // as the server estimates them
  int64_t bytes = 0;
  std::string range_column;  // the first one of the primary key, where it is an integer; else empty
};

// Those of `names` that are there, in their order. Errors: kUnsupported, by table, for storage engines that
// know no point, and by column for types that are not read; those of queries. as_text: as TypeChoices has it.
arrow::Result<std::vector<CopyTable>> ReadCopyTables(Connection& connection,
                                                     const std::vector<TableName>& names, bool as_text);

// Rows of one table: those with from <= range_column < to.
struct CopyPart {
  size_t table = 0;
  uint32_t number = 0;                             // in its table
  std::optional<std::string> from = std::nullopt;  // decimal; none: from the least
  std::optional<std::string> to = std::nullopt;    // none: to the greatest
};

// Of a table of `bytes` whose range_column goes from `least` to `greatest`, in about part_bytes each. Pure.
std::vector<CopyPart> PlanParts(size_t table, int64_t bytes, int64_t part_bytes, const std::string& least,
                                const std::string& greatest);

// The SELECT of a part: all columns in their order.
std::string SelectOf(const CopyTable& table, const CopyPart& part);

// The place of the part's first row, as its _lsn says it: the part's number in 24 bits, from 1 in the rest,
// since 0 is for what stands in front of the rows.
inline constexpr int kPlaceBits = 40;
inline uint64_t FirstPlace(const CopyPart& part) { return (uint64_t{part.number} << kPlaceBits) + 1; }

}  // namespace arrowcdc::mysql
