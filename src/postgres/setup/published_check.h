// What the publications send of what was asked for: the one rule of stream, readers, `tables` and setup on
// whether rows of a table come, and under which name. Repeats the plugin's rule (plugin/publication.cc).
#pragma once

#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/source.h"
#include "arrowcdc/table_patterns.h"
#include "src/postgres/setup/catalog.h"
#include "src/postgres/setup/publication.h"

namespace arrowcdc::postgres {

// One table of the catalog.
struct TableStanding {
  TablePatterns::Match match;
  bool asked = false;      // it matches, or a table that it is a partition of does
  bool published = false;  // rows of it, or of one of its partitions, are sent
  bool comes = false;      // some of them under a name that matches
  // The table whose name its rows come under; of a partitioned table, that of its first partition whose rows
  // do not come under a name that matches, if there is one. Null: not published, or without partitions.
  const TableInfo* published_as = nullptr;
};

struct PublishedJudgement {
  std::vector<TableStanding> tables;  // as in the catalog; points into it
  PublishedState state;
  // Not ok, kPublicationMismatch: rows of a table that was asked for would be passed over, as they come under
  // a name that no pattern matches. A name that a pattern excludes is left to whoever wrote the pattern.
  arrow::Status fits;
};

// Pure; linear in the number of tables. texts: what the patterns were made of.
PublishedJudgement JudgePublished(const TableCatalog& catalog,
                                  const std::vector<PublicationInfo>& publications,
                                  const TablePatterns& patterns, const std::vector<std::string>& texts);

// Reads the catalog over the connection (a replication connection will do) and judges it. again: what does
// not come of a table, columns for one, was told before and is not looked up. Errors: that of the judgement,
// and the connection's.
arrow::Result<PublishedState> CheckPublished(Connection& connection,
                                             const std::vector<PublicationInfo>& publications,
                                             const std::vector<std::string>& texts, bool again);

}  // namespace arrowcdc::postgres
