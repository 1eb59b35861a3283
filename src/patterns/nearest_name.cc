// Levenshtein's distance, two rows of the table at a time.
#include "src/patterns/nearest_name.h"

#include <algorithm>
#include <cctype>

#include "arrowcdc/table_patterns.h"

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

// Empty where that matches no table, either.
std::string WithNearestSchema(const std::string& pattern, const std::vector<TableName>& tables) {
  const size_t dot = pattern.find('.');
  if (dot == std::string::npos) return "";
  std::vector<std::string> schemas;
  for (const TableName& table : tables) schemas.push_back(table.schema);
  const std::string schema = NearestName(pattern.substr(0, dot), schemas);
  if (schema.empty()) return "";
  std::string meant = ToString({schema, "t"});  // in quotes, where it needs them
  meant = meant.substr(0, meant.size() - 2) + pattern.substr(dot);
  const auto parsed = TablePatterns::Parse({meant});
  const bool matches = parsed.ok() && std::any_of(tables.begin(), tables.end(), [&](const TableName& table) {
                         return parsed->Matches(table);
                       });
  return matches ? meant : "";
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

std::string NearestPatterns(const std::vector<std::string>& patterns, const std::vector<TableName>& tables) {
  std::vector<std::string> candidates;
  for (const TableName& table : tables) candidates.push_back(ToString(table));
  std::vector<std::string> names;
  for (const std::string& pattern : patterns) {
    if (pattern.starts_with('!')) continue;
    std::string name = WithNearestSchema(pattern, tables);
    if (name.empty()) name = NearestName(pattern, candidates);
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace arrowcdc
