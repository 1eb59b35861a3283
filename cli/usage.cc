#include "cli/usage.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "arrowcdc/secrets.h"

namespace arrowcdc::cli {
namespace {

bool IsSink(std::string_view text) {
  return text.starts_with("parquet:") || text.starts_with("ipc:") || text.starts_with("console");
}

// A URL that is no server of ours: as the value of --sink it is told which sinks there are.
bool IsOtherUrl(std::string_view text) {
  return text.find("://") != std::string_view::npos && !text.starts_with("postgres");
}

constexpr char kNoOption[] = " is no option of this command";

std::string NameArgument(size_t index) { return "argument " + std::to_string(index + 1); }

size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

// Nothing where none is as near as a typing mistake.
std::string NameNearest(std::string_view typed, const std::vector<std::string>& known) {
  constexpr size_t kTypingMistakes = 3;
  std::string nearest;
  size_t distance = std::min(kTypingMistakes, typed.size() / 2) + 1;
  for (const std::string& name : known) {
    const size_t to = EditDistance(typed, name);
    if (to < distance) std::tie(nearest, distance) = std::pair(name, to);
  }
  return nearest.empty() ? "" : "; the nearest is " + nearest;
}

// Of the program and of the subcommand that was given.
std::vector<std::string> ListOptions(const CLI::App& app) {
  std::vector<std::string> names;
  const auto add = [&](const CLI::App& from) {
    for (const CLI::Option* option : from.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  };
  add(app);
  for (const CLI::App* subcommand : app.get_subcommands()) add(*subcommand);
  return names;
}

std::vector<const CLI::App*> ListSubcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string Joined(const std::vector<std::string>& names, const std::string& last) {
  std::string text;
  for (size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " " + last + " " : ", ") + names[i];
  }
  return text;
}

std::vector<std::string> NamesOf(const std::vector<const CLI::App*>& subcommands) {
  std::vector<std::string> names;
  for (const CLI::App* subcommand : subcommands) names.push_back(subcommand->get_name());
  return names;
}

std::string NameSubcommands(const CLI::App& app) { return Joined(NamesOf(ListSubcommands(app)), "or"); }

// "--slot" of "--slot=s".
std::string NameIn(const std::string& argument) { return argument.substr(0, argument.find('=')); }

const CLI::Option* FindOption(const CLI::App& app, const std::string& argument) {
  const std::string name = NameIn(argument);
  if (!name.starts_with("--")) return nullptr;
  if (const CLI::Option* option = app.get_option_no_throw(name)) return option;
  for (const CLI::App* subcommand : ListSubcommands(app)) {
    if (const CLI::Option* option = subcommand->get_option_no_throw(name)) return option;
  }
  return nullptr;
}

// A subcommand's option that does not belong to the one that was given, or stands before it.
std::string ExplainMisplaced(const CLI::App& app, const std::string& option) {
  std::vector<const CLI::App*> owners = ListSubcommands(app);
  std::erase_if(owners, [&](const CLI::App* owner) { return owner->get_option_no_throw(option) == nullptr; });
  const auto given = app.get_subcommands();
  if (owners.empty() || given.empty()) return "";
  const std::string name = given[0]->get_name();
  if (std::find(owners.begin(), owners.end(), given[0]) != owners.end())
    return option + " belongs behind " + name;
  return option + " is an option of " + Joined(NamesOf(owners), "and") + ", not of " + name;
}

std::string ExplainUnexpected(const CLI::App& app, const std::vector<std::string>& arguments) {
  const std::vector<std::string> rest = app.remaining(true);
  if (rest.empty()) return "there is an argument too many";
  const auto found = std::find(arguments.begin(), arguments.end(), rest.front());
  if (found == arguments.end()) return "there is an argument too many";
  const std::string position = NameArgument(static_cast<size_t>(found - arguments.begin()));
  if (!found->starts_with("--")) {
    return position +
           " is not expected: put values with spaces, as connection strings, in quotes, and "
           "patterns one behind the other after --tables";
  }
  const std::string typed = NameIn(*found);
  const std::string misplaced = ExplainMisplaced(app, typed);
  if (!misplaced.empty()) return misplaced;
  return position + kNoOption + NameNearest(typed, ListOptions(app));
}

// What is missing may be there, under a name that is misspelt.
std::string ExplainMissing(const CLI::App& app, const std::string& what,
                           const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (!arguments[i].starts_with("--") || FindOption(app, arguments[i]) != nullptr) continue;
    const std::string nearest = NameNearest(NameIn(arguments[i]), ListOptions(app));
    if (!nearest.empty()) return NameArgument(i) + kNoOption + nearest;
  }
  return what;
}

}  // namespace

std::optional<std::string> FindUnknownSubcommand(const CLI::App& app,
                                                 const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0].starts_with('-')) return std::nullopt;
  for (const CLI::App* subcommand : ListSubcommands(app)) {
    if (subcommand->check_name(arguments[0])) return std::nullopt;
  }
  return NameArgument(0) + " is no subcommand: use " + NameSubcommands(app) +
         NameNearest(arguments[0], NamesOf(ListSubcommands(app)));
}

std::optional<std::string> FindMisusedOption(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::set<const CLI::Option*> seen;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const CLI::Option* option = FindOption(app, arguments[i]);
    if (option == nullptr) continue;
    const std::string name = NameIn(arguments[i]);
    const bool written_on = name != arguments[i];
    if (option->get_items_expected_max() == 0) {
      if (written_on) return name + " takes no value";
      continue;
    }
    const bool missing = written_on
                             ? arguments[i].size() == name.size() + 1
                             : i + 1 == arguments.size() || FindOption(app, arguments[i + 1]) != nullptr;
    if (missing) return name + ": a value is missing";
    const bool again = !seen.insert(option).second;
    if (again && option->get_items_expected_max() == 1) return name + " is given twice";
    if (!written_on) ++i;
  }
  return std::nullopt;
}

std::optional<std::string> FindMisplacedConninfo(const std::vector<std::string>& arguments) {
  // tail takes one, where --source does not give it.
  const bool given = std::any_of(arguments.begin(), arguments.end(),
                                 [](const std::string& text) { return NameIn(text) == "--source"; });
  bool may_come = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view value = arguments[i];
    may_come = may_come || (value == "tail" && !given);
    if (value == "--source" || value == "--password-command") {
      ++i;  // its value
      continue;
    }
    if (value.starts_with("--source=") || value.starts_with("--password-command=")) continue;
    if (!value.starts_with("--") && LooksLikeConninfo(value) && std::exchange(may_come, false)) continue;
    if (value == "--sink" && i + 1 < arguments.size() && IsOtherUrl(arguments[i + 1])) {
      ++i;
      continue;
    }
    if (value.starts_with("--") && value.find('=') != std::string_view::npos)
      value.remove_prefix(value.find('=') + 1);
    if (IsSink(value) || !LooksLikeConninfo(value)) continue;
    return NameArgument(i) +
           " looks like a connection string, or a part of one, in a place that takes none: write --source "
           "\"...\", in quotes";
  }
  return std::nullopt;
}

std::string ExplainError(const CLI::App& app, const CLI::ParseError& error,
                         const std::vector<std::string>& arguments) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return ExplainUnexpected(app, arguments);
  // Holds names only: of an option, of a positional argument, or "A subcommand".
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return app.get_subcommands().empty() ? "a subcommand is missing: use " + NameSubcommands(app)
                                         : ExplainMissing(app, error.what(), arguments);
  }
  return "the arguments cannot be read";
}

}  // namespace arrowcdc::cli
