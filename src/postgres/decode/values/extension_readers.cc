// Readers of types of PostgreSQL's extensions, which have their form from there: pgvector, PostGIS.
#include <bit>
#include <charconv>
#include <cmath>
#include <system_error>

#include "pgtype/ewkb.h"
#include "src/postgres/decode/values/hex.h"
#include "src/postgres/decode/values/reader_base.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

// IEEE 754 binary16 to binary32, which holds all of its values.
float HalfToFloat(uint16_t half) {
  const auto sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t exponent = half >> 10 & 0x1f;
  const uint32_t fraction = half & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent != 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
  const float small = std::ldexp(static_cast<float>(fraction), -24);
  return sign != 0 ? -small : small;
}

float LoadElement(uint32_t bits) { return std::bit_cast<float>(bits); }
float LoadElement(uint16_t bits) { return HalfToFloat(bits); }

// How many elements, a number that is 0, then they; Bits: uint32_t of vector, uint16_t of halfvec. In text
// [1,2.5]. A vector of another dimension than the column's has no form in it.
template <typename Bits>
class VectorReader : public ReaderBase<VectorReader<Bits>> {
 public:
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    BinaryCursor cursor(value);
    uint16_t count;
    uint16_t unused;
    if (!cursor.Read(&count) || !cursor.Read(&unused) || unused != 0 ||
        cursor.left() != count * static_cast<int64_t>(sizeof(Bits))) {
      return context->Fault(value.data(), kNoVector);
    }
    ColumnBuilder* const elements = column->child(0);
    if (!HasDimension(*column, count) || !elements->Reserve(count)) return ReadOutcome::kNoForm;
    for (int32_t i = 0; i < count; ++i) {
      const auto bits = LoadBigEndian<Bits>(cursor.at() + static_cast<size_t>(i) * sizeof(Bits));
      elements->Append(LoadElement(bits));
    }
    return End(column);
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    if (value.size() < 2 || value.front() != '[' || value.back() != ']') {
      return context->Fault(value.data(), kNoVector);
    }
    ColumnBuilder* const elements = column->child(0);
    const int64_t before = elements->length();
    const char* at = value.data() + 1;
    const char* const end = value.data() + value.size() - 1;
    bool fits = true;
    while (fits && at != end) {
      float element;
      const auto [next, error] = std::from_chars(at, end, element);
      if (error != std::errc() || (next != end && (*next != ',' || next + 1 == end))) {
        column->Truncate(column->length());
        return context->Fault(at, kNoVector);
      }
      fits = elements->Append(element);
      at = next == end ? end : next + 1;
    }
    if (!fits || !HasDimension(*column, elements->length() - before)) {
      column->Truncate(column->length());
      return ReadOutcome::kNoForm;
    }
    return End(column);
  }

 private:
  static constexpr char kNoVector[] = "no vector";

  static bool HasDimension(const ColumnBuilder& column, int64_t count) {
    return column.layout() == ColumnBuilder::Layout::kList || column.list_size() == count;
  }
  static ReadOutcome End(ColumnBuilder* column) {
    return Appended(column->layout() == ColumnBuilder::Layout::kList ? column->EndList()
                                                                     : column->EndStruct());
  }
};

// geometry and geography: EWKB, in text its hexadecimal digits.
class GeometryReader : public ReaderBase<GeometryReader> {
 public:
  explicit GeometryReader(int32_t srid) : srid_(srid) {}

  // A reference system that is not the column's stays in the value: readers of geoarrow.wkb know EWKB too.
  ReadOutcome Binary(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    using pgtype::EwkbOutcome;
    const auto bytes = static_cast<int64_t>(value.size());
    char* const room = column->Room(bytes);
    if (room == nullptr) return ReadOutcome::kNoForm;
    size_t size;
    const char* fault_at;
    switch (pgtype::EwkbToWkb(value.data(), value.size(), srid_, room, &size, &fault_at)) {
      case EwkbOutcome::kWkb:
        return Appended(column->EndBytes(static_cast<int64_t>(size)));
      case EwkbOutcome::kOtherSrid:
      case EwkbOutcome::kUnknown:
        return Appended(column->AppendBytes(value.data(), bytes));
      case EwkbOutcome::kFault:
        break;
    }
    return context->Fault(fault_at, "no geometry");
  }

  ReadOutcome Text(std::string_view value, ColumnBuilder* column, ReadContext* context) const {
    ReadContext::Scratch bytes(context);
    bytes->resize(value.size() / 2);
    if (!ParseHex(value, bytes->data())) return context->Fault(value.data(), kWrongText);
    const ReadOutcome outcome = Binary(*bytes, column, context);
    return outcome == ReadOutcome::kFault ? context->Fault(value.data(), "no geometry") : outcome;
  }

 private:
  int32_t srid_;
};

}  // namespace

ReaderPointer MakeVectorReader() { return std::make_unique<VectorReader<uint32_t>>(); }
ReaderPointer MakeHalfvecReader() { return std::make_unique<VectorReader<uint16_t>>(); }
ReaderPointer MakeGeometryReader(int32_t srid) { return std::make_unique<GeometryReader>(srid); }

}  // namespace arrowcdc
