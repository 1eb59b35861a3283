// Reads the amounts people type: durations (20s, 5min, 2h, 500ms) and sizes (64MiB, 1GB).
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include <arrow/result.h>

namespace arrowcdc {

// A whole number and a unit: ms, s, min, h, d. Errors: kInvalidOption with the units.
arrow::Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// A whole number of bytes, optionally with kB, MB, GB (powers of 1000) or KiB, MiB, GiB (powers of 1024).
arrow::Result<int64_t> ParseSize(std::string_view text);

// "1.5 GiB", for people.
std::string FormatSize(uint64_t bytes);

}  // namespace arrowcdc
