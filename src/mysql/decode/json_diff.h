// The difference between two JSON documents that a PARTIAL_UPDATE_ROWS_EVENT carries in place of the new one
// (binlog_row_value_options=PARTIAL_JSON): applied to the old document, as text. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace arrowcdc::mysql {

enum class JsonDiffOutcome {
  kApplied,
  kFault,  // the document or the diffs are unsound
  kUnfit,  // the diffs are not of this document
};

// `document`: binary JSON; `diffs`: operation, path and value of each, without the length in front of them.
JsonDiffOutcome ApplyJsonDiffs(std::span<const uint8_t> document, std::span<const uint8_t> diffs,
                               std::string* text);

}  // namespace arrowcdc::mysql
