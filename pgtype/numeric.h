// PostgreSQL's NUMERIC, read from its on-disk form: base-10000 digits behind a short or a long header. The
// layout is private to the server's numeric.c and has not changed since 9.1 (infinity was added in 14).
#pragma once

#include <cstddef>
#include <cstdint>

namespace arrowcdc::pgtype {

enum class NumericKind : uint8_t { kFinite, kNan, kInfinity, kMinusInfinity };

struct NumericValue {
  NumericKind kind;
  bool negative;
  int32_t weight;         // the first digit counts 10000^weight
  int32_t display_scale;  // decimal digits behind the point
  int32_t digit_count;
  const uint8_t* digits;  // uint16 each, perhaps unaligned
};

// `bytes` is the content of the varlena without its header. False: too short to be a NUMERIC.
bool ReadNumeric(const uint8_t* bytes, size_t size, NumericValue* out);

// Writes value * 10^scale as a little-endian two's complement integer of 16 or 32 bytes. False: NaN,
// infinity, more than `precision` digits, or digits behind the scale.
bool NumericToDecimal128(const NumericValue& value, int32_t precision, int32_t scale, uint8_t out[16]);
bool NumericToDecimal256(const NumericValue& value, int32_t precision, int32_t scale, uint8_t out[32]);

// The same for the numbers most columns hold: a short header, at most four digits, a result below 10^18.
// False: take the way above, which also tells what has no Arrow form.
bool ShortNumericToInteger(const uint8_t* bytes, size_t size, int32_t precision, int32_t scale, int64_t* out);

// An upper bound of what NumericToText writes, and the text as numeric_out gives it, without a NUL. Returns
// its length.
size_t NumericTextBytesMax(const NumericValue& value);
size_t NumericToText(const NumericValue& value, char* out);

}  // namespace arrowcdc::pgtype
