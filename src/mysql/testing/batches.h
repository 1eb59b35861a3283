// What a source gives of its tables, once from its log and once as a copy, for tests that compare them.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "arrowcdc/mysql.h"
#include "src/mysql/decode/testing/row_lines.h"

namespace arrowcdc::mysql::test {

// The batches of the log from its oldest file to its present end.
inline arrow::Result<std::vector<ChangeBatch>> Streamed(MysqlOptions options) {
  options.start = MysqlStart::kEarliest;
  ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(options));
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ARROW_ASSIGN_OR_RAISE(const LogEnd end, source->CurrentEnd());
  ARROW_ASSIGN_OR_RAISE(const Position start, source->Resume({}));
  ARROW_RETURN_NOT_OK(source->Start(start));
  std::vector<ChangeBatch> batches;
  for (bool ended = false; !ended;) {
    ARROW_ASSIGN_OR_RAISE(const auto event, source->Next(std::chrono::milliseconds(1000)));
    if (!event.has_value()) continue;
    if (const auto* batch = std::get_if<ChangeBatch>(&*event)) {
      batches.push_back(*batch);
      ended = batch->group.group_end && batch->group.safe >= end.position;
    } else if (const auto* progress = std::get_if<ProgressEvent>(&*event)) {
      ended = progress->group.safe >= end.position;
    } else if (const auto* keepalive = std::get_if<KeepaliveEvent>(&*event)) {
      ended = keepalive->position >= end.position;
    }
  }
  return batches;
}

inline arrow::Result<std::vector<ChangeBatch>> Copied(const MysqlOptions& options) {
  ARROW_ASSIGN_OR_RAISE(const auto source, MakeMysqlSource(options));
  ARROW_RETURN_NOT_OK(source->Connect().status());
  ARROW_ASSIGN_OR_RAISE(const auto snapshot,
                        source->BeginSnapshot([](const TableName&, uint32_t) { return true; }, {}));
  ARROW_ASSIGN_OR_RAISE(const auto reader, snapshot->MakeReader());
  std::vector<ChangeBatch> batches;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(const auto part, reader->NextPart());
    if (!part.has_value()) return batches;
    while (true) {
      ARROW_ASSIGN_OR_RAISE(auto batch, reader->Next());
      if (!batch.has_value()) break;
      ARROW_RETURN_NOT_OK(batch->rows->ValidateFull());
      batches.push_back(*std::move(batch));
    }
  }
}

// The values of rows, "1, a, null unrepresentable: b", without what names a row.
inline arrow::Result<std::vector<std::string>> ValueLines(arrow::Result<std::vector<ChangeBatch>> batches,
                                                          const std::string& table) {
  ARROW_RETURN_NOT_OK(batches.status());
  std::vector<std::string> lines = RowLines(*batches, table);
  for (std::string& line : lines) line.erase(0, line.find(": ") + 2);
  return lines;
}

}  // namespace arrowcdc::mysql::test
