// Arrow values as JSON text for the console. Pure. The policy (numbers, binary, times, ...) is in
// docs/sinks.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/array.h>

namespace arrowcdc {

// Appends element i; null as null. Line breaks never appear, so one object stays one line.
void AppendJsonValue(const arrow::Array& array, int64_t i, std::string* out);

// Appends text in quotes. Control characters, also those that steer terminals, are escaped.
void AppendJsonString(std::string_view text, std::string* out);

}  // namespace arrowcdc
