// What is wrong with a frame, as a typed error: frame number and kind, what, offset, the number found. Never
// a row's value.
#pragma once

#include <string>

#include <arrow/status.h>

#include "format/frame_reader.h"

namespace arrowcdc {

arrow::Status FrameFault(const format::FrameHeader& header, const format::FrameError& error);
arrow::Status FrameFault(const format::FrameHeader& header, const std::string& what, uint64_t offset);

}  // namespace arrowcdc
