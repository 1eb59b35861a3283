// The command arrowcdc: options in, one subcommand out. Thin: everything else is in the library.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "arrowcdc/process_memory.h"
#include "arrowcdc/stop_token.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/logging.h"
#include "cli/password_command.h"
#include "cli/process_title.h"
#include "cli/stop.h"

namespace arrowcdc::cli {
namespace {

// All but stream and tail have nothing to complete.
constexpr std::chrono::milliseconds kStopTimeout{1000};

ExitCode RunCommand(CommandBits command, const Options& options) {
  if (command == kStream) return RunStream(options);
  if (command == kTail) return RunTail(options);
  const StopLimit limit(options.source.stop, kStopTimeout, "stopped before it was done");
  switch (command) {
    case kSetup:
      return RunSetup(options);
    case kDoctor:
      return RunDoctor(options);
    case kStatus:
      return RunStatus(options);
    case kTables:
      return RunTables(options);
    case kSql:
      return RunSql(options);
    case kAddTables:
      return RunAddTables(options);
    case kResnapshot:
      return RunResnapshot(options);
    default:
      return RunTeardown(options);
  }
}

ExitCode Main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  HidePasswords(argc, argv);
  SetUpLogging(LogFormat::kAuto, false);
  CommandLine line;
  if (const auto ended = line.Read(arguments)) return *ended;
  Options& options = line.options();
  SetUpLogging(options.command.log, options.command.verbose);
  if (line.command() == kConfig) return RunConfig(options, line.of_file());
  options.source.stop = options.sink.stop = StopOnSignals();
  if (const std::string& command = options.command.password_command; !command.empty()) {
    if (const arrow::Status used = UsePasswordOf(command, options.source.stop); !used.ok()) {
      LogError(spdlog::level::err, "", used);
      return ExitCodeOf(used);
    }
  }
  return RunCommand(line.command(), options);
}

}  // namespace
}  // namespace arrowcdc::cli

int main(int argc, char** argv) {
  arrowcdc::KeepFreedMemory();
  arrowcdc::cli::OpenStandardDescriptors();
  const auto code = arrowcdc::cli::FinishOutput(arrowcdc::cli::Main(argc, argv));
  if (arrowcdc::HasAbandonedWork()) _exit(code);
  return code;
}
