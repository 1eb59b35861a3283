// PostGIS's EWKB to ISO WKB, which geoarrow.wkb asks producers for. Both lie in the same order; EWKB has the
// reference system in the value, and says in bits what ISO says in numbers (1001 is a point with z).
#pragma once

#include <cstdint>
#include <string_view>

namespace arrowcdc {

enum class EwkbOutcome : uint8_t {
  kWkb,        // written
  kOtherSrid,  // its reference system is another than the column's: in ISO WKB nobody would know which
  kUnknown,    // a geometry of another kind, or too deep
  kFault,
};

// Writes the geometry `ewkb` without its reference system, which the column has: `srid`, 0: none. The result
// is not longer than `ewkb`. *fault_at: where it is not EWKB.
EwkbOutcome EwkbToWkb(std::string_view ewkb, int32_t srid, char* wkb, int64_t* size, const char** fault_at);

}  // namespace arrowcdc
