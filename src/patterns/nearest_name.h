// The name that somebody most likely meant. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// The candidate that the fewest single characters tell from `text`, small and capital letters being nearly
// the same; empty where there is none, or none that resembles it. Work: size of the text times that of the
// candidates.
std::string NearestName(std::string_view text, const std::vector<std::string>& candidates);

// What patterns that match no table were most likely to be, each once, without exclusions: "public.*, s.t".
// Where the schema alone is misspelt, the pattern with the nearest one, else the nearest table.
std::string NearestPatterns(const std::vector<std::string>& patterns, const std::vector<TableName>& tables);

}  // namespace arrowcdc
