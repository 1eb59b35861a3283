// See decimal_text.h.
#include "src/sink/decimal_text.h"

namespace arrowcdc {

arrow::Decimal256 DecimalAt(const arrow::Array& array, int64_t i) {
  if (array.type_id() == arrow::Type::DECIMAL128) {
    return arrow::Decimal256(
        arrow::Decimal128(static_cast<const arrow::Decimal128Array&>(array).GetValue(i)));
  }
  return arrow::Decimal256(static_cast<const arrow::Decimal256Array&>(array).GetValue(i));
}

std::string DecimalText(const arrow::Decimal256& value, int32_t scale) {
  std::string digits = value.ToIntegerString();
  const bool negative = digits[0] == '-';
  if (negative) digits.erase(0, 1);
  if (scale < 0 && digits != "0") digits.append(static_cast<size_t>(-scale), '0');
  if (scale > 0) {
    const auto places = static_cast<size_t>(scale);
    if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
    digits.insert(digits.size() - places, 1, '.');
  }
  return negative ? "-" + digits : digits;
}

}  // namespace arrowcdc
