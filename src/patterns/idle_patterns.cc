#include "src/patterns/idle_patterns.h"

#include <algorithm>

namespace arrowcdc {

arrow::Result<std::vector<std::string>> IdlePatterns(const std::vector<std::string>& patterns,
                                                     const std::vector<TableName>& tables) {
  std::vector<std::string> idle;
  for (const std::string& text : patterns) {
    if (text.starts_with('!')) continue;
    ARROW_ASSIGN_OR_RAISE(const TablePatterns pattern, TablePatterns::Parse({text}));
    if (std::none_of(tables.begin(), tables.end(),
                     [&](const TableName& table) { return pattern.Matches(table); }))
      idle.push_back(text);
  }
  return idle;
}

}  // namespace arrowcdc
