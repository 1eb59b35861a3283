// What a stream of changes makes of the tables, row by row, to be compared with SELECT; and whether a row
// came twice or out of order.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/source.h"
#include "src/mysql/testing/mysql_server.h"

namespace arrowcdc::mysql::test {

class Replay {
 public:
  // Takes events until everything up to `end` has come. Errors: the source's; IOError where it takes longer
  // than a minute; Invalid where a row is out of order, or a change fits no row.
  arrow::Status ReadUntil(Source* source, const Position& end);
  // What Next gives, once.
  arrow::Status ReadOne(Source* source);
  // Connect, Resume behind what was read (or from now), Start.
  arrow::Status Begin(Source* source, bool accept_gap = false);
  // The same, then until the end of the log at that time.
  arrow::Status Catch(Source* source);

  // Takes the rows of all tables of a snapshot, with so many readers at once; changes of them from before its
  // point are passed over from then on.
  arrow::Status Copy(Snapshot* snapshot, int readers);

  // Rows of a table by the text of their first column, each as "value|value".
  std::map<std::string, std::string>& rows(const TableName& table) { return tables_[table]; }
  // What SELECT * gives, in the same form.
  static arrow::Result<std::map<std::string, std::string>> Select(MysqlServer* server,
                                                                  const TableName& table);

  // Of the table; none: none came.
  std::optional<RowPosition> last_row(const TableName& table) const {
    const auto found = last_.find(table);
    return found == last_.end() ? std::nullopt : std::optional(found->second);
  }

  uint64_t changes() const { return changes_; }
  uint64_t repeated() const { return repeated_; }
  uint64_t truncates() const { return truncates_; }
  int batches() const { return batches_; }
  const std::optional<Position>& position() const { return position_; }
  void set_position(const Position& position) { position_ = position; }
  const std::vector<SourceNotice>& notices() const { return notices_; }
  // Operations, in order: "insert 1", for small tests.
  const std::vector<std::string>& log() const { return log_; }
  // The same of one table: rows of several come in batches of each, which time cuts.
  const std::vector<std::string>& log(const TableName& table) { return logs_[table]; }

 private:
  arrow::Status Apply(const ChangeBatch& batch);
  arrow::Status TakeCopied(const ChangeBatch& batch, const Position& point);
  arrow::Status Take(Event* event);
  void TakeTruncate(const TruncateEvent& truncate);

  std::map<TableName, std::map<std::string, std::string>> tables_;
  std::map<TableName, RowPosition> last_;
  std::map<TableName, Position> points_;      // of tables that were copied
  std::map<TableName, RowPosition> session_;  // since Begin
  std::optional<Position> position_;
  std::vector<SourceNotice> notices_;
  std::vector<std::string> log_;
  std::map<TableName, std::vector<std::string>> logs_;
  uint64_t changes_ = 0;
  uint64_t repeated_ = 0;
  uint64_t truncates_ = 0;
  int batches_ = 0;
};

}  // namespace arrowcdc::mysql::test
