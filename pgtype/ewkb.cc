// One walk over the geometry and what it consists of.
#include "pgtype/ewkb.h"

#include <stdio.h>
#include <string.h>

namespace arrowcdc::pgtype {

namespace {

constexpr uint32_t kHasZ = 0x80000000;
constexpr uint32_t kHasM = 0x40000000;
constexpr uint32_t kHasSrid = 0x20000000;
constexpr uint32_t kFlags = kHasZ | kHasM | kHasSrid;
constexpr int kDepthMax = 200;  // PostGIS's own

class Walk {
 public:
  Walk(const char* ewkb, size_t size, char* wkb) : at_(ewkb), end_(ewkb + size), out_(wkb) {}

  EwkbOutcome Geometry(int32_t column_srid, int depth) {
    if (depth == kDepthMax) return EwkbOutcome::kUnknown;
    const char* const byte_order = at_;
    if (!Copy(1) || static_cast<uint8_t>(*byte_order) > 1) return EwkbOutcome::kFault;
    big_endian_ = *byte_order == 0;
    uint32_t type;
    if (!Take(&type)) return EwkbOutcome::kFault;
    if ((type & kHasSrid) != 0) {
      uint32_t srid;
      if (!Take(&srid)) return EwkbOutcome::kFault;
      if (srid != 0 && static_cast<int32_t>(srid) != column_srid) return EwkbOutcome::kOtherSrid;
    }
    Put((type & ~kFlags) + ((type & kHasZ) != 0 ? 1000 : 0) + ((type & kHasM) != 0 ? 2000 : 0));
    const int64_t point_bytes = 16 + ((type & kHasZ) != 0 ? 8 : 0) + ((type & kHasM) != 0 ? 8 : 0);
    return Content(type & ~kFlags, point_bytes, column_srid, depth);
  }

  bool AtEnd() const { return at_ == end_; }
  const char* at() const { return at_; }
  const char* out() const { return out_; }

 private:
  EwkbOutcome Content(uint32_t type, int64_t point_bytes, int32_t column_srid, int depth) {
    switch (type) {
      case 1:  // a point
        return Copy(point_bytes) ? EwkbOutcome::kWkb : EwkbOutcome::kFault;
      case 2:  // points: line string, circular string
      case 8:
        return Points(point_bytes) ? EwkbOutcome::kWkb : EwkbOutcome::kFault;
      case 3:  // rings of points: polygon, triangle
      case 17:
        return Rings(point_bytes) ? EwkbOutcome::kWkb : EwkbOutcome::kFault;
      case 4:  // geometries: the multi ones, collection, curves of several, surfaces
      case 5:
      case 6:
      case 7:
      case 9:
      case 10:
      case 11:
      case 12:
      case 15:
      case 16:
        return Geometries(column_srid, depth);
      default:
        return EwkbOutcome::kUnknown;
    }
  }

  bool Points(int64_t point_bytes) {
    uint32_t count;
    return CopyCount(&count) && Copy(count * point_bytes);
  }

  bool Rings(int64_t point_bytes) {
    uint32_t count;
    if (!CopyCount(&count)) return false;
    for (uint32_t i = 0; i < count; ++i) {
      if (!Points(point_bytes)) return false;
    }
    return true;
  }

  EwkbOutcome Geometries(int32_t column_srid, int depth) {
    uint32_t count;
    if (!CopyCount(&count)) return EwkbOutcome::kFault;
    for (uint32_t i = 0; i < count; ++i) {
      const EwkbOutcome outcome = Geometry(column_srid, depth + 1);
      if (outcome != EwkbOutcome::kWkb) return outcome;
    }
    return EwkbOutcome::kWkb;
  }

  // In the geometry's byte order.
  bool Take(uint32_t* number) {
    if (end_ - at_ < static_cast<int64_t>(sizeof(*number))) return false;
    memcpy(number, at_, sizeof(*number));
    if (big_endian_) *number = __builtin_bswap32(*number);
    at_ += sizeof(*number);
    return true;
  }
  void Put(uint32_t number) {
    if (big_endian_) number = __builtin_bswap32(number);
    memcpy(out_, &number, sizeof(number));
    out_ += sizeof(number);
  }
  bool CopyCount(uint32_t* count) {
    if (!Take(count)) return false;
    Put(*count);
    return true;
  }
  // What is written is never ahead of what was read.
  bool Copy(int64_t bytes) {
    if (end_ - at_ < bytes) return false;
    memcpy(out_, at_, static_cast<size_t>(bytes));
    at_ += bytes;
    out_ += bytes;
    return true;
  }

  const char* at_;
  const char* end_;
  char* out_;
  bool big_endian_ = false;
};

}  // namespace

EwkbOutcome EwkbToWkb(const char* ewkb, size_t ewkb_size, int32_t srid, char* wkb, size_t* size,
                      const char** fault_at) {
  Walk walk(ewkb, ewkb_size, wkb);
  EwkbOutcome outcome = walk.Geometry(srid, 0);
  if (outcome == EwkbOutcome::kWkb && !walk.AtEnd()) outcome = EwkbOutcome::kFault;
  *size = static_cast<size_t>(walk.out() - wkb);
  *fault_at = walk.at();
  return outcome;
}

// 21 bits with a sign, above eight bits of type and dimensions.
int32_t GeometrySrid(int32_t modifier) {
  return modifier < 0 ? 0 : ((modifier & 0x0fffff00) - (modifier & 0x10000000)) >> 8;
}

void WriteGeometryMetadata(int32_t srid, bool geography, char (&out)[kGeometryMetadataBytes]) {
  char crs[48] = "";
  if (srid > 0) snprintf(crs, sizeof(crs), R"("crs": "%d", "crs_type": "srid")", srid);
  const char* const edges = geography ? R"("edges": "spherical")" : "";
  const bool both = crs[0] != '\0' && edges[0] != '\0';
  const bool none = crs[0] == '\0' && edges[0] == '\0';
  snprintf(out, sizeof(out), "%s%s%s%s%s", none ? "" : "{", crs, both ? ", " : "", edges, none ? "" : "}");
}

}  // namespace arrowcdc::pgtype
