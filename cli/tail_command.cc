// tail: what changes from now on, for people and pipes, with nothing left on the server.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"
#include "cli/commands.h"
#include "cli/descriptors.h"
#include "cli/logging.h"
#include "cli/stop.h"

namespace arrowcdc::cli {
namespace {

using spdlog::level::err;
using spdlog::level::info;
using spdlog::level::warn;

constexpr std::chrono::milliseconds kStopTimeout{1000};

// Ends the stream when nobody reads standard output any more (`| head -1`): else that would show with the
// next row only.
class ReaderWatch {
 public:
  explicit ReaderWatch(StopToken& stop) : stop_(stop), thread_([this] { Run(); }) {}
  ~ReaderWatch() {
    done_.Stop();
    thread_.join();
  }
  ReaderWatch(const ReaderWatch&) = delete;
  ReaderWatch& operator=(const ReaderWatch&) = delete;

  static bool HasGone() {
    pollfd out{STDOUT_FILENO, 0, 0};
    return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
  }

 private:
  void Run() {
    constexpr auto kNever = std::chrono::steady_clock::time_point::max();
    if (WaitFor(STDOUT_FILENO, 0, &done_, kNever) == Wake::kReady) stop_.Stop();
  }

  StopToken& stop_;
  StopToken done_;
  std::thread thread_;
};

class TailReporter : public PipelineObserver {
 public:
  explicit TailReporter(const Source& source) : source_(source) {}

  void OnConnected(const SourceInfo& source, const Position& start, bool) override {
    Log(info, "changes that commit from now on; Ctrl-C ends it",
        {{"plugin", source.stream.plugin},
         {"database", source.stream.database},
         {"from_lsn", source_.FormatPosition(start)},
         {"event", "streaming"}});
  }
  void OnRetry(const arrow::Status& status, std::chrono::milliseconds wait) override {
    LogError(warn, "connecting again in " + std::to_string(wait.count()) + " ms", status, "connection_lost");
  }
  void OnNotice(const SourceNotice& notice) override {
    Log(notice.error ? err : warn, notice.text, {{"object", notice.object}, {"event", "notice"}});
  }
  void OnUnrepresentable(const TableName& table, const std::string& column) override {
    Log(warn, "a value has no Arrow form: the column is null there and listed in _unrepresentable",
        {{"table", ToString(table)}, {"column", column}, {"event", "unrepresentable_value"}});
  }

 private:
  const Source& source_;
};

ExitCode Fail(const arrow::Status& status) {
  LogError(err, "tail", status, "failed");
  return ExitCodeOf(status);
}

arrow::Status Stream(const Options& options, Source& source, bool once) {
  ARROW_ASSIGN_OR_RAISE(const auto sink, MakeSink("console", options.sink));
  std::optional<TablePatterns> patterns;
  if (!options.source.tables.empty()) {
    ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(options.source.tables));
  }
  PipelineOptions pipeline;
  pipeline.snapshot = SnapshotMode::kNever;
  // What changes between two temporary slots would not be seen, and nobody would know.
  if (once) pipeline.retry_max = std::chrono::milliseconds(0);
  // Keeps the server from holding WAL for what has been shown.
  pipeline.ack_on_write = true;
  TailReporter reporter(source);
  return RunPipeline(source, *sink, pipeline, patterns.has_value() ? &*patterns : nullptr, reporter,
                     *options.source.stop)
      .status();
}

arrow::Status TailMysql(const Options& options) {
  MysqlOptions from = MysqlSourceOf(options);
  from.start = MysqlStart::kNow;
  ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(from));
  return Stream(options, *source, false);
}

arrow::Status TailPostgres(const Options& options) {
  ARROW_ASSIGN_OR_RAISE(const TemporarySetup setup, MakeTemporarySetup(options.source));
  for (const std::string& note : setup.notes) Log(info, note, {{"event", "notice"}});
  arrow::Status streamed;
  {
    auto source = MakePostgresSource(setup.source);
    streamed = source.ok() ? Stream(options, **source, true) : source.status();
  }
  if (const arrow::Status dropped = DropTemporarySetup(setup); !dropped.ok()) {
    Log(warn,
        "the publication \"" + setup.source.slot +
            "\" stays until the next tail in this database, which drops it: " + dropped.message(),
        {{"event", "notice"}});
  }
  return streamed;
}

}  // namespace

ExitCode RunTail(const Options& options) {
  std::signal(SIGPIPE, SIG_IGN);
  if (StandardOutputWasClosed()) {
    return Fail(MakeError(ErrorKind::kInvalidOption, "standard output is closed, and the rows go there",
                          "command tail", "give it a standard output"));
  }
  if (std::any_of(options.source.tables.begin(), options.source.tables.end(), LooksLikeConninfo)) {
    return Fail(MakeError(ErrorKind::kInvalidOption, "a connection string stands among the table patterns",
                          "command tail", "put it first: arrowcdc tail CONNECTION PATTERN ..."));
  }
  StopToken& stop = *options.source.stop;
  if (options.command.duration.has_value()) stop.StopAfter(*options.command.duration);
  const StopLimit limit(options.source.stop, kStopTimeout,
                        "the server did not let go in time: the next tail drops what is left there");
  const ReaderWatch watch(stop);
  const arrow::Status done = IsMysql(options) ? TailMysql(options) : TailPostgres(options);
  // Whoever reads has enough.
  return done.ok() || ReaderWatch::HasGone() ? kOk : Fail(done);
}

}  // namespace arrowcdc::cli
