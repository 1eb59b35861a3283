// The extension module: readers and setup of the library, thin. What is Python's style stands in the
// package's own files.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <arrow/util/config.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include "arrowcdc/admin.h"
#include "arrowcdc/readers.h"
#include "python/convert.h"

namespace nb = nanobind;
using namespace nb::literals;

namespace arrowcdc::python {
namespace {

using std::chrono::milliseconds;

// How long a blocking read goes without looking for Ctrl-C.
constexpr milliseconds kSignalInterval{100};

struct Batch {
  std::shared_ptr<const TableSchema> table;
  std::shared_ptr<arrow::RecordBatch> rows;
};

struct Source {
  SourceOptions options;
};

using Name = std::pair<std::string, std::string>;

// (state, batch): "batch", "timeout" or "end".
std::pair<std::string, std::optional<Batch>> Next(Reader& reader, int64_t timeout_ms,
                                                  std::optional<uint64_t> until) {
  const auto deadline = std::chrono::steady_clock::now() + milliseconds(timeout_ms);
  while (true) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
    arrow::Result<ReadResult> result = ReadResult{};
    {
      const nb::gil_scoped_release release;
      result = reader.Next(std::clamp(left, milliseconds(0), kSignalInterval), until);
    }
    ReadResult read = Check(std::move(result));
    if (read.state == ReadState::kBatch) return {"batch", Batch{std::move(read.table), std::move(read.rows)}};
    if (read.state == ReadState::kEnd) return {"end", std::nullopt};
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (left <= kSignalInterval) return {"timeout", std::nullopt};
  }
}

// fd: an eventfd that becomes readable when there may be something to read; -1: none.
void SetNotifyFd(Reader& reader, int fd) {
  const nb::gil_scoped_release release;
  if (fd < 0) return reader.SetNotify(nullptr);
  reader.SetNotify([fd] {
    const uint64_t one = 1;
    // A full counter is readable already.
    [[maybe_unused]] const auto written = write(fd, &one, sizeof one);
  });
}

std::unique_ptr<ReaderSet> Open(const Source& source, const std::vector<Name>& tables,
                                int64_t reader_bytes_max, int partitions, int64_t unread_limit_ms,
                                int64_t slow_limit_ms, int64_t retry_max_ms,
                                std::optional<uint64_t> until_lsn, bool until_now) {
  ReaderSetOptions options;
  for (const Name& name : tables) options.tables.push_back({name.first, name.second});
  options.reader_bytes_max = reader_bytes_max;
  options.partitions = partitions;
  options.unread_limit = milliseconds(unread_limit_ms);
  options.slow_limit = milliseconds(slow_limit_ms);
  options.retry_max = milliseconds(retry_max_ms);
  options.until_lsn = until_lsn;
  options.until_now = until_now;
  arrow::Result<std::unique_ptr<ReaderSet>> opened = std::unique_ptr<ReaderSet>();
  {
    const nb::gil_scoped_release release;
    opened = [&]() -> arrow::Result<std::unique_ptr<ReaderSet>> {
      ARROW_ASSIGN_OR_RAISE(auto stream, MakePostgresSource(source.options));
      std::optional<TablePatterns> patterns;
      if (!source.options.tables.empty()) {
        ARROW_ASSIGN_OR_RAISE(patterns, TablePatterns::Parse(source.options.tables));
      }
      return ReaderSet::Open(std::move(stream), std::move(options), std::move(patterns));
    }();
  }
  return Check(std::move(opened));
}

// What setup would do or has done, in words, and the tables it covers.
std::pair<std::vector<Name>, std::vector<std::string>> Setup(const Source& source, bool insert_only,
                                                             bool apply) {
  arrow::Result<SetupPlan> planned = SetupPlan{};
  {
    const nb::gil_scoped_release release;
    planned = PlanSetup(source.options, {.insert_only = insert_only});
    if (planned.ok() && apply) {
      const arrow::Status applied = ApplySetup(source.options, *planned, nullptr);
      if (!applied.ok()) planned = applied;
    }
  }
  const SetupPlan plan = Check(std::move(planned));
  std::pair<std::vector<Name>, std::vector<std::string>> result;
  for (const TableName& table : plan.tables) result.first.emplace_back(table.schema, table.table);
  for (const SetupStep& step : plan.steps) result.second.push_back(step.what);
  return result;
}

void Teardown(const Source& source) {
  arrow::Status status;
  {
    const nb::gil_scoped_release release;
    const auto plan = PlanTeardown(source.options);
    status = plan.ok() ? ApplySetup(source.options, *plan, nullptr) : plan.status();
  }
  Check(status);
}

uint64_t CurrentLsn(const Source& source) {
  arrow::Result<SlotStatus> status = SlotStatus{};
  {
    const nb::gil_scoped_release release;
    status = GetSlotStatus(source.options);
  }
  return Check(std::move(status)).current_lsn;
}

nb::object NextEvent(ReaderSet& set, int64_t timeout_ms) {
  std::optional<ReaderEvent> event;
  {
    const nb::gil_scoped_release release;
    event = set.NextEvent(milliseconds(timeout_ms));
  }
  if (!event.has_value()) return nb::none();
  const char* kind = event->kind == ReaderEvent::Kind::kReaderAdded   ? "reader_added"
                     : event->kind == ReaderEvent::Kind::kReaderEnded ? "reader_ended"
                                                                      : "reconnecting";
  return nb::make_tuple(kind, event->reader, event->status.message());
}

nb::dict Stats(const ReaderSet& set) {
  const ReaderSetStats stats = set.stats();
  nb::dict dict;
  dict["delivered_lsn"] = stats.delivered_lsn;
  dict["acknowledged_lsn"] = stats.acknowledged_lsn;
  dict["server_lsn"] = stats.server_lsn;
  dict["received_bytes"] = stats.received_bytes;
  dict["reconnects"] = stats.reconnects;
  return dict;
}

nb::dict ReaderStatsOf(const Reader& reader) {
  const ReaderStats stats = reader.stats();
  nb::dict dict;
  dict["rows"] = stats.rows;
  dict["batches"] = stats.batches;
  dict["waiting_bytes"] = stats.waiting_bytes;
  dict["uncommitted_batches"] = stats.uncommitted_batches;
  return dict;
}

}  // namespace

NB_MODULE(_core, module) {
  module.attr("__version__") = ARROWCDC_VERSION;
  module.attr("arrow_major") = ARROW_VERSION_MAJOR;

  nb::class_<Source>(module, "Source")
      .def(
          "__init__",
          [](Source* self, std::string conninfo, std::string slot, std::vector<std::string> publications,
             std::vector<std::string> tables, int64_t buffer_bytes_max, const std::string& compression) {
            const WireCompression wanted = Check(ParseWireCompression(compression));
            new (self) Source();
            self->options.conninfo = std::move(conninfo);
            self->options.slot = std::move(slot);
            self->options.publications = std::move(publications);
            self->options.tables = std::move(tables);
            self->options.buffer_bytes_max = buffer_bytes_max;
            self->options.compression = wanted;
          },
          "conninfo"_a, "slot"_a, "publications"_a, "tables"_a, "buffer_bytes_max"_a, "compression"_a);

  nb::class_<Batch>(module, "Batch")
      .def_prop_ro("num_rows", [](const Batch& batch) { return batch.rows->num_rows(); })
      .def_prop_ro("key_columns",
                   [](const Batch& batch) {
                     std::vector<std::string> names;
                     for (const int field : batch.table->key_fields)
                       names.push_back(batch.table->schema->field(field)->name());
                     return names;
                   })
      .def("__arrow_c_schema__", [](const Batch& batch) { return ToSchemaCapsule(*batch.rows->schema()); })
      .def(
          "__arrow_c_array__", [](const Batch& batch, const nb::object&) { return ToCapsules(*batch.rows); },
          "requested_schema"_a = nb::none());

  nb::class_<Reader>(module, "Reader")
      .def_prop_ro("table",
                   [](const Reader& reader) { return Name(reader.table().schema, reader.table().table); })
      .def_prop_ro("name", [](const Reader& reader) { return ToString(reader.table()); })
      .def_prop_ro("partition", &Reader::partition)
      .def("next", &Next, "timeout_ms"_a, "until"_a = nb::none())
      .def("commit",
           [](Reader& reader) {
             arrow::Status status;
             {
               const nb::gil_scoped_release release;
               status = reader.Commit();
             }
             Check(status);
           })
      .def("close", &Reader::Close, nb::call_guard<nb::gil_scoped_release>())
      .def("abandon", &Reader::Abandon, nb::call_guard<nb::gil_scoped_release>())
      .def("set_notify_fd", &SetNotifyFd, "fd"_a)
      .def("stats", &ReaderStatsOf);

  nb::class_<ReaderSet>(module, "ReaderSet")
      .def("readers", &ReaderSet::readers)
      .def("next_event", &NextEvent, "timeout_ms"_a)
      .def("stats", &Stats)
      .def("stop", [](ReaderSet& set) {
        arrow::Status status;
        {
          const nb::gil_scoped_release release;
          status = set.Stop();
        }
        Check(status);
      });

  module.def("open", &Open, "source"_a, "tables"_a, "reader_bytes_max"_a, "partitions"_a, "unread_limit_ms"_a,
             "slow_limit_ms"_a, "retry_max_ms"_a, "until_lsn"_a = nb::none(), "until_now"_a = false);
  module.def("setup", &Setup, "source"_a, "insert_only"_a, "apply"_a);
  module.def("teardown", &Teardown, "source"_a);
  module.def("current_lsn", &CurrentLsn, "source"_a);
  module.def("parse_lsn", [](const std::string& text) { return Check(ParseLsn(text)); });
  module.def("format_lsn", [](uint64_t lsn) { return FormatLsn(lsn); });
}

}  // namespace arrowcdc::python
