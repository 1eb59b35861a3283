// PostGIS's EWKB to ISO WKB, which geoarrow.wkb asks producers for. Both lie in the same order; EWKB has the
// reference system in the value, and says in bits what ISO says in numbers (1001 is a point with z). Pure:
// libc only, no allocation, no state.
#pragma once

#include <cstddef>
#include <cstdint>

namespace arrowcdc::pgtype {

enum class EwkbOutcome : uint8_t {
  kWkb,        // written
  kOtherSrid,  // its reference system is another than the column's: in ISO WKB nobody would know which
  kUnknown,    // a geometry of another kind, or too deep
  kFault,
};

// Writes the geometry `ewkb` without its reference system, which the column has: `srid`, 0: none. The result
// is not longer than `ewkb`. *fault_at: where it is not EWKB.
EwkbOutcome EwkbToWkb(const char* ewkb, size_t ewkb_size, int32_t srid, char* wkb, size_t* size,
                      const char** fault_at);

// The reference system that a column's modifier names; 0: none.
int32_t GeometrySrid(int32_t modifier);

// ARROW:extension:metadata of geoarrow.wkb, NUL-terminated; empty where there is nothing to say.
inline constexpr size_t kGeometryMetadataBytes = 80;
void WriteGeometryMetadata(int32_t srid, bool geography, char (&out)[kGeometryMetadataBytes]);

}  // namespace arrowcdc::pgtype
