#include "cli/usage.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "arrowcdc/secrets.h"

namespace arrowcdc::cli {
namespace {

bool IsSink(std::string_view text) {
  return text.starts_with("parquet:") || text.starts_with("ipc:") || text.starts_with("console");
}

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

std::string ExplainUnexpected(const CLI::App& app, const std::vector<std::string>& arguments) {
  const std::vector<std::string> rest = app.remaining(true);
  if (rest.empty()) return "there is an argument too many";
  const auto found = std::find(arguments.begin(), arguments.end(), rest.front());
  if (found == arguments.end()) return "there is an argument too many";
  const std::string position = NameArgument(static_cast<size_t>(found - arguments.begin()));
  if (!found->starts_with("--")) {
    return position + " is not expected: put values with spaces, as connection strings, in quotes";
  }
  const std::string typed = found->substr(0, found->find('='));
  const std::vector<std::string> known = ListOptions(app);
  const auto nearest = std::min_element(known.begin(), known.end(), [&](const auto& a, const auto& b) {
    return EditDistance(typed, a) < EditDistance(typed, b);
  });
  constexpr size_t kTypingMistakes = 3;
  const bool near = nearest != known.end() && EditDistance(typed, *nearest) <= kTypingMistakes;
  return position + " is no option of this command" + (near ? "; the nearest is " + *nearest : "");
}

// The name stands before any value in CLI11's texts.
std::string FindOptionIn(const CLI::App& app, const std::string& text) {
  std::string first;
  size_t first_at = std::string::npos;
  for (const std::string& name : ListOptions(app)) {
    const size_t at = text.find(name);
    if (at < first_at || (at == first_at && at != std::string::npos && name.size() > first.size())) {
      first = name;
      first_at = at;
    }
  }
  return first;
}

std::vector<const CLI::App*> ListSubcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string NameSubcommands(const CLI::App& app) {
  const std::vector<const CLI::App*> subcommands = ListSubcommands(app);
  std::string names;
  for (size_t i = 0; i < subcommands.size(); ++i) {
    names += (i == 0 ? "" : i + 1 == subcommands.size() ? " or " : ", ") + subcommands[i]->get_name();
  }
  return names;
}

const CLI::Option* FindOption(const CLI::App& app, const std::string& argument) {
  if (!argument.starts_with("--")) return nullptr;
  if (const CLI::Option* option = app.get_option_no_throw(argument)) return option;
  for (const CLI::App* subcommand : ListSubcommands(app)) {
    if (const CLI::Option* option = subcommand->get_option_no_throw(argument)) return option;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> FindUnknownSubcommand(const CLI::App& app,
                                                 const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments[0].starts_with('-')) return std::nullopt;
  for (const CLI::App* subcommand : ListSubcommands(app)) {
    if (subcommand->check_name(arguments[0])) return std::nullopt;
  }
  return NameArgument(0) + " is no subcommand: use " + NameSubcommands(app);
}

std::optional<std::string> FindMissingValue(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const CLI::Option* option = FindOption(app, arguments[i]);
    if (option == nullptr || option->get_items_expected_min() == 0) continue;
    if (i + 1 == arguments.size() || FindOption(app, arguments[i + 1]) != nullptr) {
      return arguments[i] + ": a value is missing";
    }
    ++i;
  }
  return std::nullopt;
}

std::optional<std::string> FindMisplacedConninfo(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    std::string_view value = arguments[i];
    if (value == "--source") {
      ++i;  // its value
      continue;
    }
    if (value.starts_with("--source=")) continue;
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
  const std::string option = FindOptionIn(app, error.what());
  // Holds names only: of an option, of a positional argument, or "A subcommand".
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    return app.get_subcommands().empty() ? "a subcommand is missing: use " + NameSubcommands(app)
                                         : error.what();
  }
  if (option.empty()) return "the arguments cannot be read";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr)
    return option + ": a value is missing, or there is one too many";
  return option + ": this value cannot be used";
}

}  // namespace arrowcdc::cli
