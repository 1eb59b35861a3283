#include "bench/report.h"

#include <cstdio>

#include "bench/contender.h"
#include "bench/figures.h"
#include "bench/partition.h"
#include "bench/run_options.h"

namespace arrowcdc::bench {
namespace {

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value >= 100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value);
  return text;
}

std::string RangeText(const Statistics& statistics) {
  return Number(statistics.min) + " .. " + Number(statistics.max);
}

// Those that were not to take part need no line.
void PrintAbsent(const Results& results, const std::string& workload, const std::string& contender,
                 const char* metric) {
  const std::string reason = results.Reason(workload, contender, metric);
  if (reason != kNotAContender && reason != kLeftOut)
    std::printf("%-30s %10s  %s\n", contender.c_str(), "-", reason.c_str());
}

std::string Median(const Results& results, const std::string& workload, const std::string& contender,
                   const char* metric, double unit) {
  const auto found = results.Get(workload, contender, metric);
  return found ? Number(found->median / unit) : "-";
}

std::string RatioText(const Results& results, const std::string& workload, const char* metric,
                      const std::string& contender, const std::string& other) {
  const auto found = results.Ratio(workload, metric, contender, other);
  return found ? Number(found->median) : "-";
}

}  // namespace

void PrintBacklog(const Results& results, const std::string& workload) {
  std::printf("\n%s\n%-30s %10s %21s %3s %10s %10s %8s %9s %9s %9s %9s\n", workload.c_str(), "", "rows/s",
              "min .. max", "n", "server CPU", "client CPU", "bytes", "server", "client", "rows/s to",
              "rows/s to");
  std::printf("%-30s %10s %21s %3s %10s %10s %8s %9s %9s %9s %9s\n", "", "median", "", "", "s/M rows",
              "s/M rows", "per row", "anon MB", "peak MB", "pgoutput", "ours null");
  for (const Contender& contender : Contenders()) {
    const std::string& name = contender.name;
    const auto rate = results.Get(workload, name, "rows_per_s");
    if (!rate) {
      PrintAbsent(results, workload, name, "rows_per_s");
      continue;
    }
    char range[48];
    std::snprintf(range, sizeof range, "%.0f .. %.0f", rate->min, rate->max);
    std::printf("%-30s %10.0f %21s %3lld %10s %10s %8s %9s %9s %9s %9s\n", name.c_str(), rate->median, range,
                static_cast<long long>(rate->n),
                Median(results, workload, name, "server_cpu_s_per_m_rows", 1).c_str(),
                Median(results, workload, name, "client_cpu_s_per_m_rows", 1).c_str(),
                Median(results, workload, name, "wire_bytes_per_row", 1).c_str(),
                Median(results, workload, name, "walsender_rss_bytes", 1 << 20).c_str(),
                Median(results, workload, name, "client_rss_bytes", 1 << 20).c_str(),
                RatioText(results, workload, "rows_per_s", name, "pgoutput_binary").c_str(),
                RatioText(results, workload, "rows_per_s", name, "wal2arrow_null").c_str());
  }
  std::fflush(stdout);
}

void PrintPaced(const Results& results, const std::string& workload) {
  std::printf("\n%s\n%-30s %10s %10s %10s %10s %12s %10s %10s %11s\n", workload.c_str(), "", "p50 ms",
              "p99 ms", "p99.9 ms", "max ms", "transactions", "server CPU", "client CPU", "server CPU");
  std::printf("%-30s %10s %10s %10s %10s %12s %10s %10s %11s\n", "", "", "", "", "", "", "s/M rows",
              "s/M rows", "to pgoutput");
  for (const Contender& contender : Contenders()) {
    const auto latencies = results.Latencies(workload, contender.name);
    if (latencies.empty()) {
      PrintAbsent(results, workload, contender.name, kLatencyMetric);
      continue;
    }
    std::printf("%-30s %10.3f %10.3f %10.3f %10.3f %12zu %10s %10s %11s\n", contender.name.c_str(),
                Percentile(latencies, 0.5) * 1e3, Percentile(latencies, 0.99) * 1e3,
                Percentile(latencies, 0.999) * 1e3, latencies.back() * 1e3, latencies.size(),
                Median(results, workload, contender.name, kServerCpuMetric, 1).c_str(),
                Median(results, workload, contender.name, kClientCpuMetric, 1).c_str(),
                RatioText(results, workload, kServerCpuMetric, contender.name, "pgoutput_binary").c_str());
  }
  std::fflush(stdout);
}

void PrintPartition(const Results& results) {
  std::printf("\n%s: million rows/s of one core, and share of memcpy\n%-30s %10s %10s %10s %10s %10s %10s\n",
              kPartition, "", "ours", "share", "arrow_take", "share", "naive", "share");
  for (const PartitionCase& one : PartitionCases()) {
    const auto text = [&](const char* metric, double unit) {
      return Median(results, kPartition, one.name, metric, unit);
    };
    std::printf("%-30s %10s %10s %10s %10s %10s %10s\n", one.name.c_str(), text("rows_per_s", 1e6).c_str(),
                text("share_of_memcpy", 1).c_str(), text("arrow_take_rows_per_s", 1e6).c_str(),
                text("arrow_take_share_of_memcpy", 1).c_str(), text("naive_rows_per_s", 1e6).c_str(),
                text("naive_share_of_memcpy", 1).c_str());
  }
  std::fflush(stdout);
}

void PrintTpcb(const Results& results, const std::string& workload) {
  std::printf("\n%s: CPU seconds per million changes\n%-30s %10s %10s %10s %10s %10s\n", workload.c_str(), "",
              "added", "min", "max", "walsender", "client");
  std::vector<std::string> names = {"no_consumer", "no_consumer_again"};
  for (const Contender& contender : Contenders()) names.push_back(contender.name);
  for (const std::string& name : names) {
    const auto added = results.Get(workload, name, kTpcbAddedMetric);
    if (!added) {
      PrintAbsent(results, workload, name, kTpcbAddedMetric);
      continue;
    }
    std::printf("%-30s %10.2f %10.2f %10.2f %10s %10s%s\n", name.c_str(), added->median, added->min,
                added->max, Median(results, workload, name, kTpcbWalsenderMetric, 1).c_str(),
                Median(results, workload, name, kClientCpuMetric, 1).c_str(),
                name == "no_consumer" ? "  in all" : "");
  }
  std::fflush(stdout);
}

void PrintLive(const Results& results, const LiveWorkload& workload) {
  const char* const server = workload.foreign ? kServerPercentMetric : kServerCpuMetric;
  const char* const client = workload.foreign ? kClientPercentMetric : kClientCpuMetric;
  std::printf("\n%s: %s\n%-30s %10s %17s %10s %17s %10s %10s\n", workload.name.c_str(),
              workload.foreign ? "CPU time, percent of a core" : "CPU seconds per million changes", "",
              "walsender", "min .. max", "client", "min .. max", "load, tps", "client to");
  std::printf("%-30s %10s %17s %10s %17s %10s %10s\n", "", "", "", "", "", "", "ours null");
  for (const Contender& contender : Contenders()) {
    const auto walsender = results.Get(workload.name, contender.name, server);
    const auto reader = results.Get(workload.name, contender.name, client);
    if (!walsender || !reader) {
      PrintAbsent(results, workload.name, contender.name, server);
      continue;
    }
    std::printf("%-30s %10s %17s %10s %17s %10s %10s\n", contender.name.c_str(),
                Number(walsender->median).c_str(), RangeText(*walsender).c_str(),
                Number(reader->median).c_str(), RangeText(*reader).c_str(),
                Median(results, workload.name, contender.name, kLoadMetric, 1).c_str(),
                RatioText(results, workload.name, client, contender.name, "wal2arrow_null_paced").c_str());
  }
  std::fflush(stdout);
}

void PrintIdleStreams(const Results& results, const std::string& workload) {
  std::printf("\n%s: pgbench in another database\n%-30s %10s %17s %10s\n", workload.c_str(), "", "of rate",
              "min .. max", "tps");
  std::vector<std::string> names = {"no_consumer"};
  for (const Contender& contender : Contenders()) names.push_back(contender.name);
  for (const std::string& name : names) {
    const auto share = results.Get(workload, name, kLoadShareMetric);
    if (!share && name != names.front()) {
      PrintAbsent(results, workload, name, kLoadShareMetric);
      continue;
    }
    std::printf("%-30s %10s %17s %10s\n", name.c_str(), share ? Number(share->median).c_str() : "",
                share ? RangeText(*share).c_str() : "",
                Median(results, workload, name, kLoadMetric, 1).c_str());
  }
  std::fflush(stdout);
}

}  // namespace arrowcdc::bench
