// TABLE_MAP_EVENT: what the rows events behind it mean. With binlog_row_metadata=FULL it says of the columns
// all that reading their values needs ("Table_map_event" in the documentation of MySQL's sources).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/mysql/decode/flavor.h"

namespace arrowcdc::mysql {

// Of a column, as the protocol numbers them ("enum_field_types").
enum class FieldType : uint8_t {
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kTimestamp = 7,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kTime = 11,
  kDatetime = 12,
  kYear = 13,
  kNewDate = 14,
  kVarchar = 15,
  kBit = 16,
  kTimestamp2 = 17,
  kDatetime2 = 18,
  kTime2 = 19,
  kBlobCompressed = 140,     // MariaDB
  kVarcharCompressed = 141,  // MariaDB
  kVector = 242,
  kJson = 245,
  kNewDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kBlob = 252,
  kVarString = 253,
  kString = 254,
  kGeometry = 255,
};

inline constexpr uint32_t kBinaryCollation = 63;

struct MapColumn {
  FieldType type = FieldType::kTiny;  // of kString with one of its two disguises: kEnum or kSet
  uint16_t length = 0;   // kString, kVarchar: bytes at most; kEnum, kSet: of a value; others: bytes of the
                         // length in front; kNewDecimal: digits; kBit: bits
  uint8_t decimals = 0;  // kNewDecimal; of a second, of the temporal types that end with 2
  std::string name = {};
  bool is_unsigned = false;
  uint32_t collation = 0;                // 0: has none
  std::vector<std::string> labels = {};  // kEnum, kSet; in the column's character set
  bool is_invisible = false;
  uint32_t key_place = 0;  // in the primary key, from 1; 0: not in it
  uint32_t dimension = 0;  // kVector; 0: not said
};

struct TableMap {
  TableName name = {};
  std::vector<MapColumn> columns = {};
};

// The beginning, which says whose map it is.
struct TableMapHead {
  uint64_t table_id = 0;
  TableName name = {};
  uint64_t columns_at = 0;  // offset in the body of what describes the columns
};

// Errors: kProtocol.
arrow::Result<TableMapHead> ReadTableMapHead(std::span<const uint8_t> body);

// All of it. Errors: kProtocol; kServerSetting where the columns' names are missing, which only FULL metadata
// has; kUnsupported, by column, where a type's numbers cannot be read.
arrow::Result<TableMap> ReadTableMap(std::span<const uint8_t> body, Flavor flavor);

}  // namespace arrowcdc::mysql
