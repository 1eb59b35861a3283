#include "cli/help_text.h"

#include <algorithm>

namespace arrowcdc::cli {

const char* const kDescription =
    "Row changes of PostgreSQL, MySQL and MariaDB as Apache Arrow record batches.\n\n"
    "First use:\n"
    "  arrowcdc setup  --source \"host=db dbname=shop user=cdc\" --slot shop --tables 'public.*'\n"
    "  arrowcdc stream --source \"host=db dbname=shop user=cdc\" --slot shop --tables 'public.*' "
    "--sink parquet:changes\n"
    "When you are done (the slot keeps WAL):\n"
    "  arrowcdc teardown --source \"host=db dbname=shop user=cdc\" --slot shop\n"
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

}  // namespace arrowcdc::cli
