#include "bench/drain_process.h"

#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "bench/client_program.h"
#include "bench/server.h"
#include "tests/testing/wait.h"

namespace arrowcdc::bench {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds kStartLimit{300};  // Debezium reads all rows once before

void Say(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

json ToJson(const DrainResult& result) {
  return {{"wall_s", result.wall_s},
          {"client_cpu_s", result.client_cpu_s},
          {"ended_us", result.ended_us},
          {"rows", result.rows},
          {"transactions", result.transactions},
          {"frames", result.frames},
          {"wire_bytes", result.wire_bytes},
          {"client_peak_bytes", result.client_peak_bytes},
          {"latencies_us", result.latencies_us}};
}

arrow::Result<DrainResult> FromJson(const std::string& line) {
  const json parsed = json::parse(line, nullptr, false);
  if (parsed.is_discarded()) return arrow::Status::IOError("the drain said: ", line);
  if (parsed.contains("error")) return arrow::Status::IOError(parsed["error"].get<std::string>());
  DrainResult result;
  result.wall_s = parsed["wall_s"];
  result.client_cpu_s = parsed["client_cpu_s"];
  result.ended_us = parsed["ended_us"];
  result.rows = parsed["rows"];
  result.transactions = parsed["transactions"];
  result.frames = parsed["frames"];
  result.wire_bytes = parsed["wire_bytes"];
  result.client_peak_bytes = parsed["client_peak_bytes"];
  result.latencies_us = parsed["latencies_us"].get<std::vector<int64_t>>();
  return result;
}

std::vector<std::string> ArgumentsOf(const DrainTask& task) {
  std::vector<std::string> arguments = {"--contender=" + task.contender->name,
                                        "--table=" + task.table->name,
                                        "--conninfo=" + task.conninfo,
                                        "--slot=" + task.slot,
                                        "--rows=" + std::to_string(task.rows_expected),
                                        "--transactions=" + std::to_string(task.transactions),
                                        "--end-lsn=" + std::to_string(task.end_lsn)};
  if (!task.sink_directory.empty()) arguments.push_back("--sink-directory=" + task.sink_directory);
  if (task.keep_latencies) arguments.emplace_back("--latencies");
  if (task.live) arguments.emplace_back("--live");
  if (task.contender->reader == Reader::kDebezium && task.contender->plugin.empty())
    arguments.emplace_back("--snapshot");
  return arguments;
}

// When a walsender began its command, which is START_REPLICATION: microseconds since 1970, 0: not known.
int64_t CommandStart(test::SqlConnection* sql, pid_t process) {
  const auto found = sql->Scalar("SELECT (extract(epoch FROM query_start) * 1000000)::bigint FROM " +
                                 ("pg_stat_activity WHERE pid = " + std::to_string(process)));
  return found.ok() ? std::atoll(found->c_str()) : 0;
}

}  // namespace

arrow::Result<std::unique_ptr<DrainProcess>> DrainProcess::Start(const DrainTask& task,
                                                                 test::SqlConnection* control) {
  std::unique_ptr<DrainProcess> self(new DrainProcess());
  ARROW_ASSIGN_OR_RAISE(ClientProgram program, FindClientProgram(task.contender->reader));
  test::SubprocessOptions options;
  options.argv = std::move(program.argv);
  options.env = std::move(program.env);
  for (const std::string& argument : ArgumentsOf(task)) options.argv.push_back(argument);
  options.input_pipe = true;
  options.output_pipe = true;
  ARROW_ASSIGN_OR_RAISE(self->child_, test::Subprocess::Start(std::move(options)));
  ARROW_ASSIGN_OR_RAISE(const std::string line, self->ReadLine(kStartLimit));
  int process = 0;
  if (std::sscanf(line.c_str(), "started %d", &process) != 1) return FromJson(line).status();
  if (process == 0) {
    const auto find = [&] {
      process = SlotProcess(control, task.slot);
      return process != 0;
    };
    ARROW_RETURN_NOT_OK(test::WaitFor(find, kStartLimit, "a server process to take slot " + task.slot));
    self->began_us_ = CommandStart(control, process);
  }
  self->server_process_ = process;
  self->sampler_ = std::make_unique<ProcessSampler>(process);
  return self;
}

double DrainProcess::server_cpu_s() const { return CpuSeconds(server_process_); }

double DrainProcess::client_cpu_s() const { return FamilyCpuSeconds(child_->pid()); }

arrow::Status DrainProcess::SayEnd() {
  if (write(child_->input_fd(), "\n", 1) == 1) return arrow::Status::OK();
  return arrow::Status::IOError("the drain does not listen");
}

arrow::Result<std::string> DrainProcess::ReadLine(std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const size_t end = pending_.find('\n');
    if (end != std::string::npos) {
      std::string line = pending_.substr(0, end);
      pending_.erase(0, end + 1);
      return line;
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting = {.fd = child_->output_fd(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) == 0) {
      child_->Kill();
      return arrow::Status::IOError("gave up after ", limit.count(), " s");
    }
    char buffer[1 << 16];
    const ssize_t got = read(child_->output_fd(), buffer, sizeof buffer);
    if (got <= 0) {
      const std::string words = child_->error();
      return arrow::Status::IOError("the drain died: ", words.empty() ? "without a word" : words);
    }
    pending_.append(buffer, static_cast<size_t>(got));
  }
}

arrow::Result<MeasuredDrain> DrainProcess::Finish(std::chrono::seconds limit) {
  ARROW_ASSIGN_OR_RAISE(const std::string line, ReadLine(limit));
  sampler_->Stop();  // the connection is still there, and with it the process
  MeasuredDrain measured;
  measured.client_cpu_s = client_cpu_s();
  child_->CloseInput();
  ARROW_ASSIGN_OR_RAISE(measured.client, FromJson(line));
  ARROW_RETURN_NOT_OK(child_->Wait(std::chrono::seconds(30)).status());
  if (measured.client.wall_s == kFromServer) {
    if (began_us_ == 0) return arrow::Status::IOError("the server did not say when the stream began");
    measured.client.wall_s = static_cast<double>(measured.client.ended_us - began_us_) * 1e-6;
  }
  measured.server_cpu_s = sampler_->cpu_seconds();
  measured.server_peak_bytes = sampler_->peak_anonymous_bytes();
  return measured;
}

int RunDrainChild(const DrainTask& task) {
  const auto hold = [](const DrainResult& result) {
    Say(ToJson(result).dump());
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
  };
  const auto result = Drain(
      task, [](pid_t process) { Say("started " + std::to_string(process)); }, hold);
  if (result.ok()) return 0;
  Say(json{{"error", result.status().message()}}.dump());
  return 1;
}

}  // namespace arrowcdc::bench
