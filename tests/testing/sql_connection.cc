#include "tests/testing/sql_connection.h"

#include <utility>

namespace arrowcdc::test {
namespace {

using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

}  // namespace

arrow::Result<std::unique_ptr<SqlConnection>> SqlConnection::Connect(const std::string& conninfo) {
  PGconn* connection = PQconnectdb(conninfo.c_str());
  if (PQstatus(connection) != CONNECTION_OK) {
    std::string message = PQerrorMessage(connection);
    PQfinish(connection);
    return arrow::Status::IOError("cannot connect: ", message);
  }
  PQsetNoticeProcessor(
      connection, [](void*, const char*) {}, nullptr);
  return std::unique_ptr<SqlConnection>(new SqlConnection(connection));
}

SqlConnection::~SqlConnection() { PQfinish(connection_); }

arrow::Status SqlConnection::Failure(const PGresult* result, const std::string& sql) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  last_sqlstate_ = state == nullptr ? "" : state;
  return arrow::Status::IOError(last_sqlstate_, " ", PQerrorMessage(connection_), "in: ", sql.substr(0, 300));
}

arrow::Result<std::vector<SqlRow>> SqlConnection::Rows(PGresult* raw, const std::string& sql) {
  ResultPtr result(raw, PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY) {
    return Failure(result.get(), sql);
  }
  std::vector<SqlRow> rows(static_cast<size_t>(PQntuples(result.get())));
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    for (int column = 0; column < PQnfields(result.get()); ++column) {
      if (PQgetisnull(result.get(), row, column) != 0) {
        rows[row].emplace_back();
      } else {
        rows[row].emplace_back(std::in_place, PQgetvalue(result.get(), row, column),
                               static_cast<size_t>(PQgetlength(result.get(), row, column)));
      }
    }
  }
  return rows;
}

arrow::Status SqlConnection::Exec(const std::string& sql) {
  return Rows(PQexec(connection_, sql.c_str()), sql).status();
}

arrow::Result<std::vector<SqlRow>> SqlConnection::Query(const std::string& sql) {
  return Rows(PQexec(connection_, sql.c_str()), sql);
}

arrow::Result<std::vector<SqlRow>> SqlConnection::Query(const std::string& sql, const SqlRow& parameters) {
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  return Rows(PQexecParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(),
                           nullptr, nullptr, 0),
              sql);
}

arrow::Result<std::string> SqlConnection::Scalar(const std::string& sql) {
  ARROW_ASSIGN_OR_RAISE(auto rows, Query(sql));
  if (rows.size() != 1 || rows[0].size() != 1 || !rows[0][0]) {
    return arrow::Status::Invalid("expected one value, got ", rows.size(), " rows from: ", sql);
  }
  return *rows[0][0];
}

arrow::Status SqlConnection::CopyIn(const std::string& copy_command, const std::string& data) {
  {
    ResultPtr started(PQexec(connection_, copy_command.c_str()), PQclear);
    if (PQresultStatus(started.get()) != PGRES_COPY_IN) return Failure(started.get(), copy_command);
  }
  if (PQputCopyData(connection_, data.data(), static_cast<int>(data.size())) != 1 ||
      PQputCopyEnd(connection_, nullptr) != 1) {
    return arrow::Status::IOError(PQerrorMessage(connection_), "in: ", copy_command);
  }
  arrow::Status status;
  while (PGresult* next = PQgetResult(connection_)) {
    ResultPtr ended(next, PQclear);
    if (PQresultStatus(ended.get()) != PGRES_COMMAND_OK) status = Failure(ended.get(), copy_command);
  }
  return status;
}

int SqlConnection::backend_pid() const { return PQbackendPID(connection_); }

}  // namespace arrowcdc::test
