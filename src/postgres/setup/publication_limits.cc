#include "src/postgres/setup/publication_limits.h"

#include <algorithm>

#include "src/change/utf8_text.h"

namespace arrowcdc::postgres {
namespace {

constexpr size_t kNamesMax = 5;  // in one text

std::string ColumnsOf(const std::vector<std::string>& columns) {
  std::string names;
  for (const std::string& column : columns) names += (names.empty() ? "" : ", ") + EscapeInvalidUtf8(column);
  return names;
}

std::string IdentityText(const TableInfo& table) {
  switch (table.replica_identity) {
    case ReplicaIdentity::kFull:
      return "the whole row";
    case ReplicaIdentity::kNothing:
      return "nothing";
    case ReplicaIdentity::kDefault:
    case ReplicaIdentity::kIndex:
      break;
  }
  if (table.identity_columns.empty()) return "nothing";
  return "(" + ColumnsOf({table.identity_columns.begin(), table.identity_columns.end()}) + ")";
}

void AddPartitionLimits(const TableCatalog& catalog, const TableInfo& root,
                        std::vector<std::string>* limits) {
  const auto silent = catalog.SilentLeaves(root);
  if (!silent.empty()) {
    std::string names;
    for (size_t i = 0; i < std::min(silent.size(), kNamesMax); ++i) {
      names += (i == 0 ? "" : ", ") + ToString(silent[i]->name) + " (" + RowsObstacle(*silent[i]) + ")";
    }
    if (silent.size() > kNamesMax) names += " and " + std::to_string(silent.size() - kNamesMax) + " more";
    limits->push_back("no changes come of its partitions " + names);
  }
  const auto weaker = catalog.WeakerLeaves(root);
  if (!weaker.empty()) {
    limits->push_back(
        "old rows are identified by " + IdentityText(root) + ", but in " + NamesOf(weaker, kNamesMax) +
        " by " + IdentityText(*weaker[0]) +
        ": from the first row of such a partition on the table's key is announced as no more than "
        "they have in common. ALTER TABLE ... REPLICA IDENTITY of the partition mends it");
  }
}

// Of a table that is published: "update, delete".
std::string MissingOperations(const TableCatalog& catalog, const TableInfo& table,
                              const std::vector<PublicationInfo>& publications) {
  bool insert = false;
  bool update = false;
  bool remove = false;
  bool truncate = false;
  for (const PublicationInfo& publication : publications) {
    if (!catalog.IsPublished(table, publication)) continue;
    insert |= publication.insert;
    update |= publication.update;
    remove |= publication.remove;
    truncate |= publication.truncate;
  }
  if (!(insert || update || remove || truncate)) return "";
  std::string missing;
  const auto add = [&missing](bool published, const char* name) {
    if (!published) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  add(insert, "insert");
  add(update, "update");
  add(remove, "delete");
  add(truncate, "truncate");
  return missing;
}

}  // namespace

std::vector<std::string> TableLimits(const TableCatalog& catalog, const TableInfo& table,
                                     const std::vector<PublicationInfo>& publications, bool via_root) {
  std::vector<std::string> limits;
  bool generated_sent = !publications.empty();
  bool published = false;
  std::string filtered;
  bool all_rows = false;
  for (const PublicationInfo& publication : publications) {
    if (!catalog.IsPublished(table, publication)) continue;
    published = true;
    const bool filters = std::find(publication.row_filtered.begin(), publication.row_filtered.end(),
                                   table.name) != publication.row_filtered.end();
    all_rows = all_rows || !filters;
    if (filters) filtered += (filtered.empty() ? "\"" : ", \"") + publication.name + "\"";
    const auto list = publication.column_lists.find(table.name);
    if (list != publication.column_lists.end())
      limits.push_back("publication \"" + publication.name + "\" publishes only its columns (" +
                       EscapeInvalidUtf8(list->second) + ")");
    generated_sent =
        generated_sent && (publication.generated_columns || list != publication.column_lists.end());
  }
  if (!table.generated.empty() && !(published && generated_sent))
    limits.push_back("its generated columns are not sent: " + ColumnsOf(table.generated));
  if (!filtered.empty() && !all_rows)
    limits.push_back("only rows that pass the row filter (WHERE) of " + filtered + " come");
  if (via_root && table.kind == 'p') AddPartitionLimits(catalog, table, &limits);
  return limits;
}

std::string LimitsText(const TableCatalog& catalog, const TableInfo& table,
                       const std::vector<PublicationInfo>& publications) {
  if (!CaptureObstacle(table).empty()) return "";
  const bool via_root = std::all_of(publications.begin(), publications.end(),
                                    [](const PublicationInfo& publication) { return publication.via_root; });
  std::string text;
  for (const std::string& limit : TableLimits(catalog, table, publications, via_root))
    text += (text.empty() ? "" : "; ") + limit;
  const std::string missing = MissingOperations(catalog, table, publications);
  if (!missing.empty()) text += (text.empty() ? "" : "; ") + std::string("not published: ") + missing;
  return text;
}

}  // namespace arrowcdc::postgres
