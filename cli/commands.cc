// setup, add-tables, teardown, tables, sql, resnapshot: what they print is their result, on standard
// output.
#include "cli/commands.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "arrowcdc/current_state.h"
#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "arrowcdc/sink.h"
#include "arrowcdc/stop_token.h"
#include "cli/logging.h"
#include "cli/mysql_commands.h"
#include "cli/printable.h"
#include "src/options/amount.h"

namespace arrowcdc::cli {
namespace {

using spdlog::level::err;
using Clock = std::chrono::steady_clock;

ExitCode Fail(const std::string& what, const arrow::Status& status) {
  LogError(err, what, status);
  return ExitCodeOf(status);
}

// Errors: what was printed is not complete.
arrow::Status FlushOutput() {
  errno = 0;
  std::cout.flush();
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.good();
  if (written) return arrow::Status::OK();
  const std::string reason = errno == 0 ? "what was printed is not complete" : std::strerror(errno);
  return arrow::Status::IOError("cannot write standard output: ", reason);
}

bool HasTerminal() { return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1; }

// kOk: yes. Otherwise it has said that nothing was done.
ExitCode Confirm(const char* question, const StopToken& stop) {
  std::cout << question << " [y/N] " << std::flush;
  std::string answer;
  const bool stopped = WaitFor(STDIN_FILENO, POLLIN, &stop, Clock::time_point::max()) == Wake::kStopped;
  if (!stopped) std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return kOk;
  std::printf(stopped ? "\nNothing was changed.\n" : "Nothing was changed.\n");
  return stopped ? kInterrupted : kFailure;
}

std::string RemedyOf(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  return detail == nullptr || detail->remedy().empty() ? "" : "\n          " + Printable(detail->remedy());
}

void PrintPlan(const SetupPlan& plan) {
  for (const std::string& check : plan.checks) std::printf("  ok    %s\n", Printable(check).c_str());
  for (const std::string& warning : plan.warnings) std::printf("  note  %s\n", Printable(warning).c_str());
  for (const SetupObstacle& obstacle : plan.obstacles)
    std::printf("  no    %s%s\n", Printable(obstacle.status.message()).c_str(),
                RemedyOf(obstacle.status).c_str());
  for (const SetupStep& step : plan.steps) std::printf("  do    %s\n", Printable(step.what).c_str());
}

// For people who have just read the list: not once more. A log that a program reads has it all.
arrow::Status SummarizeObstacles(const SetupPlan& plan) {
  const arrow::Status all = CheckObstacles(plan);
  const ErrorDetail* detail = GetErrorDetail(all);
  if (detail == nullptr) return all;
  constexpr char kUnchanged[] = "; nothing was changed";
  if (LogsJson())
    return MakeError(detail->kind(), all.message() + kUnchanged, detail->object(), detail->remedy(),
                     detail->sqlstate());
  const size_t count = plan.obstacles.size();
  return MakeError(detail->kind(),
                   (count == 1 ? "one thing is" : std::to_string(count) + " things are") +
                       std::string(" in the way, as listed") + kUnchanged,
                   detail->object(), "");
}

// What is in the way, and the SQL that helps.
ExitCode Refuse(const SetupPlan& plan, const char* what) {
  const std::string sql = AdministratorSql(plan);
  if (!sql.empty())
    std::printf("\nFor an administrator (arrowcdc %s --print-sql prints this alone):\n\n%s", what,
                sql.c_str());
  if (const arrow::Status shown = FlushOutput(); !shown.ok()) return Fail(what, shown);
  return Fail(what, SummarizeObstacles(plan));
}

// Also with obstacles in the way, where SQL removes them.
ExitCode PrintSql(const SetupPlan& plan, const char* what) {
  // Not among the SQL: there nobody sees them who runs it at once.
  for (const std::string& warning : plan.warnings) Log(spdlog::level::warn, warning);
  std::printf("%s", AdministratorSql(plan).c_str());
  if (const arrow::Status shown = FlushOutput(); !shown.ok()) return Fail(what, shown);
  SetupPlan left = plan;
  std::erase_if(left.obstacles, [](const SetupObstacle& obstacle) {
    return obstacle.by_administrator || !obstacle.sql.empty();
  });
  return left.obstacles.empty() ? kOk : Fail(what, CheckObstacles(left));
}

ExitCode Apply(const PostgresOptions& source, const SetupPlan& plan, const char* what) {
  // Nothing is changed that could not be shown.
  if (const arrow::Status shown = FlushOutput(); !shown.ok()) return Fail(what, shown);
  const arrow::Status applied = ApplySetup(source, plan, [](const SetupStep& step) {
    std::printf("  ...   %s\n", Printable(step.what).c_str());
    std::fflush(stdout);
  });
  return applied.ok() ? kOk : Fail(what, applied);
}

void PrintRow(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  for (size_t i = 0; i < cells.size(); ++i) {
    const bool last = i + 1 == cells.size();
    std::printf("%s%-*s", i == 0 ? "" : "  ", last ? 0 : static_cast<int>(widths[i]), cells[i].c_str());
  }
  std::printf("\n");
}

const char* NameIdentity(ReplicaIdentity identity) {
  switch (identity) {
    case ReplicaIdentity::kDefault:
      return "primary key";
    case ReplicaIdentity::kFull:
      return "full";
    case ReplicaIdentity::kIndex:
      return "index";
    case ReplicaIdentity::kNothing:
      return "nothing";
  }
  return "";
}

std::string DescribeIdentity(const TableStatus& table) {
  if (table.usable_identity) return NameIdentity(table.replica_identity);
  return table.replica_identity == ReplicaIdentity::kDefault
             ? "none"
             : std::string(NameIdentity(table.replica_identity)) + " (unusable)";
}

// Behind the list of tables: what a setup of these would note, and what it would meet.
ExitCode SayWhatIsInTheWay(const PostgresOptions& source) {
  const auto planned = PlanSetup(source, {});
  if (!planned.ok()) {
    const ErrorDetail* detail = GetErrorDetail(planned.status());
    const bool not_known = detail == nullptr || detail->kind() == ErrorKind::kInterrupted ||
                           detail->kind() == ErrorKind::kConnection;
    if (not_known) return Fail("tables", planned.status());
    std::printf("\nsetup would be refused: %s\n", Printable(planned.status().message()).c_str());
    return kOk;
  }
  if (!planned->warnings.empty()) std::printf("\n");
  for (const std::string& warning : planned->warnings)
    std::printf("  note  %s\n", Printable(warning).c_str());
  if (planned->obstacles.empty()) return kOk;
  std::printf("\nIn the way of setup:\n");
  for (const SetupObstacle& obstacle : planned->obstacles)
    std::printf("  no    %s%s\n", Printable(obstacle.status.message()).c_str(),
                RemedyOf(obstacle.status).c_str());
  const std::string sql = AdministratorSql(*planned);
  if (!sql.empty()) std::printf("\nFor an administrator:\n\n%s", sql.c_str());
  return kOk;
}

// `done` tells people what comes next.
ExitCode SetUp(const Options& options, const SetupOptions& setup, const char* what,
               void (*done)(const Options&, const SetupPlan&)) {
  const auto planned = PlanSetup(options.source, setup);
  if (!planned.ok()) return Fail(what, planned.status());
  const SetupPlan& plan = *planned;
  if (options.command.print_sql) return PrintSql(plan, what);
  PrintPlan(plan);
  if (!plan.obstacles.empty()) return Refuse(plan, what);
  if (plan.steps.empty()) {
    std::printf("Nothing to do: everything is set up.\n");
    return kOk;
  }
  // Where there is no terminal nobody can answer, and the command line is the consent: nothing is lost by it.
  if (!options.command.yes && !HasTerminal()) {
    std::printf("There is no terminal to ask on: these steps are applied.\n");
  } else if (!options.command.yes) {
    const ExitCode confirmed = Confirm("Apply these steps?", *options.source.stop);
    if (confirmed != kOk) return confirmed;
  }
  const ExitCode applied = Apply(options.source, plan, what);
  if (applied == kOk) done(options, plan);
  return applied;
}

void TellOfNewSlot(const Options& options, const SetupPlan& plan) {
  std::printf(
      "Done: %zu table(s). The server keeps WAL for the slot from now on: start streaming soon, or run\n"
      "  arrowcdc teardown %s\n",
      plan.tables.size(), SuggestOptions(options.source).c_str());
}

void TellOfAddedTables(const Options&, const SetupPlan& plan) {
  std::printf(
      "Done: %zu table(s). A stream into a Parquet sink that began with a copy, and whose --tables match\n"
      "them, copies the rows that they have within half a minute, and goes on meanwhile.\n",
      plan.tables.size());
  if (plan.patterns.empty()) return;
  std::string patterns;
  for (const std::string& pattern : plan.patterns) patterns += " '" + pattern + "'";
  std::printf("Where its --tables do not match them, start it again with --tables%s\n", patterns.c_str());
}

}  // namespace

ExitCode FinishOutput(ExitCode code) {
  const arrow::Status written = FlushOutput();
  if (written.ok() || code != kOk) return code;
  return Fail("arrowcdc", written);
}

std::string SuggestOptions(const PostgresOptions& source) {
  std::string text = "--slot " + source.slot;
  if (!source.publications.empty()) {
    text += " --publication";
    for (const std::string& publication : source.publications) text += " " + publication;
  }
  if (source.plugin != OutputPlugin::kAuto)
    text += std::string(" --plugin ") + OutputPluginName(source.plugin);
  return text + (source.conninfo.empty() ? "" : " --source ...");
}

ExitCode RunSetup(const Options& options) {
  if (IsMysql(options)) return RunMysqlSetup(options);
  return SetUp(options, options.setup, "setup", TellOfNewSlot);
}

ExitCode RunAddTables(const Options& options) {
  if (IsMysql(options)) return RefuseForMysql("add-tables", "start the stream again with longer --tables");
  SetupOptions setup = options.setup;
  setup.add_tables = true;
  return SetUp(options, setup, "add-tables", TellOfAddedTables);
}

ExitCode RunTeardown(const Options& options) {
  if (IsMysql(options))
    return RefuseForMysql("teardown", "the server keeps nothing for a stream: there is nothing to take down");
  const auto planned = PlanTeardown(options.source);
  if (!planned.ok()) return Fail("teardown", planned.status());
  const SetupPlan& plan = *planned;
  if (options.command.print_sql) return PrintSql(plan, "teardown");
  PrintPlan(plan);
  if (!plan.obstacles.empty()) return Refuse(plan, "teardown");
  if (plan.steps.empty()) {
    std::printf("Nothing to do: there is no slot \"%s\", and no publication that setup made for it.\n",
                options.source.slot.c_str());
    return kOk;
  }
  if (!options.command.yes && !HasTerminal()) {
    return Fail("teardown", MakeError(ErrorKind::kInvalidOption,
                                      "nobody can be asked here, and changes that were not streamed yet "
                                      "would be lost; nothing was dropped",
                                      "option --yes", "pass --yes to drop without being asked"));
  }
  if (!options.command.yes) {
    const ExitCode confirmed =
        Confirm("Drop these? Changes that were not streamed yet are lost.", *options.source.stop);
    if (confirmed != kOk) return confirmed;
  }
  const ExitCode applied = Apply(options.source, plan, "teardown");
  if (applied == kOk) std::printf("Done.\n");
  return applied;
}

ExitCode RunTables(const Options& options) {
  const bool mysql = IsMysql(options);
  const auto listed = mysql ? ListMysqlTables(MysqlSourceOf(options)) : ListTables(options.source);
  if (!listed.ok()) return Fail("tables", listed.status());
  std::vector<std::vector<std::string>> rows = {
      {"table", "matches", mysql ? "comes" : "published", mysql ? "identity" : "replica identity", "why"}};
  for (const TableStatus& table : *listed) {
    rows.push_back({Printable(ToString(table.name)), table.matches ? "yes" : "no",
                    table.published ? "yes" : "no", DescribeIdentity(table),
                    Printable(table.reason + (table.limits.empty() ? "" : "; " + table.limits))});
  }
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) PrintRow(row, widths);
  if (!mysql) return SayWhatIsInTheWay(options.source);
  if (std::none_of(listed->begin(), listed->end(), [](const TableStatus& table) { return table.matches; }))
    Log(spdlog::level::warn, "no table that the account can see matches: SELECT on a table shows it");
  return kOk;
}

ExitCode RunResnapshot(const Options& options) {
  const bool withdraw = options.command.withdraw;
  const auto table = RequestSnapshot(options.command.directory, options.command.table, withdraw);
  if (!table.ok()) return Fail("resnapshot", table.status());
  if (withdraw) {
    std::printf("%s will not be copied anew, unless its copy has begun: a stream into %s says so.\n",
                ToString(*table).c_str(), options.command.directory.c_str());
    return kOk;
  }
  std::printf(
      "%s will be copied anew: by a stream into %s that is running within seconds, else by the\n"
      "next one. With --snapshot never it is not.\n",
      ToString(*table).c_str(), options.command.directory.c_str());
  return kOk;
}

ExitCode RunSql(const Options& options) {
  const auto place_of = [](const SourceId& source, const Position& position) {
    const bool is_mysql = source.kind == "mysql" || source.kind == "mariadb";
    return is_mysql ? FormatBinlogPosition(position) : FormatLsn(position.order);
  };
  const auto query = CurrentStateQuery(options.command.directory, options.command.table, place_of);
  if (!query.ok()) return Fail("sql", query.status());
  if (std::fputs(query->c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    return Fail("sql", MakeError(ErrorKind::kSink, "the query could not be written", "standard output", ""));
  }
  return kOk;
}

}  // namespace arrowcdc::cli
