// What becomes of what was asked for and is not published, or under another name: decided at each connect and
// at each notice of the server, for sinks and readers alike. No I/O.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/status.h>

#include "arrowcdc/change_batch.h"
#include "arrowcdc/source.h"
#include "arrowcdc/table_patterns.h"

namespace arrowcdc {

class PublicationWatch {
 public:
  // patterns: null where every table was asked for. Not owned.
  PublicationWatch(const TablePatterns* patterns, OnUnpublished on_unpublished)
      : patterns_(patterns), on_unpublished_(on_unpublished) {}

  // A table of which rows have come, in this process or, as the sink knows, in an earlier one. Its id
  // (0: nobody knows) stays the same when it is renamed.
  void Knows(const TableName& table, uint32_t table_id) {
    known_.insert(table);
    if (table_id != 0) known_relations_.insert(table_id);
  }

  // Before a stream starts, the first of the process or a later one. is_new: it begins with what the slot
  // holds, for a sink or readers that have nothing yet. Errors: kPublicationMissing where tables are
  // published and none of them was asked for, nor ever was by this sink; nothing may be acknowledged then.
  arrow::Status Connected(const SourceInfo& info, bool first, bool is_new);

  // In front of the rows that it is about. Errors: kPublicationMismatch where they come under a name that no
  // pattern matches, although one matches the table; they must not be acknowledged.
  arrow::Status Noticed(const NoticeEvent& event);

  // Rows of a table that no pattern matches were passed over.
  void PassedOver(const TableName& table, uint64_t rows);

  // What is to be told and was not yet.
  std::vector<SourceNotice> TakeNotices();

  // The stream ends with `why` once everything up to `position` was delivered, and what can be acknowledged
  // is.
  struct End {
    Position position;
    arrow::Status why;
  };
  const std::optional<End>& end() const { return end_; }
  // The same end, as another connection calls its position.
  void MoveEnd(const Position& position) { end_->position = position; }

  uint64_t tables_unpublished() const { return unpublished_.size(); }
  const std::map<TableName, uint64_t>& unmatched() const { return unmatched_; }

 private:
  TablePatterns::Match Match(const TableName& table) const;
  bool KnowsOneThatMatches() const;
  void Tell(const SourceNotice& notice, bool again);
  void EndAt(const Position& position, const std::string& text, const std::string& object);
  void JudgeTables(const SourceInfo& info);
  void JudgeMissingRows(const NoticeEvent& event);

  const TablePatterns* const patterns_;
  const OnUnpublished on_unpublished_;
  std::set<TableName> known_;
  std::set<uint32_t> known_relations_;
  std::set<uint32_t> known_partitions_;  // of which rows have come under the name of another
  std::set<std::string> unpublished_;    // tables and publications, for the count
  std::set<std::string> told_;
  std::map<TableName, uint64_t> unmatched_;
  bool lists_tables_ = true;
  std::vector<SourceNotice> notices_;
  std::optional<End> end_;
};

}  // namespace arrowcdc
