// The command line, made of the option table, and what it said.
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/exit_code.h"
#include "src/options/option.h"

namespace arrowcdc::cli {

class CommandLine {
 public:
  CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // Nothing: it was read, and there is a command to run. Else what to end with: help was printed, or what is
  // wrong was said. arguments: without the program's name. Call it once.
  std::optional<ExitCode> Read(const std::vector<std::string>& arguments);

  // After Read.
  CommandBits command() const { return command_; }
  Options& options() { return options_; }
  const std::set<std::string_view>& of_file() const { return of_file_; }  // what the file has set

 private:
  // What CLI11 writes to.
  struct Argument {
    const Option& option;
    CLI::Option* registered = nullptr;
    std::string text{};
    std::vector<std::string> list{};
    bool flag = false;
  };

  void Register(CLI::App& app, unsigned commands);
  void RegisterOption(CLI::App& app, const Option& option);
  arrow::Status ReadFile();
  arrow::Status SetOptions();
  arrow::Status CheckRequired() const;

  CLI::App app_;
  std::deque<Argument> arguments_;  // they stay where they are
  Options options_;
  std::set<std::string_view> of_file_;  // names of the options that it set
  CommandBits command_ = kProgram;
};

}  // namespace arrowcdc::cli
