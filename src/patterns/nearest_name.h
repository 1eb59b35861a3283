// The name that somebody most likely meant. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace arrowcdc {

// The candidate that the fewest single characters tell from `text`, small and capital letters being nearly
// the same; empty where there is none, or none that resembles it. Work: size of the text times that of the
// candidates.
std::string NearestName(std::string_view text, const std::vector<std::string>& candidates);

// Those of all patterns but exclusions, each once: "public.a, public.b".
std::string NearestNames(const std::vector<std::string>& patterns,
                         const std::vector<std::string>& candidates);

}  // namespace arrowcdc
