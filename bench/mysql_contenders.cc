#include "bench/mysql_contenders.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <utility>

#include <arrow/array.h>
#include <arrow/record_batch.h>

#include "arrowcdc/process_memory.h"
#include "arrowcdc/mysql.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/sink.h"
#include "bench/client_program.h"
#include "src/mysql/client/connection.h"

namespace arrowcdc::bench {
namespace {

namespace fs = std::filesystem;

MysqlOptions SourceOptions(const std::string& url, const std::string& table) {
  MysqlOptions options;
  options.url = url;
  options.tables = {"bench." + table};
  options.start = MysqlStart::kEarliest;
  return options;
}

// Until `rows` have come, each batch of which `take` has been given.
arrow::Result<Reading> Read(const std::string& url, const std::string& table, int64_t rows,
                            const std::function<arrow::Status(const ChangeBatch&)>& take) {
  ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(SourceOptions(url, table)));
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
  ARROW_RETURN_NOT_OK(source->Start(start));
  Reading reading;
  while (reading.rows < rows) {
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::milliseconds(1000)));
    if (!event.has_value()) continue;
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
      ARROW_RETURN_NOT_OK(take(*batch));
      reading.rows += batch->rows->num_rows();
    }
  }
  ARROW_RETURN_NOT_OK(source->Stop());
  return reading;
}

// The process becomes the program.
arrow::Status Become(const std::vector<std::string>& argv) {
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  return arrow::Status::IOError(argv[0], " cannot be run: ", std::strerror(errno));
}

// A reader of binary logs that prints text, here to /dev/null; by the loader and libraries of its release.
arrow::Result<Reading> RunPrinter(const fs::path& root, const fs::path& program,
                                  const std::vector<std::string>& arguments) {
  if (!fs::exists(program)) return arrow::Status::Invalid("it is not there: ", program.string());
  fs::path loader = root / "usr/lib64/ld-linux-x86-64.so.2";
  if (!fs::exists(loader)) loader = root / "lib64/ld-linux-x86-64.so.2";
  const std::string libraries =
      (root / "usr/lib/x86_64-linux-gnu").string() + ":" + (root / "lib/x86_64-linux-gnu").string();
  std::vector<std::string> argv = {loader, "--library-path", libraries, program, "--no-defaults"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  return Become(argv);
}

}  // namespace

arrow::Result<Reading> ReadPackets(const std::string& url, const std::string& first_file) {
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
    if (!packet.has_value()) return Reading{};
  }
}

arrow::Result<Reading> ReadBatches(const std::string& url, const std::string& table, int64_t rows) {
  return Read(url, table, rows, [](const ChangeBatch& batch) { return batch.rows->Validate(); });
}

arrow::Result<Reading> ReadFiles(const std::string& directory, const std::string& table, int64_t rows,
                                 bool one_processor) {
  if (one_processor) {
    cpu_set_t all;
    cpu_set_t one;
    CPU_ZERO(&one);
    sched_getaffinity(0, sizeof all, &all);
    for (int i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++i) {
      if (CPU_ISSET(i, &all)) CPU_SET(i, &one);
    }
    if (sched_setaffinity(0, sizeof one, &one) != 0) return arrow::Status::IOError("no processor of its own");
  }
  return ReadBatches("binlog:" + directory, table, rows);
}

arrow::Result<Reading> ReadLatencies(const std::string& url, const std::string& table, int64_t rows) {
  std::vector<int64_t> latencies;
  ARROW_ASSIGN_OR_RAISE(Reading reading, Read(url, table, rows, [&](const ChangeBatch& batch) {
                          timespec now{};
                          clock_gettime(CLOCK_REALTIME, &now);
                          const int64_t now_us = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
                          const auto column =
                              batch.rows->column(batch.table->metadata_field(MetadataColumn::kCommitTs));
                          const auto& times = static_cast<const arrow::TimestampArray&>(*column);
                          for (int64_t i = 0; i < times.length(); ++i)
                            latencies.push_back(now_us - times.Value(i));
                          return arrow::Status::OK();
                        }));
  reading.latencies_us = std::move(latencies);
  return reading;
}

arrow::Result<Reading> WriteParquet(const std::string& url, const std::string& table) {
  char name[] = "/tmp/arrowcdc-bench-XXXXXX";
  if (mkdtemp(name) == nullptr) return arrow::Status::IOError("no temporary directory");
  const std::string directory = name;
  KeepFreedMemory();  // as the command does
  const auto run = [&]() -> arrow::Result<Reading> {
    ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(SourceOptions(url, table)));
    ARROW_ASSIGN_OR_RAISE(const auto sink, MakeSink("parquet:" + directory, {}));
    ARROW_ASSIGN_OR_RAISE(const auto patterns, TablePatterns::Parse({"bench." + table}));
    PipelineOptions options;
    options.until = "now";
    options.snapshot = SnapshotMode::kNever;
    PipelineObserver observer;
    const StopToken stop;
    ARROW_ASSIGN_OR_RAISE(const auto stats, RunPipeline(*source, *sink, options, &patterns, observer, stop));
    return Reading{static_cast<int64_t>(stats.rows)};
  };
  const auto rows = run();
  std::filesystem::remove_all(directory);
  return rows;
}

arrow::Result<Reading> RunMysqlbinlog(const std::string& servers, int port, const std::string& first_file) {
  const fs::path root = fs::path(servers) / "mysql/root";
  return RunPrinter(root, root / "usr/bin/mysqlbinlog",
                    {"--read-from-remote-server", "--host=127.0.0.1", "--port=" + std::to_string(port),
                     "--user=root", "--to-last-log", "--base64-output=DECODE-ROWS", "-vv", first_file});
}

arrow::Result<Reading> RunMariadbBinlog(const std::string& servers, const std::string& file) {
  const fs::path root = fs::path(servers) / "mariadb/root";
  return RunPrinter(root, root / "usr/bin/mariadb-binlog", {"--base64-output=DECODE-ROWS", "-vv", file});
}

arrow::Result<Reading> RunDebezium(int port, const std::string& gtids, const std::string& table, int64_t rows,
                                   bool latencies) {
  ARROW_ASSIGN_OR_RAISE(const ClientProgram program, FindClientProgram(Reader::kDebezium));
  std::vector<std::string> argv = program.argv;
  argv.push_back("--mysql");
  argv.push_back("--conninfo=host=127.0.0.1 port=" + std::to_string(port) + " user=root");
  argv.push_back("--gtids=" + gtids);
  argv.push_back("--table=" + table);
  argv.push_back("--rows=" + std::to_string(rows));
  if (latencies) argv.push_back("--latencies");
  const int log = open("/dev/null", O_WRONLY | O_CLOEXEC);
  dup2(log, STDERR_FILENO);
  return Become(argv);
}

}  // namespace arrowcdc::bench
