// The I/O of an examination.
#include "arrowcdc/error.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/setup/health.h"

namespace arrowcdc {
namespace {

// Nothing more is known then.
bool EndsTheLook(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  if (detail == nullptr) return true;
  switch (detail->kind()) {
    case ErrorKind::kConnection:
    case ErrorKind::kAuthentication:
    case ErrorKind::kTls:
    case ErrorKind::kInterrupted:
    case ErrorKind::kInvalidOption:
    case ErrorKind::kInternal:
      return true;
    default:
      return false;
  }
}

Finding ProblemOf(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return {.level = FindingLevel::kProblem,
          .check = ErrorKindName(detail->kind()),
          .text = status.message(),
          .object = detail->object(),
          .remedy = detail->remedy(),
          .kind = detail->kind()};
}

// What of each table's changes does not come.
arrow::Status AddLimits(const PostgresOptions& source, std::vector<Finding>* findings) {
  const auto listed = ListTables(source);
  if (!listed.ok() && EndsTheLook(listed.status())) return listed.status();
  if (!listed.ok()) return arrow::Status::OK();  // setup would make what is missing
  for (const TableStatus& table : *listed) {
    if (table.limits.empty()) continue;
    findings->push_back({.level = FindingLevel::kNote,
                         .check = "limits",
                         .text = table.limits,
                         .object = "table " + ToString(table.name)});
  }
  return arrow::Status::OK();
}

}  // namespace

arrow::Result<std::vector<Finding>> Examine(const PostgresOptions& source, const SetupOptions& options) {
  constexpr std::chrono::seconds kBetween(1);
  std::vector<Finding> findings;
  const auto plan = PlanSetup(source, options);
  if (plan.ok()) {
    findings = postgres::FindingsOf(*plan);
  } else if (EndsTheLook(plan.status())) {
    return plan.status();
  } else {
    findings.push_back(ProblemOf(plan.status()));
  }
  ARROW_ASSIGN_OR_RAISE(const TablePatterns patterns, TablePatterns::Parse(source.tables));
  ARROW_ASSIGN_OR_RAISE(
      const auto connection,
      postgres::Connection::Open(source.conninfo, postgres::ConnectionMode::kSql, source.stop));
  ARROW_ASSIGN_OR_RAISE(
      const postgres::Health health,
      postgres::ReadHealth(*connection, source.slot, patterns, kBetween, source.stop.get()));
  for (Finding& finding : postgres::JudgeHealth(health)) findings.push_back(std::move(finding));
  ARROW_RETURN_NOT_OK(AddLimits(source, &findings));
  return findings;
}

}  // namespace arrowcdc
