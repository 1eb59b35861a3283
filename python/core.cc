// The extension module: readers and setup of the library, thin. What is Python's style stands in the
// package's own files.
#include <algorithm>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <unistd.h>

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/util/config.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "arrowcdc/error.h"
#include "arrowcdc/messages_table.h"
#include "arrowcdc/mysql.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/readers.h"
#include "arrowcdc/secrets.h"
#include "python/convert.h"
#include "python/options.h"
#include "src/options/option.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace arrowcdc::python {
namespace {

using std::chrono::milliseconds;

// How long blocking work goes without looking for Ctrl-C.
constexpr milliseconds kSignalInterval{100};

struct Batch {
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> rows;
};

// For as long as it lives other threads may run. Where the interpreter has ended meanwhile, a daemon thread
// does not come back: Python before 3.14 ends it by pthread_exit, whose unwinding no frame of C++ below
// Python survives, so it sleeps until the process is gone, as it does in 3.14.
class WithoutGil {
 public:
  WithoutGil() : state_(PyEval_SaveThread()) {}
  ~WithoutGil() { TakeGil(state_); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  struct SleepUnlessBack {
    bool back = false;
    ~SleepUnlessBack() {
      while (!back) pause();
    }
  };
  [[gnu::noinline]] static void TakeGil(PyThreadState* state) {
    SleepUnlessBack guard;
    PyEval_RestoreThread(state);
    guard.back = true;
  }

  PyThreadState* const state_;
};

// Stopping waits for the stream's thread: others may run meanwhile. A forked child has neither the thread nor
// a right to the connection: it leaves everything alone.
struct Set {
  std::unique_ptr<ReaderSet> readers;
  const pid_t process = getpid();

  explicit Set(std::unique_ptr<ReaderSet> opened) : readers(std::move(opened)) {}
  ~Set() {
    if (getpid() != process) {
      (void)readers.release();
      return;
    }
    const WithoutGil others_run;
    readers.reset();
  }
};

using Name = std::pair<std::string, std::string>;

// Tries until it has something or the timeout has passed. once(timeout) runs without the GIL and returns an
// optional.
template <typename F>
auto WithSignals(int64_t timeout_ms, F once) -> decltype(once(milliseconds(0))) {
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(timeout_ms);
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    {
      const WithoutGil others_run;
      if (auto found = once(std::clamp(left, milliseconds(0), kSignalInterval))) return found;
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (left <= kSignalInterval) return std::nullopt;
  }
}

// For work that waits for the server: it has a thread of its own and gets the options with a token. Ctrl-C
// stops the token; then it is given the time to cancel its query, and nobody waits for it any more. It must
// own what it uses.
template <typename F>
auto OnOtherThread(const Options& given, F work) -> decltype(work(given)) {
  constexpr milliseconds kPatience{1000};
  Options options = given;
  options.source = Check(SourceOf(given));
  Check(CheckDatabase(options, Door::kPython));
  const auto stop = options.source.stop = std::make_shared<StopToken>();
  std::packaged_task<decltype(work(options))()> task(
      [options = std::move(options), work = std::move(work)] { return work(options); });
  auto done = task.get_future();
  std::thread(std::move(task)).detach();
  while (true) {
    {
      const WithoutGil others_run;
      if (done.wait_for(kSignalInterval) == std::future_status::ready) return done.get();
    }
    if (PyErr_CheckSignals() == 0) continue;
    stop->Stop();
    {
      const WithoutGil others_run;
      done.wait_for(kPatience);
    }
    throw nb::python_error();
  }
}

// "batch", "timeout" or "end". A batch goes into the list, where it still is when a signal handler raises as
// soon as this returns.
const char* Next(Reader& reader, int64_t timeout_ms, std::optional<uint64_t> until,
                 nb::typed<nb::list, Batch> into) {
  std::optional<std::string> end;
  if (until.has_value()) end = FormatLsn(*until);
  auto result =
      WithSignals(timeout_ms, [&](milliseconds timeout) -> std::optional<arrow::Result<ReadResult>> {
        auto read = reader.Next(timeout, end);
        if (read.ok() && read->state == ReadState::kTimeout) return std::nullopt;
        return read;
      });
  if (!result.has_value()) return "timeout";
  ReadResult read = Check(*std::move(result));
  if (read.state == ReadState::kEnd) return "end";
  into.append(Batch{std::move(read.table), std::move(read.rows)});
  return "batch";
}

// Of each column's buffers: address, bytes, and the address of the memory it is a part of. For tests of what
// is copied.
std::vector<std::vector<std::tuple<uintptr_t, int64_t, uintptr_t>>> Buffers(const Batch& batch) {
  std::vector<std::vector<std::tuple<uintptr_t, int64_t, uintptr_t>>> columns;
  for (int i = 0; i < batch.rows->num_columns(); ++i) {
    auto& column = columns.emplace_back();
    for (const auto& buffer : batch.rows->column_data(i)->buffers) {
      const arrow::Buffer* whole = buffer.get();
      while (whole != nullptr && whole->parent() != nullptr) whole = whole->parent().get();
      if (buffer == nullptr) {
        column.emplace_back(0, 0, 0);
      } else {
        column.emplace_back(buffer->address(), buffer->size(), whole->address());
      }
    }
  }
  return columns;
}

// fd: an eventfd that becomes readable when there may be something to read; -1: none.
void SetNotifyFd(Reader& reader, int fd) {
  const WithoutGil others_run;
  if (fd < 0) return reader.SetNotify(nullptr);
  reader.SetNotify([fd] {
    const uint64_t one = 1;
    // A full counter is readable already.
    [[maybe_unused]] const auto written = write(fd, &one, sizeof one);
  });
}

std::unique_ptr<Set> Open(const Options& given, std::optional<uint64_t> until_lsn) {
  ReaderSetOptions options = given.readers;
  options.published_tables = true;
  options.snapshot = given.package.snapshot;
  if (until_lsn.has_value()) options.until = FormatLsn(*until_lsn);
  return std::make_unique<Set>(Check(
      OnOtherThread(given, [options](const Options& resolved) -> arrow::Result<std::unique_ptr<ReaderSet>> {
        const PostgresOptions& from = resolved.source;
        ARROW_ASSIGN_OR_RAISE(auto stream, IsMysql(resolved) ? MakeMysqlSource(MysqlSourceOf(resolved))
                                                             : MakePostgresSource(from));
        ReaderSetOptions own = options;
        if (IsMysql(resolved) && own.snapshot == SnapshotMode::kAuto) own.snapshot = SnapshotMode::kNever;
        own.stop = from.stop;
        if (from.messages) own.tables.push_back(MessagesTable()->name);
        std::optional<TablePatterns> patterns;
        if (!from.tables.empty()) {
          ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(from.tables));
        }
        return ReaderSet::Open(std::move(stream), std::move(own), std::move(patterns));
      })));
}

// What setup has done, in words.
std::vector<std::string> Setup(const Options& given) {
  SetupOptions options = given.setup;
  options.accept_tables = given.readers.accept_tables;
  const SetupPlan plan =
      Check(OnOtherThread(given, [options](const Options& from) -> arrow::Result<SetupPlan> {
        if (IsMysql(from)) {
          ARROW_ASSIGN_OR_RAISE(const auto found, CheckMysql(MysqlSourceOf(from)));
          ARROW_RETURN_NOT_OK(CheckObstacles(found));
          return SetupPlan();
        }
        ARROW_ASSIGN_OR_RAISE(auto planned, PlanSetup(from.source, options));
        ARROW_RETURN_NOT_OK(ApplySetup(from.source, planned, nullptr));
        return planned;
      }));
  std::vector<std::string> steps;
  for (const SetupStep& step : plan.steps) steps.push_back(step.what);
  return steps;
}

bool HasSlot(const Options& options) {
  if (IsMysql(options)) return false;  // the server has none
  return Check(OnOtherThread(options, [](const Options& from) { return GetSlotStatus(from.source); })).exists;
}

void Teardown(const Options& options) {
  if (IsMysql(options)) return;  // nothing was made
  Check(OnOtherThread(options, [](const Options& from) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto plan, PlanTeardown(from.source));
    return ApplySetup(from.source, plan, nullptr);
  }));
}

// The order of the log's end (PostgreSQL: an LSN), and whether everything before it is flushed.
std::pair<uint64_t, bool> CurrentEnd(const Options& options) {
  const WalEnd end = Check(OnOtherThread(options, [](const Options& from) -> arrow::Result<WalEnd> {
    if (!IsMysql(from)) return GetWalEnd(from.source);
    ARROW_ASSIGN_OR_RAISE(const MysqlStatus status, GetMysqlStatus(MysqlSourceOf(from)));
    ARROW_ASSIGN_OR_RAISE(const uint64_t order,
                          ParseBinlogPosition(status.file + ":" + std::to_string(status.offset)));
    return WalEnd{order, true};
  }));
  return {end.lsn, end.flushed};
}

// The order of a position that was typed.
uint64_t ParseEnd(const Options& options, const std::string& text) {
  return Check(IsMysql(options) ? ParseBinlogPosition(text) : ParseLsn(text));
}

// Where commits wait for this stream: how pg_stat_replication calls it. Interrupted where the server is slow.
std::string SyncState(const Options& options) {
  constexpr milliseconds kPatience{5000};
  if (IsMysql(options)) return "";
  return Check(OnOtherThread(options, [](const Options& from) {
    from.source.stop->StopAfter(kPatience);
    return GetSyncState(from.source);
  }));
}

// (kind, reader where it is about one, message), or None when nothing has happened in time or will.
std::optional<std::tuple<std::string, std::optional<std::shared_ptr<Reader>>, std::string>> NextEvent(
    Set& set, int64_t timeout_ms) {
  using Event = std::optional<ReaderEvent>;
  const Event event = WithSignals(timeout_ms, [&](milliseconds timeout) -> std::optional<Event> {
                        Event next = set.readers->NextEvent(timeout);
                        if (next.has_value() || set.readers->ended()) return next;
                        return std::nullopt;
                      }).value_or(std::nullopt);
  if (!event.has_value()) return std::nullopt;
  const char* kind = event->kind == ReaderEvent::Kind::kReaderAdded   ? "reader_added"
                     : event->kind == ReaderEvent::Kind::kReaderEnded ? "reader_ended"
                     : event->kind == ReaderEvent::Kind::kNotice      ? "notice"
                                                                      : "reconnecting";
  std::optional<std::shared_ptr<Reader>> reader;
  if (event->reader != nullptr) reader = event->reader;
  const SourceNotice& notice = event->notice;
  std::string message = event->kind == ReaderEvent::Kind::kNotice ? notice.object + ": " + notice.text
                                                                  : event->status.message();
  return std::tuple(kind, std::move(reader), std::move(message));
}

using Counts = nb::typed<nb::dict, std::string, uint64_t>;

// (is it an error, message) of what was not taken yet, for the log.
std::vector<std::pair<bool, std::string>> TakeNotices(Set& set) {
  std::vector<std::pair<bool, std::string>> told;
  for (const SourceNotice& notice : set.readers->TakeNotices())
    told.emplace_back(notice.error, notice.object + ": " + notice.text);
  return told;
}

// Rows that came and that no pattern matches, by table.
Counts UnmatchedTables(const Set& set) {
  nb::dict dict;
  for (const auto& [table, rows] : set.readers->stats().unmatched_tables) {
    if (rows > 0) dict[ToString(table).c_str()] = rows;
  }
  return dict;
}

Counts Stats(const Set& set) {
  const ReaderSetStats stats = set.readers->stats();
  nb::dict dict;
  dict["delivered_lsn"] = stats.delivered.value_or(Position{}).order;
  dict["acknowledged_lsn"] = stats.acknowledged.value_or(Position{}).order;
  dict["server_lsn"] = stats.server_lsn;
  dict["received_bytes"] = stats.received_bytes;
  dict["reconnects"] = stats.reconnects;
  dict["rows_unmatched"] = stats.rows_unmatched;
  dict["tables_unpublished"] = stats.tables_unpublished;
  dict["snapshot_tables"] = stats.snapshot_tables;
  dict["snapshot_tables_done"] = stats.snapshot_tables_done;
  dict["snapshot_rows"] = stats.snapshot_rows;
  return dict;
}

Counts ReaderStatsOf(const Reader& reader) {
  const ReaderStats stats = reader.stats();
  nb::dict dict;
  dict["rows"] = stats.rows;
  dict["batches"] = stats.batches;
  dict["waiting_bytes"] = stats.waiting_bytes;
  dict["uncommitted_batches"] = stats.uncommitted_batches;
  dict["snapshot_complete"] = stats.snapshot_complete;
  return dict;
}

}  // namespace

// NOLINTNEXTLINE(readability-function-size): a list of names
NB_MODULE(_core, module) {
  // What a daemon thread holds lives on: no defect to warn of at the interpreter's end.
  nb::set_leak_warnings(false);
  module.attr("version") = ARROWCDC_VERSION;
  module.attr("arrow_major") = ARROW_VERSION_MAJOR;
  module.def("looks_like_conninfo", [](const std::string& text) { return LooksLikeConninfo(text); });

  BindOptions(module);

  nb::class_<Batch>(module, "Batch")
      .def("buffers", &Buffers)
      .def_prop_ro("key_columns",
                   [](const Batch& batch) {
                     std::vector<std::string> names;
                     for (const int field : batch.table->key_fields)
                       names.push_back(batch.table->schema->field(field)->name());
                     return names;
                   })
      .def(
          "__arrow_c_array__", [](const Batch& batch, const nb::object&) { return ToCapsules(*batch.rows); },
          "requested_schema"_a = nb::none());

  nb::class_<Reader>(module, "Reader")
      .def_prop_ro("table",
                   [](const Reader& reader) { return Name(reader.table().schema, reader.table().table); })
      .def_prop_ro("name", [](const Reader& reader) { return ToString(reader.table()); })
      .def_prop_ro("partition", &Reader::partition)
      .def_prop_ro("is_messages",
                   [](const Reader& reader) { return reader.table() == MessagesTable()->name; })
      .def("next", &Next, "timeout_ms"_a, "until"_a, "into"_a)
      .def("commit",
           [](Reader& reader) {
             arrow::Status status;
             {
               const WithoutGil others_run;
               status = reader.Commit();
             }
             Check(status);
           })
      .def("close", &Reader::Close, nb::call_guard<WithoutGil>())
      .def("abandon", &Reader::Abandon, nb::call_guard<WithoutGil>())
      .def("set_notify_fd", &SetNotifyFd, "fd"_a)
      .def("stats", &ReaderStatsOf);

  nb::class_<Set>(module, "ReaderSet")
      .def("readers", [](const Set& set) { return set.readers->readers(); })
      .def("next_event", &NextEvent, "timeout_ms"_a)
      .def("take_notices", &TakeNotices)
      .def("unmatched_tables", &UnmatchedTables)
      .def("stats", &Stats)
      .def("stop", [](Set& set) {
        arrow::Status status;
        if (getpid() == set.process) {
          const WithoutGil others_run;
          status = set.readers->Stop();
        }
        Check(status);
      });

  module.def("open", &Open, "options"_a, "until_lsn"_a = nb::none());
  module.def("setup", &Setup, "options"_a);
  module.def("has_slot", &HasSlot, "options"_a);
  module.def("teardown", &Teardown, "options"_a);
  module.def("current_end", &CurrentEnd, "options"_a);
  module.def("sync_state", &SyncState, "options"_a);
  module.def("parse_lsn", &ParseEnd, "options"_a, "text"_a);
}

}  // namespace arrowcdc::python
