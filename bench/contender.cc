#include "bench/contender.h"

#include <chrono>

namespace arrowcdc::bench {
namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

const Options kPgoutputText = {{"proto_version", "1"}, {"publication_names", kPublication}};
const Options kPgoutputBinary = {
    {"proto_version", "1"}, {"publication_names", kPublication}, {"binary", "true"}};
// Sends a large transaction before its commit, so that the server need not write it to disk and read it
// again. What the transaction's end decides is left to the client.
const Options kPgoutputStreaming = {
    {"proto_version", "2"}, {"publication_names", kPublication}, {"binary", "true"}, {"streaming", "on"}};
// Leaner than anybody runs them: no types, no LSN, no transaction id, no timestamp.
const Options kWal2jsonV1 = {{"format-version", "1"}, {"include-types", "false"}};
const Options kWal2json = {{"format-version", "2"}, {"include-types", "false"}};

PostgresOptions DrainOff() {
  PostgresOptions options;
  options.drain = false;
  return options;
}

PostgresOptions BatchingOff() {
  PostgresOptions options;
  options.batching = false;
  return options;
}

PostgresOptions StreamingOff() {
  PostgresOptions options;
  options.streaming = false;
  return options;
}

PostgresOptions Compressed(WireCompression compression) {
  PostgresOptions options;
  options.compression = compression;
  return options;
}

// What the command line asks for where changes go into files.
PostgresOptions Paced() {
  PostgresOptions options;
  options.latency = std::chrono::milliseconds(50);
  return options;
}

// A chunk of everything, or five of the narrow workload.
PostgresOptions BySql(int64_t messages) {
  PostgresOptions options;
  options.catch_up = CatchUp::kSql;
  options.catch_up_messages = messages;
  return options;
}
constexpr int64_t kOneChunk = 1'000'000'000;
constexpr int64_t kFifth = 200'000;

}  // namespace

const std::vector<Contender>& Contenders() {
  static const std::vector<Contender> contenders = {
      {.name = "wal2arrow_null", .reader = Reader::kSource, .plugin = "wal2arrow"},
      {.name = "wal2arrow_null_lz4",
       .reader = Reader::kSource,
       .plugin = "wal2arrow",
       .source = Compressed(WireCompression::kLz4)},
      {.name = "wal2arrow_null_zstd",
       .reader = Reader::kSource,
       .plugin = "wal2arrow",
       .source = Compressed(WireCompression::kZstd)},
      {.name = "wal2arrow_parquet", .reader = Reader::kPipeline, .plugin = "wal2arrow", .source = Paced()},
      {.name = "wal2arrow_null_paced", .reader = Reader::kSource, .plugin = "wal2arrow", .source = Paced()},
      {.name = "wal2arrow_null_drain_off",
       .reader = Reader::kSource,
       .plugin = "wal2arrow",
       .source = DrainOff()},
      {.name = "wal2arrow_null_batch_off",
       .reader = Reader::kSource,
       .plugin = "wal2arrow",
       .source = BatchingOff()},
      {.name = "wal2arrow_null_stream_off",
       .reader = Reader::kSource,
       .plugin = "wal2arrow",
       .source = StreamingOff()},
      {.name = "wal2arrow_reader", .reader = Reader::kReaders, .plugin = "wal2arrow"},
      {.name = "wal2arrow_null_python", .reader = Reader::kPython, .plugin = "wal2arrow"},
      {.name = "noop_walsender", .reader = Reader::kNoop, .plugin = "arrowcdc_noop"},
      {.name = "noop_sql_peek", .reader = Reader::kSqlPeek, .plugin = "arrowcdc_noop"},
      {.name = "pgoutput_text", .reader = Reader::kPgoutput, .plugin = "pgoutput", .options = kPgoutputText},
      {.name = "pgoutput_binary",
       .reader = Reader::kPgoutput,
       .plugin = "pgoutput",
       .options = kPgoutputBinary},
      {.name = "pgoutput_binary_streaming",
       .reader = Reader::kPgoutput,
       .plugin = "pgoutput",
       .options = kPgoutputStreaming},
      {.name = "pgoutput_null", .reader = Reader::kSource, .plugin = "pgoutput"},
      {.name = "pgoutput_null_by_sql",
       .reader = Reader::kSource,
       .plugin = "pgoutput",
       .source = BySql(kOneChunk)},
      {.name = "pgoutput_null_by_sql_5",
       .reader = Reader::kSource,
       .plugin = "pgoutput",
       .source = BySql(kFifth)},
      {.name = "pgoutput_text_recvlogical",
       .reader = Reader::kRecvlogical,
       .plugin = "pgoutput",
       .options = kPgoutputText},
      {.name = "pgoutput_binary_recvlogical",
       .reader = Reader::kRecvlogical,
       .plugin = "pgoutput",
       .options = kPgoutputBinary},
      {.name = "test_decoding", .reader = Reader::kTestDecoding, .plugin = "test_decoding"},
      {.name = "wal2json_v1", .reader = Reader::kWal2jsonV1, .plugin = "wal2json", .options = kWal2jsonV1},
      {.name = "wal2json_v1_arrow",
       .reader = Reader::kWal2jsonV1Arrow,
       .plugin = "wal2json",
       .options = kWal2jsonV1},
      {.name = "wal2json_v2", .reader = Reader::kWal2json, .plugin = "wal2json", .options = kWal2json},
      {.name = "wal2json_v2_arrow",
       .reader = Reader::kWal2jsonArrow,
       .plugin = "wal2json",
       .options = kWal2json},
      {.name = "decoderbufs", .reader = Reader::kDecoderbufs, .plugin = "decoderbufs"},
      {.name = "copy_binary", .reader = Reader::kCopy},
      {.name = "copy_select", .reader = Reader::kCopySelect},
      {.name = "copy_binary_2", .reader = Reader::kCopy, .connections = 2},
      {.name = "snapshot_null", .reader = Reader::kSnapshot},
      {.name = "snapshot_null_2", .reader = Reader::kSnapshot, .connections = 2},
      {.name = "snapshot_parquet", .reader = Reader::kSnapshotParquet},
      {.name = "snapshot_parquet_2", .reader = Reader::kSnapshotParquet, .connections = 2},
      {.name = "debezium_snapshot", .reader = Reader::kDebezium, .downloaded = true, .tcp_only = true},
      {.name = "debezium_connect",
       .reader = Reader::kDebezium,
       .plugin = "pgoutput",
       .downloaded = true,
       .tcp_only = true},
  };
  return contenders;
}

const Contender* FindContender(std::string_view name) {
  for (const Contender& contender : Contenders()) {
    if (contender.name == name) return &contender;
  }
  return nullptr;
}

}  // namespace arrowcdc::bench
