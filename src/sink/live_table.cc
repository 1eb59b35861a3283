#include "src/sink/live_table.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <numeric>
#include <optional>

#include "arrowcdc/change_rows.h"
#include "src/sink/console_cells.h"
#include "src/sink/display_text.h"

namespace arrowcdc {
namespace {

// Columns of a cell that the others' room is not taken from.
constexpr size_t kNarrow = 6;
constexpr size_t kGap = 2;  // in front of each cell

constexpr char kBold[] = "\033[1m";
constexpr char kDim[] = "\033[2m";
constexpr char kPlain[] = "\033[0m";

const char* ColourOf(Op op) {
  switch (op) {
    case Op::kInsert:
    case Op::kSnapshot:
      return "\033[32m";
    case Op::kUpdateBefore:
    case Op::kUpdateAfter:
      return "\033[33m";
    case Op::kDelete:
      return "\033[31m";
    case Op::kTruncate:
      return "\033[35m";
  }
  return "";
}

// In the time zone of the process, as 15:04:05.123.
std::string TimeOf(std::optional<int64_t> microseconds) {
  constexpr int64_t kSecond = 1'000'000;
  if (!microseconds.has_value()) return "";
  const int64_t fraction = (*microseconds % kSecond + kSecond) % kSecond;
  const time_t seconds = static_cast<time_t>((*microseconds - fraction) / kSecond);
  tm local{};
  if (localtime_r(&seconds, &local) == nullptr) return "";
  char text[16];
  std::snprintf(text, sizeof text, "%02d:%02d:%02d.%03d", local.tm_hour % 24, local.tm_min % 60,
                local.tm_sec % 61, static_cast<int>(fraction / 1000));
  return text;
}

// Takes from the widest cells until the line fits, or all are narrow.
void Narrow(std::vector<size_t>* widths, size_t columns) {
  const auto total = [&] { return std::accumulate(widths->begin(), widths->end(), widths->size() * kGap); };
  if (widths->size() * (kNarrow + kGap) > columns) {
    for (size_t& width : *widths) width = std::min(width, kNarrow);
    return;
  }
  for (size_t all = total(); all > columns; --all) --*std::max_element(widths->rbegin(), widths->rend());
}

}  // namespace

LiveTable::Line LiveTable::HeaderOf(const ChangeBatch& batch) const {
  Line line = {{"time", kBold}, {"op", kBold}};
  for (int column = 0; column < batch.table->column_count; ++column)
    line.push_back({NameText(batch.table->schema->field(column)->name()), kBold});
  return line;
}

// Whether they go on below the header that is there. If not, what the next one is to be is set.
bool LiveTable::Fits(const ChangeBatch& batch, const Line& header, const std::vector<Line>& lines,
                     size_t columns) {
  std::vector<std::string> names;
  std::vector<size_t> wanted(header.size());
  for (size_t i = 0; i < header.size(); ++i) {
    names.push_back(header[i].text);
    wanted[i] = DisplayWidth(header[i].text);
  }
  for (const Line& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) wanted[i] = std::max(wanted[i], DisplayWidth(line[i].text));
  }
  const bool same = batch.table->name == table_ && names == names_ && columns == columns_;
  if (same) {
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = std::max(wanted[i], widths_[i]);
  }
  Narrow(&wanted, columns);
  if (same && wanted == widths_) return true;
  table_ = batch.table->name;
  names_ = std::move(names);
  widths_ = std::move(wanted);
  columns_ = columns;
  return false;
}

void LiveTable::AppendLine(const Line& line, std::string* out) const {
  constexpr std::string_view kMore = " …";
  constexpr size_t kMoreWidth = 2;
  size_t left = columns_;
  for (size_t i = 0; i < line.size(); ++i) {
    const bool last = i + 1 == line.size();
    if (left < kGap + widths_[i] + (last ? 0 : kMoreWidth)) {
      *out += kMore;
      break;
    }
    const std::string text = CutToWidth(line[i].text, widths_[i]);
    out->append(kGap, ' ');
    const bool coloured = style_.colour && *line[i].colour != '\0';
    out->append(coloured ? line[i].colour : "").append(text).append(coloured ? kPlain : "");
    const size_t width = DisplayWidth(text);
    left -= kGap + width;
    if (last || width >= widths_[i]) continue;
    out->append(widths_[i] - width, ' ');
    left -= widths_[i] - width;
  }
  *out += '\n';
}

arrow::Status LiveTable::Append(const ChangeBatch& batch, std::string* out) {
  ARROW_ASSIGN_OR_RAISE(const ChangeRows changes, ChangeRows::Make(*batch.table, *batch.rows));
  const Line header = HeaderOf(batch);
  std::vector<Line> lines;
  for (int64_t row = 0; row < changes.num_rows(); ++row) {
    Line line = {{TimeOf(changes.commit_ts(row)), kDim},
                 {OpName(changes.op(row)), ColourOf(changes.op(row))}};
    for (int column = 0; column < batch.table->column_count; ++column) {
      const bool no_value = batch.rows->column(column)->IsNull(row);
      line.push_back({CellText(*batch.rows, changes, column, row), no_value ? kDim : ""});
    }
    lines.push_back(std::move(line));
  }
  constexpr size_t kColumnsMin = 10;
  if (!Fits(batch, header, lines, std::max(style_.columns(), kColumnsMin))) {
    const std::string name = CutToWidth(TableText(batch.table->name), columns_);
    *out += '\n';
    out->append(style_.colour ? kBold : "").append(name).append(style_.colour ? kPlain : "") += '\n';
    AppendLine(header, out);
  }
  for (const Line& line : lines) AppendLine(line, out);
  return arrow::Status::OK();
}

}  // namespace arrowcdc
