// A value of an Arrow array as PostgreSQL writes it: the way back, by rules of its own, from docs/types.md
// and PostgreSQL's output functions. Sessions write with datestyle ISO, intervalstyle postgres, bytea_output
// hex, time zone UTC, extra_float_digits 1.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/array.h>

namespace arrowcdc::test {

// `type`: PostgreSQL's name of it, which is needed where several types have one Arrow type. Not of nulls.
std::string PostgresText(const arrow::Array& column, int64_t row, std::string_view type);

// Whether a value that PostgreSQL writes so has a form in that Arrow type.
bool HasArrowForm(const arrow::DataType& arrow_type, std::string_view text);

}  // namespace arrowcdc::test
