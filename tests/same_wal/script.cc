#include "tests/same_wal/script.h"

#include <memory>

namespace arrowcdc::test {
namespace {

// Nothing here waits: a lock that another session holds is a statement that fails.
constexpr char kSession[] =
    "SET lock_timeout = '100ms'; SET client_min_messages = error; SET client_encoding = 'UTF8'; "
    "SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET xmloption = "
    "'content'";

}  // namespace

std::string ToText(const Script& script) {
  std::string text = "-- seed " + std::to_string(script.seed) + "\n";
  for (const std::string& sql : script.setup) text += sql + ";\n";
  for (const Step& step : script.steps) {
    text += "/* session " + std::to_string(step.session) + " */ " + step.sql + ";";
    if (step.may_fail) text += "  -- may fail";
    text += "\n";
    if (!step.copy_data.empty()) text += step.copy_data + "\\.\n";
  }
  return text;
}

arrow::Status RunSetup(const PrivateServer& server, const std::string& database, const Script& script) {
  ARROW_ASSIGN_OR_RAISE(const auto sql, server.Connect(database));
  ARROW_RETURN_NOT_OK(sql->Exec(kSession));
  for (const std::string& statement : script.setup) ARROW_RETURN_NOT_OK(sql->Exec(statement));
  return arrow::Status::OK();
}

arrow::Result<RunResult> RunSteps(const PrivateServer& server, const std::string& database,
                                  const Script& script) {
  RunResult result;
  std::vector<std::unique_ptr<SqlConnection>> sessions;
  for (int i = 0; i < script.sessions; ++i) {
    ARROW_ASSIGN_OR_RAISE(sessions.emplace_back(), server.Connect(database));
    ARROW_RETURN_NOT_OK(sessions.back()->Exec(kSession));
  }
  for (const Step& step : script.steps) {
    SqlConnection& sql = *sessions[static_cast<size_t>(step.session)];
    const arrow::Status done =
        step.copy_data.empty() ? sql.Exec(step.sql) : sql.CopyIn(step.sql, step.copy_data);
    if (done.ok()) continue;
    if (PQstatus(sql.raw()) != CONNECTION_OK) return done.WithMessage(step.sql, ": ", done.message());
    if (!step.may_fail && sql.last_sqlstate() != "25P02") result.failures.push_back(done.message());
  }
  for (const auto& session : sessions) ARROW_RETURN_NOT_OK(session->Exec("ROLLBACK"));
  ARROW_ASSIGN_OR_RAISE(const auto prepared, sessions[0]->Query("SELECT gid FROM pg_prepared_xacts"));
  for (const SqlRow& row : prepared)
    ARROW_RETURN_NOT_OK(sessions[0]->Exec("ROLLBACK PREPARED '" + *row[0] + "'"));
  return result;
}

}  // namespace arrowcdc::test
