#include "tests/same_wal/shrink.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace arrowcdc::test {
namespace {

// Steps by their places; they are left out together.
using Units = std::vector<std::vector<size_t>>;

Script Without(const Script& script, const Units& units, size_t begin, size_t end) {
  std::vector<bool> gone(script.steps.size());
  for (size_t unit = begin; unit < end; ++unit) {
    for (const size_t step : units[unit]) gone[step] = true;
  }
  Script shorter = script;
  shorter.steps.clear();
  for (size_t step = 0; step < script.steps.size(); ++step) {
    if (!gone[step]) shorter.steps.push_back(script.steps[step]);
  }
  return shorter;
}

Units UnitsOf(const Script& script, bool whole_transactions) {
  std::map<int, std::vector<size_t>> by_number;
  for (size_t i = 0; i < script.steps.size(); ++i)
    by_number[whole_transactions ? script.steps[i].transaction : static_cast<int>(i)].push_back(i);
  Units units;
  for (auto& [number, steps] : by_number) units.push_back(std::move(steps));
  return units;
}

}  // namespace

Script Shrink(Script script, const std::function<bool(const Script&)>& fails, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (const bool whole_transactions : {true, false}) {
    for (size_t piece = script.steps.size(); piece > 0; piece /= 2) {
      // From the end: what is in front may be needed by what is behind.
      Units units = UnitsOf(script, whole_transactions);
      for (size_t end = units.size(); end > 0 && std::chrono::steady_clock::now() < deadline;) {
        const size_t begin = end > piece ? end - piece : 0;
        Script shorter = Without(script, units, begin, end);
        end = begin;
        if (shorter.steps.empty() || !fails(shorter)) continue;
        script = std::move(shorter);
        units = UnitsOf(script, whole_transactions);
        end = std::min(end, units.size());
      }
    }
  }
  return script;
}

}  // namespace arrowcdc::test
