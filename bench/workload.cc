#include "bench/workload.h"

#include "bench/contender.h"

namespace arrowcdc::bench {
namespace {

// Of a transaction of mixed_full: 60 % inserts, 30 % updates, 10 % deletes of its own rows.
std::string MixedLoop(const Table& table, int64_t rows_per_transaction) {
  const std::string inserted = std::to_string(rows_per_transaction * 6 / 10);
  const std::string updated = std::to_string(rows_per_transaction * 3 / 10);
  const std::string kept = std::to_string(rows_per_transaction * 5 / 10);
  return table.InsertSql("k * " + inserted + " + 1", "(k + 1) * " + inserted) + "; UPDATE " + table.name +
         " SET amount = amount + 1, note = note || ', changed' WHERE id BETWEEN k * " + inserted +
         " + 1 AND k * " + inserted + " + " + updated + "; DELETE FROM " + table.name +
         " WHERE id BETWEEN k * " + inserted + " + 1 + " + kept + " AND (k + 1) * " + inserted + "; ";
}

// Of those that read a backlog of changes.
std::vector<std::string> AllBut(const std::vector<std::string>& left_out) {
  std::vector<std::string> names;
  for (const Contender& contender : Contenders()) {
    bool out = contender.connections > 1 || contender.reader == Reader::kSnapshot ||
               contender.reader == Reader::kSnapshotParquet || contender.name == "debezium_snapshot" ||
               contender.reader == Reader::kCopySelect || contender.name == "wal2arrow_null_paced";
    for (const std::string& name : left_out) out |= name == contender.name;
    if (!out) names.push_back(contender.name);
  }
  return names;
}

// All rows of a table, by so many sessions.
const std::vector<std::string> kCopies = {"snapshot_null",      "snapshot_null_2",  "snapshot_parquet",
                                          "snapshot_parquet_2", "copy_binary",      "copy_select",
                                          "copy_binary_2",      "debezium_snapshot"};

const std::vector<std::string> kOurs = {"wal2arrow_null", "wal2arrow_null_drain_off",
                                        "wal2arrow_null_batch_off"};

// As they run all day.
const std::vector<std::string> kLive = {
    "wal2arrow_parquet", "wal2arrow_null_paced", "wal2arrow_null",  "pgoutput_binary_recvlogical",
    "wal2json_v1",       "wal2json_v2",          "debezium_connect"};

std::vector<std::string> OursAnd(std::vector<std::string> others) {
  others.insert(others.begin(), kOurs.begin(), kOurs.end());
  return others;
}

}  // namespace

std::string BacklogWorkload::LoadSql() const {
  const std::string size = std::to_string(rows_per_transaction);
  const std::string body = table->full_identity
                               ? MixedLoop(*table, rows_per_transaction)
                               : table->InsertSql("k * " + size + " + 1", "(k + 1) * " + size) + "; ";
  return "DO $$ BEGIN FOR k IN 0 .. " + std::to_string(transactions() - 1) + " LOOP " + body +
         "COMMIT; END LOOP; END $$";
}

std::vector<BacklogWorkload> BacklogWorkloads(bool quick) {
  // COPY knows neither old rows nor transactions; Debezium is slow enough for two workloads to tell; what
  // Python adds does not depend on the rows, what compression takes hardly; only a large transaction is
  // streamed.
  const std::string streaming = "pgoutput_binary_streaming";
  const std::string stream_off = "wal2arrow_null_stream_off";
  const std::string lz4 = "wal2arrow_null_lz4";
  const std::string zstd = "wal2arrow_null_zstd";
  // How the same rows are read of a slot of pgoutput: one workload tells.
  const std::string null = "pgoutput_null";
  const std::string by_sql = "pgoutput_null_by_sql";
  const std::string by_sql_5 = "pgoutput_null_by_sql_5";
  const auto narrow = AllBut({streaming, stream_off});
  const auto wide = AllBut({streaming, stream_off, null, by_sql, by_sql_5, "debezium_connect",
                            "wal2arrow_reader", "wal2arrow_null_python"});
  const auto changes = AllBut({streaming, stream_off, lz4, zstd, null, by_sql, by_sql_5, "copy_binary",
                               "debezium_connect", "wal2arrow_reader", "wal2arrow_null_python"});
  const auto one_row = AllBut({streaming, stream_off, lz4, zstd, null, by_sql, by_sql_5, "copy_binary",
                               "wal2arrow_reader", "wal2arrow_null_python"});
  const auto tcp =
      OursAnd({lz4, zstd, "noop_walsender", "pgoutput_text", "pgoutput_binary", "pgoutput_text_recvlogical",
               "pgoutput_binary_recvlogical", "wal2json_v1", "wal2json_v2", "copy_binary"});
  const auto few = OursAnd({stream_off, "wal2arrow_parquet", "noop_walsender", "noop_sql_peek",
                            "pgoutput_text", "pgoutput_binary", streaming});
  return {
      {"narrow", FindTable("narrow"), false, quick ? 200'000 : 1'000'000, 5'000, 0, narrow},
      {"narrow_tcp", FindTable("narrow"), true, quick ? 200'000 : 1'000'000, 5'000, 0, tcp},
      {"wide", FindTable("wide"), false, quick ? 40'000 : 200'000, 5'000, 0, wide},
      {"mixed_full", FindTable("mixed_full"), false, quick ? 60'000 : 300'000, 1'000, 0, changes},
      {"one_row", FindTable("one_row"), false, quick ? 30'000 : 200'000, 1, 0, one_row},
      {"big_txn", FindTable("big_txn"), false, quick ? 500'000 : 10'000'000, quick ? 500'000 : 10'000'000,
       quick ? 1 : 3, few},
      {"snapshot", FindTable("narrow"), false, quick ? 1'000'000 : 5'000'000, 5'000, 0, kCopies},
      {"snapshot_wide", FindTable("wide"), false, quick ? 100'000 : 500'000, 5'000, 0, kCopies},
  };
}

std::vector<PacedWorkload> PacedWorkloads(bool quick) {
  const auto contenders = OursAnd({"noop_walsender", "pgoutput_text", "pgoutput_binary", "decoderbufs"});
  std::vector<PacedWorkload> workloads;
  for (const int rate : {100, 1000, 5000}) {
    workloads.push_back({"latency_" + std::to_string(rate), rate, quick ? 2 : 15, contenders});
    if (rate == 1000) workloads.back().contenders.push_back("debezium_connect");
  }
  return workloads;
}

TpcbWorkload MakeTpcbWorkload(bool quick) {
  return {.seconds = quick ? 3 : 25,
          .contenders = OursAnd({"wal2arrow_parquet", "noop_walsender", "pgoutput_binary"})};
}

std::vector<LiveWorkload> LiveWorkloads(bool quick) {
  const int seconds = quick ? 3 : 15;
  return {{"live_1500", 1500, false, seconds, kLive},
          {"live_300", 300, false, seconds, kLive},
          {"live_foreign", 1500, true, seconds, kLive}};
}

IdleStreamsWorkload MakeIdleStreamsWorkload(bool quick) {
  return {.seconds = quick ? 3 : 10, .contenders = kLive};
}

}  // namespace arrowcdc::bench
