#include "bench/drain.h"

#include <endian.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "arrowcdc/position.h"
#include "bench/drain_snapshot.h"
#include "bench/drain_source.h"
#include "bench/message_reader.h"
#include "bench/process_stats.h"
#include "bench/replication_client.h"
#include "bench/stopwatch.h"
#include "tests/testing/private_server.h"
#include "tests/testing/sql_connection.h"

extern char** environ;

namespace arrowcdc::bench {
namespace {

using Hold = std::function<void(const DrainResult&)>;

arrow::Result<DrainResult> DrainStream(const DrainTask& task, const Started& started, const Hold& hold) {
  const auto reader = MakeMessageReader(task.contender->reader, *task.table);
  ARROW_ASSIGN_OR_RAISE(auto client, ReplicationClient::Connect(task.conninfo));
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_RETURN_NOT_OK(client->Start(task.slot, task.contender->options));
  started(client->server_process());
  while (!reader->at_commit() || reader->rows() < task.rows_expected) {
    ARROW_ASSIGN_OR_RAISE(const std::string_view message, client->Next());
    ARROW_RETURN_NOT_OK(reader->Read(message));
    if (task.keep_latencies && reader->at_commit()) {
      result.latencies_us.push_back(NowMicroseconds() - reader->commit_time());
    }
  }
  ARROW_RETURN_NOT_OK(reader->Finish());
  stopwatch.Stop(&result);
  result.rows = reader->rows();
  result.transactions = reader->transactions();
  result.frames = client->messages();
  result.wire_bytes = client->wire_bytes();
  ARROW_RETURN_NOT_OK(client->Acknowledge(task.end_lsn));
  hold(result);
  return result;
}

arrow::Result<pid_t> StartRecvlogical(const DrainTask& task) {
  ARROW_ASSIGN_OR_RAISE(const auto program, test::ServerProgram("pg_recvlogical"));
  std::vector<std::string> arguments = {program.string(),      "--dbname=" + task.conninfo,
                                        "--slot=" + task.slot, "--start",
                                        "--no-loop",           "--file=/dev/null"};
  if (task.end_lsn != 0) arguments.push_back("--endpos=" + FormatLsn(task.end_lsn));
  for (const auto& [name, value] : task.contender->options) {
    arguments.push_back("--option=" + name + "=" + value);
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0], nullptr, nullptr, argv.data(), environ);
  if (error != 0) return arrow::Status::IOError(argv[0], ": ", std::strerror(error));
  return child;
}

// Its rows are written meanwhile; the parent looks whether they are confirmed, and says so.
arrow::Result<DrainResult> DrainRecvlogicalLive(const DrainTask& task, const Started& started,
                                                const Hold& hold) {
  ARROW_ASSIGN_OR_RAISE(const pid_t child, StartRecvlogical(task));
  started(0);
  char line;
  DrainResult result;
  if (read(STDIN_FILENO, &line, 1) == 1) {
    result.rows = task.rows_expected;
    result.transactions = task.transactions;
    hold(result);
  }
  kill(child, SIGKILL);
  while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return result;
}

// pg_recvlogical cannot count rows. That it got all is seen in its slot, which it confirms up to --endpos
// before it ends.
arrow::Result<DrainResult> DrainRecvlogical(const DrainTask& task, const Started& started, const Hold& hold) {
  if (task.end_lsn == 0) return DrainRecvlogicalLive(task, started, hold);
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_ASSIGN_OR_RAISE(const pid_t child, StartRecvlogical(task));
  started(0);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  stopwatch.Stop(&result);
  result.wall_s = kFromServer;
  result.client_cpu_s = OwnChildrenCpuSeconds();
  result.client_peak_bytes = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return arrow::Status::IOError("pg_recvlogical failed");

  ARROW_ASSIGN_OR_RAISE(auto connection, test::SqlConnection::Connect(task.conninfo));
  ARROW_ASSIGN_OR_RAISE(
      const std::string confirmed,
      connection->Scalar("SELECT confirmed_flush_lsn >= '" + FormatLsn(task.end_lsn) +
                         "' FROM pg_replication_slots WHERE slot_name = '" + task.slot + "'"));
  if (confirmed == "t") {
    result.rows = task.rows_expected;
    result.transactions = task.transactions;
  }
  hold(result);
  return result;
}

// One statement on an ordinary connection; the server hands over nothing but the last row.
arrow::Result<DrainResult> DrainPeek(const DrainTask& task, const Started& started, const Hold& hold) {
  ARROW_ASSIGN_OR_RAISE(auto connection, test::SqlConnection::Connect(task.conninfo));
  started(connection->backend_pid());
  DrainResult result;
  const Stopwatch stopwatch;
  ARROW_ASSIGN_OR_RAISE(
      const std::string message,
      connection->Scalar("SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes('" + task.slot +
                         "', NULL, NULL) OFFSET " + std::to_string(task.transactions - 1) + " LIMIT 1"));
  stopwatch.Stop(&result);
  result.rows = std::strtoll(message.substr(0, 16).c_str(), nullptr, 16);
  result.transactions = task.transactions;
  hold(result);
  return result;
}

// Reads and drops what one statement copies.
arrow::Status CopyOut(PGconn* raw, const std::string& command, DrainResult* result) {
  const auto failure = [&] { return arrow::Status::IOError("COPY: ", PQerrorMessage(raw)); };
  PGresult* answer = PQexec(raw, command.c_str());
  const bool copying = PQresultStatus(answer) == PGRES_COPY_OUT;
  PQclear(answer);
  if (!copying) return failure();
  char* buffer = nullptr;
  int size = 0;
  result->wire_bytes = 0;
  while ((size = PQgetCopyData(raw, &buffer, 0)) > 0) {
    result->wire_bytes += size + 5;
    ++result->frames;
    PQfreemem(buffer);
  }
  answer = PQgetResult(raw);
  const bool complete = size == -1 && PQresultStatus(answer) == PGRES_COMMAND_OK;
  const int64_t reported = std::atoll(PQcmdTuples(answer));
  PQclear(answer);
  if (!complete) return failure();
  // One message a row, the file header with the first; the trailer is a message of its own.
  result->rows = result->frames - 1 == reported ? reported : 0;
  return arrow::Status::OK();
}

// Where the session's part of the table begins and ends; one session reads it as a whole.
std::string CopyCommand(const DrainTask& task, int64_t blocks, int session) {
  const int sessions = task.contender->connections;
  if (task.contender->reader == Reader::kCopy && sessions == 1)
    return "COPY " + task.table->name + " TO STDOUT (FORMAT binary)";
  const auto border = [&](int at) { return "'(" + std::to_string(blocks * at / sessions) + ",0)'::tid"; };
  return "COPY (SELECT * FROM " + task.table->name + " WHERE ctid >= " + border(session) +
         (session + 1 < sessions ? " AND ctid < " + border(session + 1) : "") + ") TO STDOUT (FORMAT binary)";
}

arrow::Result<DrainResult> DrainCopy(const DrainTask& task, const Started& started, const Hold& hold) {
  const auto sessions = static_cast<size_t>(task.contender->connections);
  std::vector<std::unique_ptr<test::SqlConnection>> connections(sessions);
  for (auto& connection : connections) {
    ARROW_ASSIGN_OR_RAISE(connection, test::SqlConnection::Connect(task.conninfo));
  }
  ARROW_ASSIGN_OR_RAISE(const std::string blocks,
                        connections[0]->Scalar("SELECT pg_relation_size('" + task.table->name + "') / 8192"));
  started(connections[0]->backend_pid());
  std::vector<DrainResult> results(sessions);
  std::vector<arrow::Status> statuses(sessions);
  std::vector<std::thread> threads;
  const Stopwatch stopwatch;
  for (size_t i = 0; i < sessions; ++i) {
    threads.emplace_back([&, i] {
      statuses[i] = CopyOut(connections[i]->raw(), CopyCommand(task, std::stoll(blocks), static_cast<int>(i)),
                            &results[i]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  DrainResult result;
  stopwatch.Stop(&result);
  result.wire_bytes = 0;
  for (size_t i = 0; i < sessions; ++i) {
    ARROW_RETURN_NOT_OK(statuses[i]);
    result.rows += results[i].rows;
    result.frames += results[i].frames;
    result.wire_bytes += results[i].wire_bytes;
  }
  hold(result);
  return result;
}

}  // namespace

arrow::Result<DrainResult> Drain(const DrainTask& task, const Started& started, const Hold& hold) {
  switch (task.contender->reader) {
    case Reader::kRecvlogical:
      return DrainRecvlogical(task, started, hold);
    case Reader::kSqlPeek:
      return DrainPeek(task, started, hold);
    case Reader::kCopy:
    case Reader::kCopySelect:
      return DrainCopy(task, started, hold);
    case Reader::kSnapshot:
    case Reader::kSnapshotParquet:
      return DrainSnapshot(task, started, hold);
    case Reader::kSource:
      return DrainSource(task, started, hold);
    case Reader::kPipeline:
      return DrainPipeline(task, started, hold);
    case Reader::kReaders:
      return DrainReaders(task, started, hold);
    case Reader::kPython:
    case Reader::kDebezium:
      return arrow::Status::NotImplemented(task.contender->name, " has a program of its own");
    default:
      return DrainStream(task, started, hold);
  }
}

}  // namespace arrowcdc::bench
