// The answer of `arrowcdc tables`: every table with the pattern that decided and what hinders.
#include <algorithm>

#include "src/change/utf8_text.h"
#include "src/postgres/setup_plan.h"

namespace arrowcdc::postgres {
namespace {

// The nearest ancestor that a pattern matches: its name is what the changes will come under.
const TableInfo* MatchedAncestor(const TableCatalog& catalog, const TableInfo& table,
                                 const TablePatterns& patterns) {
  const auto ancestors = catalog.Ancestors(table);
  const auto found = std::find_if(ancestors.rbegin(), ancestors.rend(), [&](const TableInfo* ancestor) {
    return patterns.Matches(ancestor->name);
  });
  return found == ancestors.rend() ? nullptr : *found;
}

std::string Reason(const Inspection& inspected, const TablePatterns& patterns, const TableInfo& table,
                   const TableStatus& status) {
  std::string decided = patterns.Explain(table.name).reason;
  const std::string obstacle = CaptureObstacle(table);
  const TableInfo* ancestor = MatchedAncestor(inspected.catalog, table, patterns);
  if (!obstacle.empty()) {
    if (ancestor != nullptr)
      return decided + "; a partition of " + ToString(ancestor->name) +
             ", but no changes can be captured of " + obstacle;
    return decided + (status.matches ? "; but no changes can be captured of " : "; ") + obstacle;
  }
  const bool via_root = std::any_of(inspected.publications.begin(), inspected.publications.end(),
                                    [](const auto& p) { return p.via_root; });
  if (ancestor != nullptr && (via_root || inspected.publications.empty())) {
    return decided + "; a partition: its changes come as those of " + ToString(ancestor->name);
  }
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

// What setup and stream say of it, too.
std::string Limits(const Inspection& inspected, const TableInfo& table, bool published) {
  const bool via_root = std::all_of(inspected.publications.begin(), inspected.publications.end(),
                                    [](const auto& publication) { return publication.via_root; });
  std::string limits;
  if (!CaptureObstacle(table).empty()) return limits;
  for (const std::string& limit : TableLimits(inspected.catalog, table, inspected.publications, via_root)) {
    limits += (limits.empty() ? "" : "; ") + limit;
  }
  const std::string missing =
      published ? MissingOperations(inspected.catalog, table, inspected.publications) : "";
  if (!missing.empty()) limits += (limits.empty() ? "" : "; ") + std::string("not published: ") + missing;
  return limits;
}

}  // namespace

std::vector<TableStatus> MakeTableList(const Inspection& inspected, const TablePatterns& patterns) {
  std::vector<TableStatus> list;
  for (const TableInfo& table : inspected.catalog.tables()) {
    TableStatus status;
    status.name = table.name;
    status.matches = patterns.Matches(table.name);
    const TableInfo* ancestor = MatchedAncestor(inspected.catalog, table, patterns);
    // What cannot be captured is worth a line only where somebody asked for it, or for what it is a part of;
    // nobody can ask for what no pattern matches.
    const bool utf8 = IsUtf8(table.name.schema) && IsUtf8(table.name.table);
    if (!status.matches && ancestor == nullptr && !CaptureObstacle(table).empty() && utf8) continue;
    status.published = std::any_of(inspected.publications.begin(), inspected.publications.end(),
                                   [&](const PublicationInfo& publication) {
                                     return inspected.catalog.IsPublished(table, publication);
                                   });
    status.passed_over = status.published && !status.matches && ancestor == nullptr;
    status.replica_identity = table.replica_identity;
    status.usable_identity =
        CaptureObstacle(table).empty() && inspected.catalog.IdentityProblem(table).empty();
    status.reason = Reason(inspected, patterns, table, status);
    if (status.matches || ancestor != nullptr) status.limits = Limits(inspected, table, status.published);
    list.push_back(std::move(status));
  }
  return list;
}

}  // namespace arrowcdc::postgres
