// A decimal as text, all digits written out. Pure.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/array.h>
#include <arrow/util/decimal.h>

namespace arrowcdc {

// For any scale: 12 with scale -3 is "12000", 12 with scale 5 is "0.00012".
std::string DecimalText(const arrow::Decimal256& value, int32_t scale);

// An element, not null, of a decimal128 or decimal256 array.
arrow::Decimal256 DecimalAt(const arrow::Array& array, int64_t i);

}  // namespace arrowcdc
