// The answer of `arrowcdc tables`: every table with the pattern that decided and what hinders.
#include <algorithm>

#include "src/postgres/setup/publication_limits.h"
#include "src/postgres/setup/published_check.h"
#include "src/postgres/setup/setup_plan.h"

namespace arrowcdc::postgres {
namespace {

// Where its rows come under another name than its own.
std::string ComesAs(const TableInfo& table, const TableStanding& standing) {
  const TableInfo* const as = standing.published_as;
  if (as == nullptr || as == &table || (table.kind == 'p' && standing.comes)) return "";
  if (table.kind != 'p' || !as->is_partition)
    return "; a partition: its changes come as those of " + ToString(as->name) +
           (standing.comes || !standing.asked ? "" : ", which no pattern matches");
  return "; its changes come under the names of its partitions, as in " + ToString(as->name) +
         (standing.asked ? ", which no pattern matches" : "");
}

std::string Reason(const Inspection& inspected, const TableInfo& table, const TableStanding& standing,
                   const TableStatus& status) {
  std::string decided = standing.match.reason;
  const bool as_another = standing.published_as != nullptr && standing.published_as != &table;
  const std::string obstacle = as_another ? RowsObstacle(table) : CaptureObstacle(table);
  if (!obstacle.empty()) {
    if (standing.asked && table.is_partition)
      return decided + "; a partition of " + ToString(inspected.catalog.Ancestors(table).back()->name) +
             ", but no changes can be captured of " + obstacle;
    return decided + (status.matches ? "; but no changes can be captured of " : "; ") + obstacle;
  }
  if (const std::string as = ComesAs(table, standing); !as.empty()) return decided + as;
  if (!status.matches) return decided;
  const std::string problem = inspected.catalog.IdentityProblem(table);
  if (!status.published) {
    if (!problem.empty()) return decided + "; not published, and setup would refuse it: " + problem;
    return decided + (inspected.publications.empty()
                          ? "; not published: run setup"
                          : "; not published (made or matched after setup): run setup again");
  }
  return decided + (problem.empty() ? "" : "; " + problem);
}

}  // namespace

std::vector<TableStatus> MakeTableList(const Inspection& inspected, const TablePatterns& patterns) {
  const PublishedJudgement judged = JudgePublished(inspected.catalog, inspected.publications, patterns, {});
  std::vector<TableStatus> list;
  for (size_t i = 0; i < inspected.catalog.tables().size(); ++i) {
    const TableInfo& table = inspected.catalog.tables()[i];
    const TableStanding& standing = judged.tables[i];
    TableStatus status;
    status.name = table.name;
    status.matches = standing.match.matches;
    // What cannot be captured is worth a line only where somebody asked for it, or for what it is a part of;
    // nobody can ask for what no pattern matches.
    if (!standing.asked && !CaptureObstacle(table).empty() && HasUtf8Name(table)) continue;
    // What matches and comes under a name that does not is as good as not published.
    status.published = standing.published && (standing.comes || !standing.asked || standing.match.excluded);
    status.replica_identity = table.replica_identity;
    status.usable_identity =
        CaptureObstacle(table).empty() && inspected.catalog.IdentityProblem(table).empty();
    status.reason = Reason(inspected, table, standing, status);
    if (standing.asked) status.limits = LimitsText(inspected.catalog, table, inspected.publications);
    list.push_back(std::move(status));
  }
  return list;
}

}  // namespace arrowcdc::postgres
