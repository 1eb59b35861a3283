#include "cli/monitor/metrics_text.h"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <utility>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/monitor/state_json.h"
#include "cli/time_text.h"

namespace arrowcdc::cli {
namespace {

using std::chrono::seconds;
using Wall = std::chrono::system_clock::time_point;
using Steady = std::chrono::steady_clock::time_point;

// One of everything.
StreamView View() {
  StreamView view;
  view.slot_name = "shop";
  view.sink = "parquet /data";
  view.phase = StreamPhase::kStreaming;
  view.stats.connected = true;
  view.stats.rows = 3;
  view.stats.tables[{"public", "a\"b\\c\nd"}] = {.rows = 3, .bytes = 100, .batches = 2};
  view.stats.commit_to_durable.counts[0] = 2;
  view.stats.commit_to_durable.counts.back() = 1;
  view.stats.commit_to_durable.sum = 4000.5;
  view.snapshot.emplace();
  view.snapshot->tables.push_back({.name = {"public", "t"}, .rows = 7, .part_count = 1});
  SlotStatus status;
  status.exists = true;
  status.wal_status = "reserved";
  status.retained_bytes = 16 << 20;
  status.safe_wal_bytes = 1000;
  view.slot = SlotView{Wall(seconds(50)), status, 10.0, seconds(100)};
  view.events.push_back({Wall(seconds(50)), StreamEvent::Level::kError, "it broke", "server"});
  return view;
}

std::string Metrics(const StreamView& view) {
  return FormatMetrics(view, "1.2.3", Wall(seconds(100)), Steady(seconds(0)));
}

void ExpectLine(const std::string& text, const std::string& line) {
  EXPECT_NE(("\n" + text).find("\n" + line + "\n"), std::string::npos) << line << "\nin\n" << text;
}

TEST(MetricsText, HasTheNumbersUnderPrometheusNames) {
  const std::string text = Metrics(View());
  ExpectLine(text, "# TYPE arrowcdc_rows_total counter");
  ExpectLine(text, "arrowcdc_rows_total{schema=\"public\",table=\"a\\\"b\\\\c\\nd\"} 3");
  ExpectLine(text, "arrowcdc_bytes_total{schema=\"public\",table=\"a\\\"b\\\\c\\nd\"} 100");
  ExpectLine(text, "arrowcdc_batches_total{schema=\"public\",table=\"a\\\"b\\\\c\\nd\"} 2");
  ExpectLine(text, "# TYPE arrowcdc_commit_to_durable_seconds histogram");
  ExpectLine(text, "arrowcdc_commit_to_durable_seconds_bucket{le=\"0.01\"} 2");
  ExpectLine(text, "arrowcdc_commit_to_durable_seconds_bucket{le=\"1800\"} 2");
  ExpectLine(text, "arrowcdc_commit_to_durable_seconds_bucket{le=\"+Inf\"} 3");
  ExpectLine(text, "arrowcdc_commit_to_durable_seconds_sum 4000.5");
  ExpectLine(text, "arrowcdc_commit_to_durable_seconds_count 3");
  ExpectLine(text, "arrowcdc_slot_retained_bytes 16777216");
  ExpectLine(text, "arrowcdc_slot_wal_status{status=\"reserved\"} 1");
  ExpectLine(text, "arrowcdc_slot_wal_status{status=\"lost\"} 0");
  ExpectLine(text, "arrowcdc_slot_safe_wal_bytes 1000");
  ExpectLine(text, "arrowcdc_slot_invalidation_seconds 100");
  ExpectLine(text, "arrowcdc_snapshot_rows{schema=\"public\",table=\"t\"} 7");
  ExpectLine(text, "arrowcdc_build_info{version=\"1.2.3\"} 1");
  ExpectLine(text, "arrowcdc_ready 1");
}

// Zero would be a claim.
TEST(MetricsText, WhatIsNotKnownIsNotThere) {
  const std::string text = Metrics(StreamView());
  EXPECT_EQ(text.find("arrowcdc_slot"), std::string::npos);
  EXPECT_EQ(text.find("arrowcdc_snapshot"), std::string::npos);
  ExpectLine(text, "arrowcdc_ready 0");
  ExpectLine(text, "arrowcdc_lag_bytes 0");
}

// Alerts and boards that ask for what is not there stay silent.
TEST(MetricsText, TheExamplesAskForWhatThereIs) {
  const std::string text = Metrics(View());
  const std::regex name("arrowcdc_[a-z_]+");
  int found = 0;
  for (const char* file : {"alerts.yaml", "alerts_test.yaml", "grafana.json"}) {
    std::ifstream stream(std::filesystem::path(ARROWCDC_MONITORING) / file);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    ASSERT_FALSE(content.empty()) << file;
    for (auto at = std::sregex_iterator(content.begin(), content.end(), name); at != std::sregex_iterator();
         ++at) {
      ++found;
      const std::string asked = at->str();
      EXPECT_TRUE(text.find("\n" + asked + "{") != std::string::npos ||
                  text.find("\n" + asked + " ") != std::string::npos)
          << file << ": " << asked;
    }
  }
  EXPECT_GT(found, 30);
}

// What Grafana needs of a dashboard to import it, and a board to be read: a panel without a query, or under
// another one, would show nothing.
TEST(MetricsText, TheBoardIsADashboard) {
  std::ifstream stream(std::filesystem::path(ARROWCDC_MONITORING) / "grafana.json");
  const auto board = nlohmann::json::parse(stream, nullptr, false);
  ASSERT_TRUE(board.is_object());
  EXPECT_TRUE(board.at("title").is_string());
  EXPECT_TRUE(board.at("schemaVersion").is_number_integer());
  EXPECT_TRUE(board.at("time").at("from").is_string());
  std::set<std::string> sources;  // that its panels may name
  for (const auto& variable : board.at("templating").at("list")) {
    EXPECT_FALSE(variable.at("name").get<std::string>().empty());
    if (variable.at("type") == "datasource")
      sources.insert("${" + variable.at("name").get<std::string>() + "}");
  }
  constexpr int kColumns = 24;  // of Grafana's grid
  std::set<std::pair<int, int>> taken;
  std::set<int> ids;
  ASSERT_TRUE(board.at("panels").is_array());
  EXPECT_GT(board["panels"].size(), 5u);
  for (const auto& panel : board["panels"]) {
    const std::string title = panel.at("title");
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second) << title;
    EXPECT_TRUE(panel.at("type").is_string()) << title;
    const auto& place = panel.at("gridPos");
    EXPECT_LE(place.at("x").get<int>() + place.at("w").get<int>(), kColumns) << title;
    for (int x = place["x"]; x < place["x"].get<int>() + place["w"].get<int>(); ++x) {
      for (int y = place.at("y"); y < place["y"].get<int>() + place.at("h").get<int>(); ++y)
        EXPECT_TRUE(taken.emplace(x, y).second) << title << " lies over another panel";
    }
    EXPECT_TRUE(sources.contains(panel.at("datasource").at("uid"))) << title;
    ASSERT_FALSE(panel.at("targets").empty()) << title;
    std::set<std::string> names;
    for (const auto& target : panel["targets"]) {
      EXPECT_TRUE(names.insert(target.at("refId")).second) << title;
      EXPECT_NE(target.at("expr").get<std::string>().find("arrowcdc_"), std::string::npos) << title;
    }
  }
}

TEST(StateJson, HasTheSameNumbers) {
  const auto json =
      nlohmann::json::parse(FormatState(View(), "1.2.3", Wall(seconds(100)), Steady(seconds(0))));
  EXPECT_EQ(json["rows"], 3);
  EXPECT_EQ(json["phase"], "streaming");
  EXPECT_EQ(json["ready"], true);
  EXPECT_EQ(json["tables"][0]["bytes"], 100);
  EXPECT_EQ(json["slot"]["invalidated_in_seconds"], 100);
  EXPECT_EQ(json["slot"]["seen_at"], "1970-01-01T00:00:50.000Z");
  EXPECT_EQ(json["snapshot"]["tables"][0]["rows_expected"], nullptr);
  EXPECT_EQ(json["events"][0]["level"], "error");
  EXPECT_EQ(json["durable_lsn"], nullptr);
  StreamView unconnected = View();
  unconnected.stats.server_lsn = 0;
  const auto early =
      nlohmann::json::parse(FormatState(unconnected, "1.2.3", Wall(seconds(100)), Steady(seconds(0))));
  EXPECT_EQ(early["server_lsn"], nullptr);
}

TEST(UtcTime, IsRfc3339) {
  EXPECT_EQ(FormatUtc(Wall(std::chrono::milliseconds(1'700'000'000'123))), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(FormatUtc(Wall(std::chrono::milliseconds(-1))), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace arrowcdc::cli
