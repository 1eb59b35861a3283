// What reads a MySQL's binary log in arrowcdc_bench_mysql, each in a process of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::bench {

// What a contender says of itself; what it does not, its parent measures.
struct Reading {
  int64_t rows = 0;                        // 0: it does not count any
  std::vector<int64_t> latencies_us = {};  // of rows, from commit to batch
};

// Reads packets and drops them: what the server and the connection allow.
arrow::Result<Reading> ReadPackets(const std::string& url, const std::string& first_file);
// Typed batches, validated and dropped.
arrow::Result<Reading> ReadBatches(const std::string& url, const std::string& table, int64_t rows);
// The same with the files in `directory`, on one processor alone or on all.
arrow::Result<Reading> ReadFiles(const std::string& directory, const std::string& table, int64_t rows,
                                 bool one_processor);
// With the latency of each row.
arrow::Result<Reading> ReadLatencies(const std::string& url, const std::string& table, int64_t rows);
// Into durable Parquet, exactly once.
arrow::Result<Reading> WriteParquet(const std::string& url, const std::string& table);

// Programs of others, which the process becomes: only errors return. Debezium's says what it has read in a
// line of bench/drain_process.h.
arrow::Result<Reading> RunMysqlbinlog(const std::string& servers, int port, const std::string& first_file);
// It asks no MySQL of today, and reads its file.
arrow::Result<Reading> RunMariadbBinlog(const std::string& servers, const std::string& file);
// `gtids`: what it takes for read.
arrow::Result<Reading> RunDebezium(int port, const std::string& gtids, const std::string& table, int64_t rows,
                                   bool latencies);

}  // namespace arrowcdc::bench
