#include "cli/command_line.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>

#include "arrowcdc/error.h"
#include "cli/help_text.h"
#include "cli/usage.h"
#include "src/options/config_file.h"

namespace arrowcdc::cli {
namespace {

class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    return WrapHelp(Formatter::make_help(app, std::move(name), mode), get_column_width());
  }
};

// As other programs have them: "version" and "help COMMAND".
std::vector<std::string> WithoutWords(std::vector<std::string> arguments) {
  if (arguments.empty()) return arguments;
  if (arguments[0] == "version") arguments[0] = "--version";
  if (arguments[0] != "help") return arguments;
  arguments.erase(arguments.begin());
  arguments.emplace_back("--help");
  return arguments;
}

// In one line, which WrapHelp breaks where it has to.
std::string ExitCodesHelp() {
  std::string text = kExitCodeHelp;
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

std::string FooterOf(const Command& command) {
  const std::string own = *command.footer == '\0' ? "" : command.footer + std::string("\n\n");
  return own + (TakesAmounts(command) ? kAmountsHelp : "") + ExitCodesHelp();
}

ExitCode ReportUsage(const std::string& message) {
  std::fprintf(stderr, "arrowcdc: %s\nRun with --help for more information.\n", message.c_str());
  return kUsage;
}

// With the option's name, which says more than what is wrong with its value.
arrow::Status NameOption(const Option& option, const arrow::Status& status) {
  if (status.ok()) return status;
  const ErrorDetail* detail = GetErrorDetail(status);
  const std::string remedy = detail == nullptr || detail->remedy().empty() ? "" : ": " + detail->remedy();
  return status.WithMessage(NameOf(option, Door::kCommand), ": ", status.message(), remedy);
}

// Of a file: where, what, and what to do.
std::string WithPlace(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  if (detail == nullptr) return status.message();
  return detail->object() + ": " + status.message() +
         (detail->remedy().empty() ? "" : "; " + detail->remedy());
}

}  // namespace

CommandLine::CommandLine() : app_(kDescription, "arrowcdc"), options_(DefaultsOf(Door::kCommand)) {
  app_.formatter(std::make_shared<HelpFormatter>());  // subcommands take it over
  app_.set_version_flag("--version", std::string("arrowcdc ") + ARROWCDC_VERSION);
  app_.require_subcommand(1);
  app_.fallthrough();
  app_.footer(ExitCodesHelp());
  Register(app_, kProgram);
  for (const Command& command : Commands()) {
    CLI::App* app = app_.add_subcommand(command.name, command.what);
    Register(*app, command.bit);
    app->footer(FooterOf(command));
    app->callback([this, bit = command.bit] { command_ = bit; });
  }
}

void CommandLine::Register(CLI::App& app, unsigned commands) {
  for (const Option& option : OptionTable()) {
    if ((option.commands & commands) != 0) RegisterOption(app, option);
  }
}

void CommandLine::RegisterOption(CLI::App& app, const Option& option) {
  Argument& argument = arguments_.emplace_back(Argument{.option = option});
  std::string names = NameOf(option, Door::kCommand);
  if (option.letter != 0) names += std::string(",-") + option.letter;
  const std::string help = HelpOf(option, Door::kCommand);
  if (option.type == OptionType::kFlag) {
    argument.registered = app.add_flag(names, argument.flag, help);
    return;
  }
  if (option.type == OptionType::kList) {
    argument.registered =
        app.add_option(names, argument.list, help)->required(option.required && option.positional);
    return;
  }
  // Others may stand in a file.
  argument.registered =
      app.add_option(names, argument.text, help)->required(option.required && option.positional);
  argument.registered->default_str(FormatValue(option, option.field.get(options_)));
  argument.registered->type_name(ValueName(option));
}

// Before the rest of the command line, which wins.
arrow::Status CommandLine::ReadFile() {
  std::string path;
  for (const Argument& argument : arguments_) {
    const std::string_view name = argument.option.name;
    if ((name == "config" || (name == "FILE" && command_ == kConfig)) && argument.registered->count() > 0)
      path = argument.text;
  }
  return path.empty() ? arrow::Status::OK() : ReadConfigFile(path, options_, &of_file_);
}

arrow::Status CommandLine::CheckRequired() const {
  for (const Argument& argument : arguments_) {
    const Option& option = argument.option;
    const bool lacks = option.required && !option.positional && (option.commands & command_) != 0 &&
                       argument.registered->count() == 0 && !of_file_.contains(option.name);
    if (lacks)
      return MakeError(ErrorKind::kInvalidOption, NameOf(option, Door::kCommand) + " is required", "", "");
  }
  return arrow::Status::OK();
}

arrow::Status CommandLine::SetOptions() {
  for (const Argument& argument : arguments_) {
    if (argument.registered->count() == 0) continue;
    const Option& option = argument.option;
    OptionValue value = argument.flag;
    if (option.type == OptionType::kList) {
      value = argument.list;
    } else if (option.type != OptionType::kFlag) {
      ARROW_RETURN_NOT_OK(NameOption(option, ReadValue(option, argument.text).Value(&value)));
    }
    ARROW_RETURN_NOT_OK(NameOption(option, SetOption(option, Door::kCommand, value, options_)));
    // One connection string wins over an address in parts, as one option over another.
    if (std::string_view(option.name) == "source") options_.package = DefaultsOf(Door::kCommand).package;
  }
  return SourceOf(options_).Value(&options_.source);
}

std::optional<ExitCode> CommandLine::Read(const std::vector<std::string>& given) {
  const std::vector<std::string> arguments = WithoutWords(given);
  if (const auto unknown = FindUnknownSubcommand(app_, arguments)) return ReportUsage(*unknown);
  if (const auto misplaced = FindMisplacedConninfo(arguments)) return ReportUsage(*misplaced);
  if (const auto misused = FindMisusedOption(app_, arguments)) return ReportUsage(*misused);
  try {
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return ReportUsage(ExplainError(app_, error, arguments));
    (void)app_.exit(error);  // --help, --version
    return kOk;
  }
  if (const arrow::Status read = ReadFile(); !read.ok()) return ReportUsage(WithPlace(read));
  arrow::Status set = CheckRequired();
  if (set.ok()) set = SetOptions();
  if (set.ok()) set = CheckDatabase(options_, Door::kCommand);
  return set.ok() ? std::nullopt : std::optional(ReportUsage(set.message()));
}

}  // namespace arrowcdc::cli
