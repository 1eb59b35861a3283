#include "cli/snapshot_progress.h"

#include <algorithm>
#include <cmath>

#include "cli/logging.h"
#include "cli/time_text.h"
#include "src/options/amount.h"

namespace arrowcdc::cli {
namespace {

using spdlog::level::info;

constexpr size_t kTablesShown = 5;
constexpr size_t kBarColumns = 12;

// Rows tell more than parts, where ANALYZE has counted them; neither is exact before the end.
double ShareOf(const SnapshotProgress::Table& table) {
  if (table.complete) return 1;
  const double by_parts = static_cast<double>(table.parts_done) / std::max(table.part_count, 1);
  constexpr double kAlmost = 0.99;
  if (table.rows_expected <= 0) return by_parts;
  const double by_rows = static_cast<double>(table.rows) / static_cast<double>(table.rows_expected);
  return std::max(by_parts, std::min(by_rows, kAlmost));
}

uint64_t RowsOf(const SnapshotProgress& progress) {
  uint64_t rows = 0;
  for (const auto& table : progress.tables) rows += table.rows;
  return rows;
}

size_t CompleteOf(const SnapshotProgress& progress) {
  return static_cast<size_t>(std::count_if(progress.tables.begin(), progress.tables.end(),
                                           [](const auto& table) { return table.complete; }));
}

bool IsBeingCopied(const SnapshotProgress::Table& table) { return !table.complete && table.rows > 0; }

std::string Percent(double share) { return std::to_string(static_cast<int>(std::floor(share * 100))) + " %"; }

std::string Whole(double number) { return std::to_string(static_cast<uint64_t>(std::max(number, 0.0))); }

std::optional<double> SecondsLeft(double share, const CopyRate& rate) {
  if (rate.share_per_s <= 0 || share >= 1) return std::nullopt;
  return (1 - share) / rate.share_per_s;
}

// ", 120000 rows/s, 30 s left", as far as it is known.
std::string Pace(double share, const CopyRate& rate) {
  std::string text;
  if (rate.rows_per_s > 0) text += ", " + Whole(rate.rows_per_s) + " rows/s";
  if (const auto left = SecondsLeft(share, rate)) text += ", " + DurationText(*left) + " left";
  return text;
}

std::string DrawTable(const SnapshotProgress::Table& table, const CopyRate& rate) {
  const double share = ShareOf(table);
  const auto full = static_cast<size_t>(share * kBarColumns);
  std::string percent = Percent(share);
  percent.insert(0, std::string("100 %").size() - percent.size(), ' ');
  const auto bytes = static_cast<uint64_t>(std::max<int64_t>(table.bytes, 0));
  // What a narrow terminal cuts off stands at the end.
  const auto left = SecondsLeft(share, rate);
  return "[" + std::string(full, '#') + std::string(kBarColumns - full, '-') + "] " + percent +
         (left.has_value() ? "  " + DurationText(*left) + " left" : "") + "  " + ToString(table.name) + ": " +
         (rate.rows_per_s > 0 ? Whole(rate.rows_per_s) + " rows/s, " : "") + std::to_string(table.rows) +
         " rows, " + FormatSize(static_cast<uint64_t>(static_cast<double>(bytes) * share)) + " of " +
         FormatSize(bytes);
}

}  // namespace

double CopiedShare(const SnapshotProgress& progress) {
  double all = 0;
  double copied = 0;
  for (const auto& table : progress.tables) {
    const double weight = static_cast<double>(table.bytes) + 1;  // an empty table is something to do, too
    all += weight;
    copied += weight * ShareOf(table);
  }
  return all > 0 ? copied / all : 1;
}

std::string DescribeCopy(const SnapshotProgress& progress, const CopyRate& rate) {
  const double share = CopiedShare(progress);
  return std::to_string(CompleteOf(progress)) + " of " + std::to_string(progress.tables.size()) +
         " tables, " + std::to_string(RowsOf(progress)) + " rows, " + Percent(share) + Pace(share, rate);
}

std::string DescribeHold(const SnapshotHold& hold) {
  std::string text = FormatSize(hold.log_bytes) + " of log wait";
  if (hold.lost_in.has_value()) {
    const auto seconds = static_cast<double>(hold.lost_in->count());
    text +=
        seconds > 0 ? " and are lost in about " + DurationText(seconds) : " and may be lost at any moment";
  }
  if (hold.rows_for.count() > 0)
    text += ", deleted rows are kept for " + DurationText(static_cast<double>(hold.rows_for.count()));
  return text;
}

std::string ListCopied(const SnapshotProgress& progress) {
  std::string text;
  size_t shown = 0;
  for (const auto& table : progress.tables) {
    if (!IsBeingCopied(table) || shown == kTablesShown) continue;
    text += (shown++ == 0 ? "" : ", ") + ToString(table.name) + " " + Percent(ShareOf(table));
  }
  return text;
}

std::vector<std::string> DrawCopy(const SnapshotProgress& progress, const std::vector<CopyRate>& rates,
                                  const CopyRate& rate) {
  std::vector<std::string> lines;
  size_t others = 0;
  uint64_t other_rows = 0;
  for (size_t i = 0; i < progress.tables.size(); ++i) {
    const auto& table = progress.tables[i];
    if (!IsBeingCopied(table)) continue;
    if (lines.size() < kTablesShown) {
      lines.push_back(DrawTable(table, rates[i]));
    } else {
      ++others;
      other_rows += table.rows;
    }
  }
  if (others > 0)
    lines.push_back("and " + std::to_string(others) + " more: " + std::to_string(other_rows) + " rows");
  lines.push_back("copying: " + DescribeCopy(progress, rate));
  lines.push_back(DescribeHold(progress.hold));
  return lines;
}

CopyRate SnapshotReporter::RateSince(const Begun& begun, uint64_t rows, double share, Clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now - begun.at).count();
  if (seconds <= 0) return {};
  return {static_cast<double>(rows - begun.rows) / seconds, (share - begun.share) / seconds};
}

void SnapshotReporter::Begin(const SnapshotProgress& progress) {
  point_ = progress.point;
  last_log_ = Clock::now();
  copy_ = progress.copy;
  // Much may be copied when it is shown first.
  SnapshotProgress fresh = progress;
  for (auto& table : fresh.tables) {
    table.rows = 0;
    table.parts_done = table.parts_kept;
    table.complete = false;
  }
  all_begun_ = {progress.begun, 0, CopiedShare(fresh)};
  told_.assign(progress.tables.size(), false);
  begun_.assign(progress.tables.size(), std::nullopt);
  uint64_t bytes = 0;
  for (const auto& table : progress.tables) bytes += static_cast<uint64_t>(table.bytes);
  Log(info,
      "copying the rows that " + std::to_string(progress.tables.size()) + " table(s) have, " +
          FormatSize(bytes) + " in the server (--snapshot never leaves them out)",
      {{"point_lsn", source_.FormatPosition(point_)},
       {"tables", progress.tables.size()},
       {"event", "copy_begins"}});
  uint64_t kept = 0;
  for (const auto& table : progress.tables) kept += static_cast<uint64_t>(table.parts_kept);
  if (kept == 0) return;
  Log(info, std::to_string(kept) + " part(s) are there from a copy that was interrupted, and are kept",
      {{"parts_kept", kept}, {"event", "copy_goes_on"}});
}

void SnapshotReporter::TellTables(const SnapshotProgress& progress) {
  for (size_t i = 0; i < progress.tables.size(); ++i) {
    const auto& table = progress.tables[i];
    if (!table.complete || told_[i]) continue;
    told_[i] = true;
    Log(info, "table copied",
        {{"table", ToString(table.name)}, {"rows", table.rows}, {"event", "table_copied"}});
  }
}

std::vector<CopyRate> SnapshotReporter::TableRates(const SnapshotProgress& progress, Clock::time_point now) {
  std::vector<CopyRate> rates(progress.tables.size());
  for (size_t i = 0; i < rates.size(); ++i) {
    const auto& table = progress.tables[i];
    if (!IsBeingCopied(table)) continue;
    if (!begun_[i].has_value()) begun_[i] = {now, table.rows, ShareOf(table)};
    rates[i] = RateSince(*begun_[i], table.rows, ShareOf(table), now);
  }
  return rates;
}

void SnapshotReporter::LogCopy(const SnapshotProgress& progress, const CopyRate& rate) {
  const std::string tables = ListCopied(progress);
  const double share = CopiedShare(progress);
  LogFields fields = {{"rows", RowsOf(progress)},
                      {"rows_per_s", static_cast<uint64_t>(rate.rows_per_s)},
                      {"percent", static_cast<uint64_t>(share * 100)}};
  if (const auto left = SecondsLeft(share, rate))
    fields.emplace_back("seconds_left", static_cast<uint64_t>(std::ceil(*left)));
  const SnapshotHold& hold = progress.hold;
  fields.emplace_back("slot_wal_bytes", hold.log_bytes);
  if (hold.lost_in.has_value())
    fields.emplace_back("slot_lost_in_s", static_cast<uint64_t>(hold.lost_in->count()));
  fields.emplace_back("deleted_rows_kept_s", static_cast<uint64_t>(hold.rows_for.count()));
  fields.emplace_back("event", "copy_progress");
  Log(info,
      "copying: " + DescribeCopy(progress, rate) + (tables.empty() ? "" : "; " + tables) + "; " +
          DescribeHold(hold),
      fields);
}

void SnapshotReporter::Show(const SnapshotProgress& progress) {
  if (point_ != progress.point || copy_ != progress.copy) Begin(progress);
  TellTables(progress);
  const auto now = Clock::now();
  const CopyRate rate = RateSince(all_begun_, RowsOf(progress), CopiedShare(progress), now);
  if (HasProgressLines()) {
    ShowProgressLines(DrawCopy(progress, TableRates(progress, now), rate));
  } else if (now - last_log_ >= log_interval_) {
    last_log_ = now;
    LogCopy(progress, rate);
  }
  if (CompleteOf(progress) < progress.tables.size()) return;
  EndProgressLines();
  Log(info, "all rows that were there before are copied: " + DescribeCopy(progress, rate),
      {{"rows", RowsOf(progress)}, {"event", "copied"}});
}

}  // namespace arrowcdc::cli
