// Levenshtein's distance, two rows of the table at a time.
#include "src/patterns/nearest_name.h"

#include <algorithm>
#include <cctype>

namespace arrowcdc {
namespace {

constexpr size_t kOtherCharacter = 2;
constexpr size_t kOtherCase = 1;  // half a character
constexpr size_t kBytesMax = 256;

size_t CostOf(char a, char b) {
  if (a == b) return 0;
  const bool other_case =
      std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  return other_case ? kOtherCase : kOtherCharacter;
}

// In halves of a character.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j * kOtherCharacter;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] += kOtherCharacter;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t changed = diagonal + CostOf(a[i], b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + kOtherCharacter, diagonal + kOtherCharacter});
    }
  }
  return row[b.size()];
}

}  // namespace

std::string NearestName(std::string_view text, const std::vector<std::string>& candidates) {
  text = text.substr(0, kBytesMax);
  std::string nearest;
  // Half of the characters at most may be others.
  size_t least = text.size() + 1;
  for (const std::string& candidate : candidates) {
    const size_t distance = Distance(text, std::string_view(candidate).substr(0, kBytesMax));
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

std::string NearestNames(const std::vector<std::string>& patterns,
                         const std::vector<std::string>& candidates) {
  std::vector<std::string> names;
  for (const std::string& pattern : patterns) {
    const std::string name = pattern.starts_with('!') ? "" : NearestName(pattern, candidates);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace arrowcdc
