#include "cli/help_text.h"

#include <algorithm>
#include <sstream>

namespace arrowcdc::cli {

const char* const kDescription =
    "Row changes of PostgreSQL, MySQL and MariaDB as Apache Arrow record batches.\n\n"
    "First use:\n"
    "  arrowcdc setup  --source \"host=db dbname=shop\" --slot shop --tables 'public.*'\n"
    "  arrowcdc stream --source \"host=db dbname=shop\" --slot shop --tables 'public.*' --sink "
    "parquet:out\n"
    "When you are done (the slot keeps WAL):\n"
    "  arrowcdc teardown --source \"host=db dbname=shop\" --slot shop\n"
    "MySQL and MariaDB (setup changes nothing there, it checks):\n"
    "  arrowcdc setup  --source mysql://cdc@db/ --tables 'shop.*'\n"
    "  arrowcdc stream --source mysql://cdc@db/ --tables 'shop.*' --sink parquet:changes\n";

const char* const kAmountsHelp =
    "SIZE: a whole number of bytes, or with kB, MB, GB, KiB, MiB or GiB, as in 128MiB.\n"
    "DURATION: a whole number with ms, s, min, h or d, as in 90s; at most 36500d.\n\n";

bool TakesAmounts(const Command& command) {
  return std::ranges::any_of(OptionTable(), [&](const Option& option) {
    return (option.commands & command.bit) != 0 &&
           (option.type == OptionType::kSize || option.type == OptionType::kDuration);
  });
}

std::string ValueName(const Option& option) {
  switch (option.type) {
    case OptionType::kFlag:
      return "";
    case OptionType::kCount:
      return "INT";
    case OptionType::kSize:
      return "SIZE";
    case OptionType::kDuration:
      return "DURATION";
    case OptionType::kChoice:
      break;
    case OptionType::kText:
    case OptionType::kList:
    case OptionType::kPosition:
      return "TEXT";
  }
  std::string words;
  for (const std::string_view word : option.words) words += (words.empty() ? "" : "|") + std::string(word);
  return words;
}

std::string WrapHelp(const std::string& text, size_t option_column) {
  constexpr size_t kColumns = 100;
  std::string wrapped;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t own = std::min(line.find_first_not_of(' '), line.size());
    const bool explains = line.size() > option_column && own > 0 && line[option_column - 1] == ' ' &&
                          line[option_column] != ' ';
    const size_t indent = explains ? option_column : own;
    while (line.size() > kColumns) {
      const size_t blank = line.rfind(' ', kColumns);
      if (blank == std::string::npos || blank <= indent) break;
      wrapped += line.substr(0, blank) + '\n';
      line = std::string(indent, ' ') + line.substr(blank + 1);
    }
    wrapped += line + '\n';
  }
  return wrapped;
}

}  // namespace arrowcdc::cli
