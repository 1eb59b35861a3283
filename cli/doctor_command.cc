// doctor: everything that is in the way of a stream or hurts it later, the gravest last, with what to do.
#include <algorithm>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "cli/commands.h"
#include "cli/logging.h"
#include "cli/printable.h"

namespace arrowcdc::cli {
namespace {

// As `setup` shows its own.
const char* MarkOf(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "ok";
    case FindingLevel::kNote:
      return "note";
    case FindingLevel::kUnknown:
      return "?";
    case FindingLevel::kWarning:
      return "warn";
    case FindingLevel::kProblem:
      return "no";
  }
  return "";
}

const char* NameOf(FindingLevel level) {
  switch (level) {
    case FindingLevel::kOk:
      return "ok";
    case FindingLevel::kNote:
      return "note";
    case FindingLevel::kUnknown:
      return "unknown";
    case FindingLevel::kWarning:
      return "warning";
    case FindingLevel::kProblem:
      return "problem";
  }
  return "";
}

size_t CountOf(const std::vector<Finding>& findings, FindingLevel level) {
  return static_cast<size_t>(std::count_if(findings.begin(), findings.end(),
                                           [&](const Finding& finding) { return finding.level == level; }));
}

void PrintJson(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    const nlohmann::ordered_json json = {{"level", NameOf(finding.level)}, {"check", finding.check},
                                         {"object", finding.object},       {"text", finding.text},
                                         {"remedy", finding.remedy},       {"sql", finding.sql}};
    std::printf("%s\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
  }
}

// As it has to be run, or not at all.
std::string ShownSql(const std::string& sql) {
  const std::string shown = Printable(sql, 0);
  return shown == sql ? sql + ";" : "it has names with control characters: --json has it";
}

void PrintText(const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    const std::string object = finding.object.empty() ? "" : finding.object + ": ";
    std::printf("  %-4s  %s\n", MarkOf(finding.level), Printable(object + finding.text).c_str());
    if (!finding.remedy.empty()) std::printf("          %s\n", Printable(finding.remedy).c_str());
    if (!finding.sql.empty()) std::printf("          SQL: %s\n", ShownSql(finding.sql).c_str());
  }
  std::printf("\n%zu problem(s), %zu warning(s), %zu unknown to this role, %zu note(s), %zu ok\n",
              CountOf(findings, FindingLevel::kProblem), CountOf(findings, FindingLevel::kWarning),
              CountOf(findings, FindingLevel::kUnknown), CountOf(findings, FindingLevel::kNote),
              CountOf(findings, FindingLevel::kOk));
}

}  // namespace

// Its exit code is that of the first problem.
ExitCode RunDoctor(const Options& options) {
  auto examined =
      IsMysql(options) ? ExamineMysql(MysqlSourceOf(options)) : Examine(options.source, options.setup);
  if (!examined.ok()) {
    LogError(spdlog::level::err, "doctor", examined.status());
    return ExitCodeOf(examined.status());
  }
  std::vector<Finding>& findings = *examined;
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.level < b.level; });
  options.command.json ? PrintJson(findings) : PrintText(findings);
  const auto problem = std::find_if(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.level == FindingLevel::kProblem;
  });
  if (problem == findings.end()) return kOk;
  return ExitCodeOf(MakeError(problem->kind, problem->text, problem->object, problem->remedy));
}

}  // namespace arrowcdc::cli
