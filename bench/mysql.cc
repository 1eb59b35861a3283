// arrowcdc_bench_mysql: a MySQL's whole binary log, read by us and by others, each in a process of its own.
// Started by tools/mysql_files.sh, which has the server. The rows are written before anything is measured.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <arrow/record_batch.h>
#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "arrowcdc/mysql.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/sink.h"
#include "src/mysql/client/connection.h"
#include "src/mysql/testing/mysql_server.h"

namespace arrowcdc::bench {
namespace {

using mysql::test::MysqlServer;
using Clock = std::chrono::steady_clock;

struct Workload {
  std::string name;
  std::string columns;
  std::string values;  // of row k
  int64_t rows = 0;
  int64_t rows_per_transaction = 0;
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
          {"one_row", narrow, values, 100'000 / part, 1}};
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
  for (int64_t first = 0; first < workload.rows; first += workload.rows_per_transaction) {
    const std::string from = std::to_string(first + 1);
    const std::string to = std::to_string(first + workload.rows_per_transaction);
    ARROW_RETURN_NOT_OK(server->Run({"INSERT INTO " + table + " WITH RECURSIVE r AS (SELECT " + from +
                                     " AS k UNION ALL SELECT k + 1 FROM r WHERE k < " + to + ") SELECT " +
                                     workload.values + " FROM r"}));
  }
  return arrow::Status::OK();
}

// --- contenders: what a child does; its rows, 0: it does not count any ---

// Reads packets and drops them: what the server and the connection allow.
arrow::Result<int64_t> ReadPackets(const std::string& url, const std::string& first_file) {
  ARROW_ASSIGN_OR_RAISE(const auto parsed, mysql::ParseUrl(url));
  ARROW_ASSIGN_OR_RAISE(const auto connection, mysql::Connection::Open(parsed, nullptr));
  ARROW_RETURN_NOT_OK(connection->Query("SET @source_binlog_checksum = @@GLOBAL.binlog_checksum").status());
  constexpr uint16_t kNonBlock = 1;  // ends where the log does
  std::string arguments(10, '\0');
  arguments[0] = 4;
  std::memcpy(arguments.data() + 4, &kNonBlock, sizeof kNonBlock);
  const uint32_t server_id = 0xdeadbeef;
  std::memcpy(arguments.data() + 6, &server_id, sizeof server_id);
  ARROW_RETURN_NOT_OK(connection->BeginDump(18, arguments + first_file));
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto packet, connection->NextPacket());
    if (!packet.has_value()) return 0;
  }
}

MysqlOptions SourceOptions(const std::string& url, const std::string& table) {
  MysqlOptions options;
  options.url = url;
  options.tables = {"bench." + table};
  options.start = MysqlStart::kEarliest;
  return options;
}

// Typed batches, validated and dropped.
arrow::Result<int64_t> ReadBatches(const std::string& url, const std::string& table, int64_t rows) {
  ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(SourceOptions(url, table)));
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
  ARROW_RETURN_NOT_OK(source->Start(start));
  int64_t seen = 0;
  while (seen < rows) {
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::milliseconds(1000)));
    if (!event.has_value()) continue;
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
      ARROW_RETURN_NOT_OK(batch->rows->Validate());
      seen += batch->rows->num_rows();
    }
  }
  ARROW_RETURN_NOT_OK(source->Stop());
  return seen;
}

// Into durable Parquet, exactly once.
arrow::Result<int64_t> WriteParquet(const std::string& url, const std::string& table) {
  char name[] = "/tmp/arrowcdc-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) return arrow::Status::IOError("no temporary directory");
  const std::string directory = name;
  const auto run = [&]() -> arrow::Result<int64_t> {
    ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(SourceOptions(url, table)));
    ARROW_ASSIGN_OR_RAISE(const auto sink, MakeSink("parquet:" + directory, {}));
    ARROW_ASSIGN_OR_RAISE(const auto patterns, TablePatterns::Parse({"bench." + table}));
    PipelineOptions options;
    options.until = "now";
    options.snapshot = SnapshotMode::kNever;
    PipelineObserver observer;
    const StopToken stop;
    ARROW_ASSIGN_OR_RAISE(const auto stats, RunPipeline(*source, *sink, options, &patterns, observer, stop));
    return static_cast<int64_t>(stats.rows);
  };
  const auto rows = run();
  std::filesystem::remove_all(directory);
  return rows;
}

// mysqlbinlog, as text to /dev/null.
arrow::Result<int64_t> RunMysqlbinlog(const std::string& servers, int port, const std::string& first_file) {
  const std::string root = servers + "/mysql/root/usr";
  std::string loader = root + "/lib64/ld-linux-x86-64.so.2";
  if (!std::filesystem::exists(loader)) loader = servers + "/mysql/root/lib64/ld-linux-x86-64.so.2";
  const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(null, STDOUT_FILENO);
  const std::string libraries = root + "/lib/x86_64-linux-gnu";
  const std::string program = root + "/bin/mysqlbinlog";
  const std::string port_text = "--port=" + std::to_string(port);
  execl(loader.c_str(), loader.c_str(), "--library-path", libraries.c_str(), program.c_str(), "--no-defaults",
        "--read-from-remote-server", "--host=127.0.0.1", port_text.c_str(), "--user=root", "--to-last-log",
        "--base64-output=DECODE-ROWS", "-vv", first_file.c_str(), nullptr);
  return arrow::Status::IOError("mysqlbinlog cannot be run: ", std::strerror(errno));
}

struct Measured {
  double wall_s = 0;
  double cpu_s = 0;
  int64_t peak_bytes = 0;
};

// In a child. Errors: what it says, or that it did not read all rows.
arrow::Result<Measured> Measure(const std::function<arrow::Result<int64_t>()>& contender, int64_t rows) {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return arrow::Status::IOError("no pipe");
  std::fflush(nullptr);
  const auto begun = Clock::now();
  const pid_t child = fork();
  if (child == 0) {
    const auto seen = contender();
    std::string text = seen.ok() ? "" : seen.status().ToString();
    if (seen.ok() && *seen != 0 && *seen != rows) text = "it read " + std::to_string(*seen) + " rows";
    (void)!write(pipe_fds[1], text.data(), text.size());
    _exit(text.empty() ? 0 : 1);
  }
  close(pipe_fds[1]);
  std::string said(4096, '\0');
  const ssize_t got = read(pipe_fds[0], said.data(), said.size());
  close(pipe_fds[0]);
  said.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  rusage usage{};
  int status = 0;
  wait4(child, &status, 0, &usage);
  const std::chrono::duration<double> wall = Clock::now() - begun;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    return arrow::Status::IOError("a contender failed: ", said);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return Measured{wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss * 1024};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

arrow::Status Run(int rounds, bool quick, const std::vector<std::string>& only, const std::string& output) {
  const char* const servers = std::getenv("ARROWCDC_MYSQL_SERVERS");
  if (servers == nullptr) return arrow::Status::Invalid("start it by tools/mysql_files.sh");
  nlohmann::ordered_json figures;
  for (const Workload& workload : Workloads(quick)) {
    if (!only.empty() && std::find(only.begin(), only.end(), workload.name) == only.end()) continue;
    // A server each, so that its log has nothing else.
    ARROW_ASSIGN_OR_RAISE(const auto server,
                          MysqlServer::Create(mysql::Flavor::kMysql, {"--innodb-buffer-pool-size=512M",
                                                                      "--max-binlog-size=1073741824"}));
    std::fprintf(stderr, "bench: mysql %s: writing %lld rows\n", workload.name.c_str(),
                 static_cast<long long>(workload.rows));
    ARROW_RETURN_NOT_OK(Load(server.get(), workload));
    ARROW_ASSIGN_OR_RAISE(const auto files, server->Query("SHOW BINARY LOGS"));
    const std::string first = files.at(0).at(0).value_or("");
    const std::string url = server->url();
    const int port = std::stoi(url.substr(url.rfind(':') + 1));
    const std::vector<std::pair<std::string, std::function<arrow::Result<int64_t>()>>> contenders = {
        {"packets_dropped", [&] { return ReadPackets(url, first); }},
        {"arrowcdc_null", [&] { return ReadBatches(url, workload.name, workload.rows); }},
        {"arrowcdc_parquet", [&] { return WriteParquet(url, workload.name); }},
        {"mysqlbinlog", [&] { return RunMysqlbinlog(servers, port, first); }},
    };
    std::vector<std::vector<Measured>> measured(contenders.size());
    for (int round = 0; round < rounds; ++round) {
      for (size_t i = 0; i < contenders.size(); ++i) {
        ARROW_ASSIGN_OR_RAISE(const Measured one, Measure(contenders[i].second, workload.rows));
        measured[i].push_back(one);
      }
    }
    std::printf("\nmysql %s, %lld rows\n%-18s %12s %24s %12s %10s\n", workload.name.c_str(),
                static_cast<long long>(workload.rows), "", "rows/s", "min .. max", "CPU s/M rows", "peak MB");
    for (size_t i = 0; i < contenders.size(); ++i) {
      std::vector<double> rates;
      std::vector<double> cpu;
      int64_t peak = 0;
      for (const Measured& one : measured[i]) {
        rates.push_back(static_cast<double>(workload.rows) / one.wall_s);
        cpu.push_back(one.cpu_s / static_cast<double>(workload.rows) * 1e6);
        peak = std::max(peak, one.peak_bytes);
      }
      const auto [least, most] = std::minmax_element(rates.begin(), rates.end());
      std::printf("%-18s %12.0f %10.0f .. %10.0f %12.2f %10.1f\n", contenders[i].first.c_str(), Median(rates),
                  *least, *most, Median(cpu), static_cast<double>(peak) / 1e6);
      figures[workload.name][contenders[i].first] = {{"rows_per_s", Median(rates)},
                                                     {"rows_per_s_min", *least},
                                                     {"rows_per_s_max", *most},
                                                     {"cpu_s_per_m_rows", Median(cpu)},
                                                     {"peak_bytes", peak}};
    }
  }
  if (!output.empty()) std::ofstream(output) << figures.dump(1) << "\n";
  return arrow::Status::OK();
}

}  // namespace
}  // namespace arrowcdc::bench

int main(int argc, char** argv) {
  CLI::App app{"Measures how fast a MySQL's binary log is read"};
  int rounds = 3;
  bool quick = false;
  std::vector<std::string> workloads;
  std::string output;
  app.add_option("--rounds", rounds, "rounds of each workload");
  app.add_flag("--quick", quick, "a fifth of the rows");
  app.add_option("--workloads", workloads, "only these")->delimiter(',');
  app.add_option("--output", output, "where the figures go");
  CLI11_PARSE(app, argc, argv);
  const arrow::Status status = arrowcdc::bench::Run(rounds, quick, workloads, output);
  if (!status.ok()) std::fprintf(stderr, "bench: mysql: %s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
