// The names below are what readers of the figures rely on, written out: they are not taken from the code.
#include "bench/figures.h"

#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "bench/partition.h"

namespace arrowcdc::bench {
namespace {

const std::vector<std::string> kWorkloads = {
    "narrow",       "narrow_tcp",   "wide", "mixed_full", "one_row",  "big_txn",      "latency_100",
    "latency_1000", "latency_5000", "tpcb", "live_1500",  "live_300", "live_foreign", "idle_streams"};
const std::vector<std::string> kContenders = {"wal2arrow_null",
                                              "wal2arrow_parquet",
                                              "wal2arrow_null_drain_off",
                                              "wal2arrow_null_batch_off",
                                              "wal2arrow_null_lz4",
                                              "wal2arrow_null_zstd",
                                              "wal2arrow_null_python",
                                              "wal2arrow_reader",
                                              "noop_walsender",
                                              "noop_sql_peek",
                                              "pgoutput_text",
                                              "pgoutput_binary",
                                              "test_decoding",
                                              "wal2json_v1",
                                              "wal2json_v1_arrow",
                                              "wal2json_v2",
                                              "wal2json_v2_arrow",
                                              "decoderbufs",
                                              "copy_binary",
                                              "debezium_connect",
                                              "wal2arrow_null_paced"};
const std::vector<std::string> kAllMetrics = {
    "rows_per_s",         "txns_per_s",       "server_cpu_s_per_m_rows", "client_cpu_s_per_m_rows",
    "wire_bytes_per_row", "client_rss_bytes", "walsender_rss_bytes",     "latency_s",
    "rows_expected",      "rows_verified",    "drained_share",           "txns_per_frame"};

nlohmann::ordered_json Figures(const RunOptions& options, const std::string& trouble, Results* results) {
  DeclareRatios(options.quick, results);
  FillAllAbsent(options, trouble, results);
  return results->ToJson();
}

// A key without its last part.
std::string Prefix(const std::string& key) { return key.substr(0, key.rfind('.')); }

TEST(FiguresTest, OnlyWhatThereIsCanBeAskedFor) {
  RunOptions options;
  EXPECT_TRUE(CheckNames(options).ok());
  options.workloads = kWorkloads;
  options.workloads.push_back("partition");
  options.contenders = kContenders;
  EXPECT_TRUE(CheckNames(options).ok()) << CheckNames(options);
  options.contenders.push_back("pgoutput");
  EXPECT_NE(CheckNames(options).message().find("no contender 'pgoutput'; there are "), std::string::npos);
  EXPECT_NE(CheckNames(options).message().find(", pgoutput_text, "), std::string::npos);
  options.workloads.push_back("narow");
  EXPECT_NE(CheckNames(options).message().find("no workload 'narow'"), std::string::npos);
}

TEST(FiguresTest, EveryMetricOfEveryContenderIsThereInEveryWorkload) {
  Results results;
  const auto json = Figures({}, "the server did not start", &results);
  for (const auto& workload : kWorkloads) {
    for (const auto& contender : kContenders) {
      for (const auto& metric : kAllMetrics) {
        const std::string key = workload + "." + contender + "." + metric;
        ASSERT_TRUE(json.contains(key + ".median")) << key;
        EXPECT_TRUE(json.at(key + ".median").is_null()) << key;
      }
      for (const char* stat : {"p50", "p99", "p999"}) {
        EXPECT_TRUE(json.at(workload + "." + contender + ".latency_s." + stat).is_null());
      }
    }
  }
  EXPECT_EQ(json.at("narrow.wal2arrow_null.rows_per_s.reason"), "the server did not start");
  EXPECT_EQ(json.at("narrow.debezium_connect.rows_per_s.reason"), "only measured with PEERS=all");
  EXPECT_EQ(json.at("mixed_full.copy_binary.rows_per_s.reason"), "not a contender of this workload");
}

TEST(FiguresTest, KeysAreFlatAndEveryNullHasItsReason) {
  Results results;
  results.SetMeta("cores", 2);
  for (const char* contender : {"wal2arrow_null", "pgoutput_binary"}) {
    results.Add("narrow", contender, "rows_per_s", 0, 10);
    results.AddLatencies("latency_100", contender, 0, {0.001});
  }
  results.Add("tpcb", "no_consumer", "server_cpu_s_per_m_rows", 0, 1);
  results.Add("partition", PartitionCases().front().name, "rows_per_s", 0, 1);
  RunOptions options;
  options.workloads = {"narrow", "latency_100"};
  const auto json = Figures(options, "", &results);
  const std::regex figure("[a-z0-9_]+(\\.[a-z0-9_]+){3}");
  const std::regex ratio("ratio(\\.[a-z0-9_]+){5}");
  const std::regex meta("meta\\.[a-z0-9_]+");
  int nulls = 0;
  int numbers = 0;
  for (const auto& [key, value] : json.items()) {
    EXPECT_TRUE(std::regex_match(key, figure) || std::regex_match(key, ratio) || std::regex_match(key, meta))
        << key;
    if (key.ends_with(".reason")) {
      EXPECT_TRUE(value.is_string() && !value.get<std::string>().empty()) << key;
      const char* stat = key.find("latency_s") == std::string::npos ? ".median" : ".p50";
      EXPECT_TRUE(json.at(Prefix(key) + stat).is_null()) << key;
    } else if (value.is_null()) {
      EXPECT_TRUE(json.contains(Prefix(key) + ".reason")) << key;
      ++nulls;
    } else {
      EXPECT_TRUE(value.is_number()) << key;
      EXPECT_FALSE(json.contains(Prefix(key) + ".reason")) << key;
      ++numbers;
    }
  }
  // Statistics of six figures (latencies have three more), of one ratio, percentiles of another, one of meta.
  EXPECT_EQ(numbers, 6 * 4 + 2 * 3 + 4 + 3 + 1);
  EXPECT_GT(nulls, 1000);
  EXPECT_EQ(json.at("narrow.wal2arrow_null.rows_per_s.median"), 10);
  EXPECT_EQ(json.at("ratio.narrow.rows_per_s.wal2arrow_null.pgoutput_binary.median"), 1);
  EXPECT_EQ(json.at("wide.wal2arrow_null.rows_per_s.reason"), "left out of this run");
  EXPECT_EQ(json.at("narrow.wal2arrow_null.latency_s.reason"), "not a metric of this workload");
}

TEST(FiguresTest, TheRatiosOfTheGoalsAreThere) {
  Results results;
  const auto json = Figures({}, "", &results);
  for (const char* key : {
           "ratio.narrow.rows_per_s.wal2arrow_null.noop_walsender.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.pgoutput_binary.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.wal2json_v1.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.wal2json_v2.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.wal2json_v1_arrow.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.wal2json_v2_arrow.median",
           "ratio.narrow.rows_per_s.wal2arrow_null.debezium_connect.median",
           "ratio.narrow.wall_s.wal2arrow_null.noop_sql_peek.median",
           "ratio.narrow.server_cpu_s_per_m_rows.wal2arrow_null.pgoutput_binary.median",
           "ratio.narrow.wire_bytes_per_row.wal2arrow_null.pgoutput_binary.median",
           "ratio.narrow.rows_per_s.wal2arrow_null_python.wal2arrow_null.median",
           "ratio.narrow.rows_per_s.pgoutput_null_by_sql.pgoutput_binary.median",
           "ratio.narrow.rows_per_s.pgoutput_null_by_sql_5.pgoutput_binary.median",
           "ratio.narrow.rows_per_s.pgoutput_null.pgoutput_binary_recvlogical.median",
           "ratio.wide.rows_per_s.wal2arrow_null.pgoutput_binary.median",
           "ratio.wide.rows_per_s.wal2arrow_null.wal2json_v2_arrow.median",
           "ratio.one_row.txns_per_s.wal2arrow_null.noop_walsender.median",
           "ratio.one_row.txns_per_s.wal2arrow_null.pgoutput_binary.median",
           "ratio.latency_1000.latency_s.wal2arrow_null.pgoutput_binary.p50",
           "ratio.tpcb.server_cpu_s_per_m_rows.wal2arrow_null.pgoutput_binary.median",
           "ratio.tpcb.walsender_cpu_s_per_m_rows.wal2arrow_null.pgoutput_binary.median",
           "ratio.narrow.rows_per_s.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.wide.rows_per_s.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.mixed_full.rows_per_s.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.one_row.rows_per_s.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.big_txn.rows_per_s.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.tpcb.client_cpu_s_per_m_rows.wal2arrow_parquet.wal2arrow_null.median",
           "ratio.latency_5000.server_cpu_s_per_m_rows.wal2arrow_null.pgoutput_binary.median",
           "ratio.live_1500.server_cpu_s_per_m_rows.wal2arrow_parquet.pgoutput_binary_recvlogical.median",
           "ratio.live_300.client_cpu_s_per_m_rows.wal2arrow_parquet.wal2json_v2.median",
           "ratio.live_1500.client_cpu_s_per_m_rows.wal2arrow_parquet.wal2arrow_null_paced.median",
           "ratio.live_foreign.server_cpu_percent.wal2arrow_parquet.debezium_connect.median",
           "live_foreign.wal2arrow_parquet.client_cpu_percent.median",
           "idle_streams.wal2arrow_parquet.load_share.median",
           "idle_streams.pgoutput_binary_recvlogical.load_share.median",
       }) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
}

// The time of partition's ways is real, however short: a figure that stands still would be none.
TEST(FiguresTest, PartitionMeasuresEveryWay) {
  Results results;
  ASSERT_TRUE(RunPartition(1, &results).ok());
  for (const PartitionCase& one : PartitionCases()) {
    for (const char* metric : {"rows_per_s", "arrow_take_rows_per_s", "naive_rows_per_s", "memcpy_rows_per_s",
                               "share_of_memcpy", "arrow_take_share_of_memcpy", "naive_share_of_memcpy"}) {
      const auto found = results.Get("partition", one.name, metric);
      ASSERT_TRUE(found.has_value()) << one.name << " " << metric;
      EXPECT_GT(found->median, 0) << one.name << " " << metric;
    }
  }
}

}  // namespace
}  // namespace arrowcdc::bench
