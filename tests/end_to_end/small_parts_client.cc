// arrowcdc stream --sink parquet:DIR with parts of a size that a test can afford, and two sessions:
//   small_parts_client CONNINFO DIR PART_BYTES [--until-now]
// Says on standard output where copies began, a line a table: POINT TABLE PARTS_KEPT PARTS.
#include <cstdio>
#include <set>
#include <string>

#include "arrowcdc/error.h"
#include "arrowcdc/pipeline.h"
#include "arrowcdc/postgres.h"
#include "arrowcdc/sink.h"

namespace arrowcdc {
namespace {

struct Observer : PipelineObserver {
  void OnSnapshot(const SnapshotProgress& progress) override {
    if (!told.insert(progress.point).second) return;
    for (const auto& table : progress.tables) {
      std::printf("%s %s %d %d\n", FormatLsn(progress.point.order).c_str(), ToString(table.name).c_str(),
                  table.parts_kept, table.part_count);
    }
    std::fflush(stdout);
  }
  void OnRetry(const arrow::Status& status, std::chrono::milliseconds) override {
    std::fprintf(stderr, "again: %s\n", status.ToString().c_str());
  }
  void OnNotice(const SourceNotice& notice) override { std::fprintf(stderr, "%s\n", notice.text.c_str()); }
  std::set<Position> told;
};

arrow::Status Run(int argc, char** argv) {
  PostgresOptions from;
  from.conninfo = argv[1];
  from.tables = {"public.*"};
  from.snapshot_part_bytes = std::stoll(argv[3]);
  ARROW_ASSIGN_OR_RAISE(const auto source, MakePostgresSource(from));
  SinkOptions sink_options;
  sink_options.roll_age = std::chrono::milliseconds(300);
  ARROW_ASSIGN_OR_RAISE(const auto sink, MakeSink(std::string("parquet:") + argv[2], sink_options));
  ARROW_ASSIGN_OR_RAISE(const auto patterns, TablePatterns::Parse(from.tables));
  PipelineOptions options;
  options.snapshot = SnapshotMode::kInitial;
  options.snapshot_connections = 2;
  if (argc > 4) options.until = "now";
  Observer observer;
  const StopToken stop;
  return RunPipeline(*source, *sink, options, &patterns, observer, stop).status();
}

}  // namespace
}  // namespace arrowcdc

int main(int argc, char** argv) {
  const arrow::Status status = arrowcdc::Run(argc, argv);
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
