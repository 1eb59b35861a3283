// Errors of the command line in words of our own. What was typed is never repeated: it may be a password that
// stands in the wrong place. Options are named, arguments by their number.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace arrowcdc::cli {

// What is wrong where an argument other than the value of --source looks like a connection string or a part
// of one: it was not quoted, or follows the wrong option. arguments: without the program's name.
std::optional<std::string> FindMisplacedConninfo(const std::vector<std::string>& arguments);

// What is wrong where the first argument is a word that is no subcommand.
std::optional<std::string> FindUnknownSubcommand(const CLI::App& app,
                                                 const std::vector<std::string>& arguments);

// What is wrong where an option that takes a value stands before another option, or last (CLI11 would take
// the other one's name for the value), where it is given twice, and where a flag has a value.
std::optional<std::string> FindMisusedOption(const CLI::App& app, const std::vector<std::string>& arguments);

std::string ExplainError(const CLI::App& app, const CLI::ParseError& error,
                         const std::vector<std::string>& arguments);

}  // namespace arrowcdc::cli
