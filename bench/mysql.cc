// arrowcdc_bench_mysql: a MySQL's whole binary log, read by us and by others, each in a process of its own.
// Started by tools/mysql_files.sh, which has the server. The rows are written before anything is measured.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "bench/mysql_contenders.h"
#include "src/mysql/testing/mysql_server.h"

namespace arrowcdc::bench {
namespace {

using mysql::test::MysqlServer;
using nlohmann::json;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;
// Runs in a child.
using Contender = std::function<arrow::Result<Reading>()>;

struct Workload {
  std::string name;
  std::string columns;
  std::string values;  // of row k
  int64_t rows = 0;
  int64_t rows_per_transaction = 0;
  bool big = false;
};

std::vector<Workload> Workloads(bool quick) {
  const int64_t part = quick ? 5 : 1;
  const std::string narrow =
      "id BIGINT PRIMARY KEY, customer INT, quantity SMALLINT, price DECIMAL(12,2), weight DOUBLE, made "
      "DATETIME(6), state ENUM('new','paid','sent'), note VARCHAR(40)";
  const std::string values =
      "k, k % 10007, k % 100, k / 100, k * 0.5, '2026-01-01' + INTERVAL k SECOND, ELT(k % 3 + 1, 'new', "
      "'paid', "
      "'sent'), CONCAT('order number ', k)";
  std::string wide = "id BIGINT PRIMARY KEY";
  std::string wide_values = "k";
  for (int i = 0; i < 40; ++i) {
    wide += ", c" + std::to_string(i) + (i % 3 == 0 ? " BIGINT" : " VARCHAR(60)");
    wide_values += i % 3 == 0 ? ", k * " + std::to_string(i + 1) : ", CONCAT('a text that is not short ', k)";
  }
  return {{"narrow", narrow, values, 1'000'000 / part, 5'000},
          {"wide", wide, wide_values, 200'000 / part, 5'000},
          {"one_row", narrow, values, 100'000 / part, 1},
          {"narrow_5m", narrow, values, 5'000'000 / part, 5'000},
          {"big_transaction", narrow, values, 10'000'000 / part, 10'000'000 / part, true}};
}

arrow::Status Load(MysqlServer* server, const Workload& workload) {
  const std::string table = "bench." + workload.name;
  ARROW_RETURN_NOT_OK(
      server->Run({"CREATE DATABASE IF NOT EXISTS bench", "SET SESSION cte_max_recursion_depth = 1000000000",
                   "CREATE TABLE " + table + " (" + workload.columns + ")"}));
  if (workload.rows_per_transaction == 1) {
    ARROW_RETURN_NOT_OK(
        server->Run({"CREATE PROCEDURE bench.fill() BEGIN DECLARE k BIGINT DEFAULT 1; WHILE k <= " +
                         std::to_string(workload.rows) + " DO INSERT INTO " + table + " VALUES (" +
                         workload.values + "); SET k = k + 1; END WHILE; END",
                     "CALL bench.fill()", "DROP PROCEDURE bench.fill"}));
    return arrow::Status::OK();
  }
  // A statement must not take longer than a client waits for its answer.
  const int64_t rows_per_statement = std::min<int64_t>(workload.rows_per_transaction, 100'000);
  if (workload.big) ARROW_RETURN_NOT_OK(server->Run({"START TRANSACTION"}));
  for (int64_t first = 0; first < workload.rows; first += rows_per_statement) {
    const std::string from = std::to_string(first + 1);
    const std::string to = std::to_string(first + rows_per_statement);
    ARROW_RETURN_NOT_OK(server->Run({"INSERT INTO " + table + " WITH RECURSIVE r AS (SELECT " + from +
                                     " AS k UNION ALL SELECT k + 1 FROM r WHERE k < " + to + ") SELECT " +
                                     workload.values + " FROM r"}));
  }
  if (workload.big) ARROW_RETURN_NOT_OK(server->Run({"COMMIT"}));
  return arrow::Status::OK();
}

struct Measured {
  int64_t rows = 0;
  double wall_s = 0;
  double cpu_s = 0;
  int64_t peak_bytes = 0;
  std::vector<int64_t> latencies_us;
};

// What the child says: a line of JSON as bench/drain_process.h has it, perhaps with others in front; nothing
// from who counts nothing.
arrow::Status TakeSaid(const std::string& said, Measured* measured) {
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    const auto parsed = json::parse(line, nullptr, false);
    if (!parsed.is_object()) continue;
    if (parsed.contains("error")) return arrow::Status::IOError(parsed["error"].get<std::string>());
    measured->rows = parsed.at("rows");
    measured->latencies_us = parsed.at("latencies_us").get<std::vector<int64_t>>();
    // Debezium reads all once to warm up, and measures itself the second time.
    if (parsed.contains("wall_s")) measured->wall_s = parsed["wall_s"];
    if (parsed.contains("client_cpu_s")) measured->cpu_s = parsed["client_cpu_s"];
  }
  return arrow::Status::OK();
}

// In a child, while `meanwhile` is done here. Errors: what the child says, or that it did not read all rows.
arrow::Result<Measured> Measure(const Contender& contender, int64_t rows,
                                const std::function<arrow::Status()>& meanwhile = {}) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return arrow::Status::IOError("no pipe");
  std::fflush(nullptr);
  const auto begun = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    dup2(pipe_fds[1], STDOUT_FILENO);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    const auto reading = contender();
    json said = {{"error", reading.status().ToString()}};
    if (reading.ok()) said = {{"rows", reading->rows}, {"latencies_us", reading->latencies_us}};
    std::printf("%s\n", said.dump().c_str());
    std::fflush(stdout);
    _exit(reading.ok() ? 0 : 1);
  }
  close(pipe_fds[1]);
  const arrow::Status done = meanwhile ? meanwhile() : arrow::Status::OK();
  if (!done.ok()) kill(child, SIGKILL);
  std::string said;
  char piece[4096];
  for (ssize_t got; (got = read(pipe_fds[0], piece, sizeof piece)) > 0;)
    said.append(piece, static_cast<size_t>(got));
  close(pipe_fds[0]);
  rusage usage{};
  int status = 0;
  wait4(child, &status, 0, &usage);
  const std::chrono::duration<double> wall = Clock::now() - begun;
  ARROW_RETURN_NOT_OK(done);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  Measured measured{
      0, wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024, {}};
  ARROW_RETURN_NOT_OK(TakeSaid(said, &measured));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return arrow::Status::IOError("it ended with status ", status);
  if (measured.rows != 0 && measured.rows != rows)
    return arrow::Status::IOError("it read ", measured.rows, " rows of ", rows);
  return measured;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

arrow::Result<std::unique_ptr<MysqlServer>> MakeServer() {
  return MysqlServer::Create(mysql::Flavor::kMysql, {"--innodb-buffer-pool-size=512M",
                                                     "--max-binlog-size=1073741824", "--sync-binlog=0"});
}

struct Named {
  std::string name;
  Contender run;
};

struct Options {
  int rounds = 3;
  bool quick = false;
  bool big = false;
  bool peers = false;
  std::vector<std::string> workloads;
  std::vector<std::string> contenders;
  std::string output;

  static bool Has(const std::vector<std::string>& names, const std::string& name) {
    return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
  }
};

void Absent(const std::string& contender, const arrow::Status& why, ordered_json* figures) {
  std::printf("%-24s %s\n", contender.c_str(), why.message().c_str());
  (*figures)[contender]["reason"] = why.message();
}

void Report(const std::string& name, int64_t rows, const std::vector<Measured>& measured,
            ordered_json* figures) {
  std::vector<double> rates;
  std::vector<double> cpu;
  int64_t peak = 0;
  for (const Measured& one : measured) {
    rates.push_back(static_cast<double>(rows) / one.wall_s);
    cpu.push_back(one.cpu_s / static_cast<double>(rows) * 1e6);
    peak = std::max(peak, one.peak_bytes);
  }
  const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
  std::printf("%-24s %12.0f %10.0f .. %10.0f %12.2f %10.1f\n", name.c_str(), Median(rates), *least, *most,
              Median(cpu), static_cast<double>(peak) / 1e6);
  (*figures)[name] = {{"rows_per_s", Median(rates)},
                      {"rows_per_s_min", *least},
                      {"rows_per_s_max", *most},
                      {"cpu_s_per_m_rows", Median(cpu)},
                      {"peak_bytes", peak}};
}

// The one that has made the database.
arrow::Result<std::string> FirstTransaction(MysqlServer* server) {
  ARROW_ASSIGN_OR_RAISE(const auto rows, server->Query("SELECT @@server_uuid"));
  return rows.at(0).at(0).value_or("") + ":1";
}

// The whole log, written before.
arrow::Status RunBacklog(const Options& options, const Workload& workload, const std::string& servers,
                         ordered_json* figures) {
  // A server each, so that its log has nothing else.
  ARROW_ASSIGN_OR_RAISE(const auto server, MakeServer());
  std::fprintf(stderr, "bench: mysql %s: writing %lld rows\n", workload.name.c_str(),
               static_cast<long long>(workload.rows));
  ARROW_RETURN_NOT_OK(Load(server.get(), workload));
  ARROW_ASSIGN_OR_RAISE(const auto files, server->Query("SHOW BINARY LOGS"));
  const std::string first = files.at(0).at(0).value_or("");
  ARROW_ASSIGN_OR_RAISE(const std::string created, FirstTransaction(server.get()));
  const std::string url = server->url();
  const std::string directory = server->data_directory();
  const std::string& table = workload.name;
  std::vector<Named> contenders = {
      {"packets_dropped", [&] { return ReadPackets(url, first); }},
      {"arrowcdc_null", [&] { return ReadBatches(url, table, workload.rows); }},
      {"arrowcdc_parquet", [&] { return WriteParquet(url, table); }},
      {"arrowcdc_files_1_core", [&] { return ReadFiles(directory, table, workload.rows, true); }},
      {"arrowcdc_files", [&] { return ReadFiles(directory, table, workload.rows, false); }},
      {"mysqlbinlog", [&] { return RunMysqlbinlog(servers, server->port(), first); }},
      {"mariadb_binlog_file", [&] { return RunMariadbBinlog(servers, directory + "/" + first); }}};
  if (options.peers) {
    contenders.push_back(
        {"debezium", [&] { return RunDebezium(server->port(), created, table, workload.rows, false); }});
  }
  std::erase_if(contenders, [&](const Named& one) { return !Options::Has(options.contenders, one.name); });
  std::vector<std::vector<Measured>> measured(contenders.size());
  std::vector<arrow::Status> failed(contenders.size());
  for (int round = 0; round < options.rounds; ++round) {
    for (size_t i = 0; i < contenders.size(); ++i) {
      // That one takes minutes, and is there for its memory.
      if (!failed[i].ok() || (workload.big && round > 0)) continue;
      auto one = Measure(contenders[i].run, workload.rows);
      failed[i] = one.status();
      if (one.ok()) measured[i].push_back(*std::move(one));
    }
  }
  std::printf("\nmysql %s, %lld rows\n%-24s %12s %24s %12s %10s\n", workload.name.c_str(),
              static_cast<long long>(workload.rows), "", "rows/s", "min .. max", "CPU s/M rows", "peak MB");
  for (size_t i = 0; i < contenders.size(); ++i) {
    if (failed[i].ok()) {
      Report(contenders[i].name, workload.rows, measured[i], figures);
    } else {
      Absent(contenders[i].name, failed[i], figures);
    }
  }
  return arrow::Status::OK();
}

constexpr int kWriters = 4;
constexpr int kTransactionsPerSecond = 1'000;

// One-row transactions at a steady rate, by `kWriters` sessions.
arrow::Status WritePaced(const MysqlServer& server, const std::string& table, int seconds) {
  std::vector<arrow::Status> ended(kWriters);
  std::vector<std::thread> writers;
  const auto begun = Clock::now();
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      ended[static_cast<size_t>(writer)] = [&]() -> arrow::Status {
        ARROW_ASSIGN_OR_RAISE(const auto connection, server.Connect());
        for (int i = writer; i < seconds * kTransactionsPerSecond; i += kWriters) {
          std::this_thread::sleep_until(begun +
                                        i * std::chrono::microseconds(1'000'000 / kTransactionsPerSecond));
          const std::string sql = "INSERT INTO " + table + " VALUES (" + std::to_string(i) + ", 'a row')";
          ARROW_RETURN_NOT_OK(connection->Query(sql).status());
        }
        return arrow::Status::OK();
      }();
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (const arrow::Status& status : ended) ARROW_RETURN_NOT_OK(status);
  return arrow::Status::OK();
}

// From commit to batch, while one-row transactions are written.
arrow::Status RunLatency(const Options& options, ordered_json* figures) {
  ARROW_ASSIGN_OR_RAISE(const auto server, MakeServer());
  ARROW_RETURN_NOT_OK(server->Run({"CREATE DATABASE bench"}));
  ARROW_ASSIGN_OR_RAISE(const std::string created, FirstTransaction(server.get()));
  const int seconds = options.quick ? 10 : 30;
  const int64_t rows = int64_t{seconds} * kTransactionsPerSecond;
  std::vector<std::string> contenders = {"arrowcdc"};
  if (options.peers) contenders.emplace_back("debezium");
  std::printf("\nmysql latency, %d transactions/s for %d s, the second half\n%-24s %10s %10s %10s %12s\n",
              kTransactionsPerSecond, seconds, "", "p50 ms", "p99 ms", "max ms", "CPU s/M rows");
  for (const std::string& name : contenders) {
    const std::string table = "latency_" + name;
    ARROW_RETURN_NOT_OK(
        server->Run({"CREATE TABLE bench." + table + " (id BIGINT PRIMARY KEY, note VARCHAR(40))"}));
    const Contender run = [&] {
      return name == "debezium" ? RunDebezium(server->port(), created, table, rows, true)
                                : ReadLatencies(server->url(), table, rows);
    };
    auto measured = Measure(run, rows, [&] { return WritePaced(*server, "bench." + table, seconds); });
    if (!measured.ok() || measured->latencies_us.size() != static_cast<size_t>(rows)) {
      Absent(name, measured.ok() ? arrow::Status::IOError("it said nothing") : measured.status(), figures);
      continue;
    }
    auto& latencies = measured->latencies_us;
    // Who starts while the rows come catches up with them first.
    latencies.erase(latencies.begin(), latencies.begin() + rows / 2);
    std::sort(latencies.begin(), latencies.end());
    const auto at = [&](double share) {
      return static_cast<double>(
                 latencies[static_cast<size_t>(share * static_cast<double>(latencies.size() - 1))]) /
             1e3;
    };
    const double cpu = measured->cpu_s / static_cast<double>(rows) * 1e6;
    std::printf("%-24s %10.3f %10.3f %10.3f %12.2f\n", name.c_str(), at(0.5), at(0.99), at(1), cpu);
    (*figures)[name] = {
        {"p50_ms", at(0.5)}, {"p99_ms", at(0.99)}, {"max_ms", at(1)}, {"cpu_s_per_m_rows", cpu}};
  }
  return arrow::Status::OK();
}

arrow::Status Run(const Options& options) {
  const char* const servers = std::getenv("ARROWCDC_MYSQL_SERVERS");
  if (servers == nullptr) return arrow::Status::Invalid("start it by tools/mysql_files.sh");
  if (!options.peers && !options.contenders.empty() && Options::Has(options.contenders, "debezium"))
    return arrow::Status::Invalid("debezium is downloaded: give --peers, too");
  ordered_json figures;
  for (const Workload& workload : Workloads(options.quick)) {
    const bool left_out = workload.big && !options.big && options.workloads.empty();
    if (!Options::Has(options.workloads, workload.name) || left_out) continue;
    ARROW_RETURN_NOT_OK(RunBacklog(options, workload, servers, &figures[workload.name]));
  }
  if (Options::Has(options.workloads, "latency"))
    ARROW_RETURN_NOT_OK(RunLatency(options, &figures["latency"]));
  if (!options.output.empty()) std::ofstream(options.output) << figures.dump(1) << "\n";
  return arrow::Status::OK();
}

// What --workloads and --contenders may name.
std::vector<std::string> WorkloadNames() {
  std::vector<std::string> names = {"latency"};
  for (const Workload& workload : Workloads(false)) names.push_back(workload.name);
  return names;
}
const std::vector<std::string> kContenders = {"packets_dropped",       "arrowcdc_null",  "arrowcdc_parquet",
                                              "arrowcdc_files_1_core", "arrowcdc_files", "mysqlbinlog",
                                              "mariadb_binlog_file",   "debezium"};

}  // namespace
}  // namespace arrowcdc::bench

int main(int argc, char** argv) {
  CLI::App app{"Measures how a MySQL's binary log is read"};
  arrowcdc::bench::Options options;
  std::string drain;
  int64_t rows = 0;
  app.add_option("--rounds", options.rounds, "rounds of each workload");
  app.add_flag("--quick", options.quick, "a fifth of the rows");
  app.add_flag("--big", options.big, "one transaction of ten million rows, too");
  app.add_flag("--peers", options.peers, "contenders that are downloaded, too");
  auto* const workloads = app.add_option("--workloads", options.workloads, "only these")
                              ->delimiter(',')
                              ->check(CLI::IsMember(arrowcdc::bench::WorkloadNames()));
  app.add_option("--contenders", options.contenders, "only these, of what is read as a whole")
      ->delimiter(',')
      ->check(CLI::IsMember(arrowcdc::bench::kContenders));
  app.add_option("--output", options.output, "where the figures go");
  app.add_option("--drain", drain, "only reads --rows of the workload from this source, for a profiler")
      ->needs(workloads);
  app.add_option("--rows", rows, "of --drain");
  CLI11_PARSE(app, argc, argv);
  const arrow::Status status =
      drain.empty() ? arrowcdc::bench::Run(options)
                    : arrowcdc::bench::ReadBatches(drain, options.workloads.at(0), rows).status();
  if (!status.ok()) std::fprintf(stderr, "bench: mysql: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
