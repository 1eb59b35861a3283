// Change batches as a table that goes on while they come, for a terminal: coloured by what happened, as wide
// as the terminal. One thread.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

struct TerminalStyle {
  bool colour = true;
  std::function<size_t()> columns = nullptr;  // that the terminal has now
};

class LiveTable {
 public:
  explicit LiveTable(TerminalStyle style) : style_(std::move(style)) {}

  // Rows, below a header where the ones before were of another table, had other columns or narrower values.
  // Appends nothing where it fails. Errors: those of ChangeRows.
  arrow::Status Append(const ChangeBatch& batch, std::string* out);

 private:
  struct Cell {
    std::string text;
    const char* colour = "";  // what sets it; empty: none
  };
  using Line = std::vector<Cell>;

  Line HeaderOf(const ChangeBatch& batch) const;
  bool Fits(const ChangeBatch& batch, const Line& header, const std::vector<Line>& lines, size_t columns);
  void AppendLine(const Line& line, std::string* out) const;

  const TerminalStyle style_;
  // Of the header that was written last.
  TableName table_;
  std::vector<std::string> names_;
  std::vector<size_t> widths_;  // that cells are cut to
  size_t columns_ = 0;
};

}  // namespace arrowcdc
