// Reads pg_publication and its relatives.
#include "src/postgres/setup/publication.h"

#include <algorithm>

#include "arrowcdc/error.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/slot_note.h"

namespace arrowcdc::postgres {
namespace {

PublicationInfo* FindByName(std::vector<PublicationInfo>* publications, const std::string& name) {
  const auto found =
      std::find_if(publications->begin(), publications->end(), [&](const auto& p) { return p.name == name; });
  return found == publications->end() ? nullptr : &*found;
}

// Tables and schemas that are listed one by one.
arrow::Status ReadMembers(Connection& connection, const std::string& list,
                          std::vector<PublicationInfo>* publications) {
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query(
          "SELECT p.pubname, n.nspname, c.relname, r.prqual IS NOT NULL, CASE WHEN r.prattrs IS NOT NULL "
          "THEN "
          "(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute AS a WHERE "
          "a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs)) END FROM pg_publication_rel AS r "
          "JOIN pg_publication AS p ON p.oid = r.prpubid JOIN pg_class AS c ON c.oid = r.prrelid "
          "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE p.pubname IN (" +
          list + ") ORDER BY 1, 2, 3"));
  for (int row = 0; row < rows.rows(); ++row) {
    PublicationInfo* publication = FindByName(publications, rows.Text(row, 0));
    if (publication == nullptr) continue;
    const TableName table{rows.Text(row, 1), rows.Text(row, 2)};
    publication->tables.insert(table);
    if (rows.Bool(row, 3)) publication->row_filtered.push_back(table);
    if (!rows.IsNull(row, 4)) publication->column_lists[table] = rows.Text(row, 4);
  }
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult schemas,
      connection.Query(
          "SELECT p.pubname, n.nspname FROM pg_publication_namespace AS s JOIN pg_publication AS p ON "
          "p.oid = s.pnpubid JOIN pg_namespace AS n ON n.oid = s.pnnspid WHERE p.pubname IN (" +
          list + ")"));
  for (int row = 0; row < schemas.rows(); ++row) {
    PublicationInfo* publication = FindByName(publications, schemas.Text(row, 0));
    if (publication != nullptr) publication->schemas.insert(schemas.Text(row, 1));
  }
  return arrow::Status::OK();
}

std::vector<std::string> StreamNames(const PostgresOptions& options) {
  if (!options.publications.empty()) return options.publications;
  return {PublicationName(options), InsertOnlyPublicationName(options)};
}

}  // namespace

bool IsMadeBySetup(const PublicationInfo& publication) {
  return publication.comment.rfind(kMadeBySetup, 0) == 0;
}

std::string PublicationName(const PostgresOptions& options) {
  return options.publications.empty() ? options.slot : options.publications[0];
}

std::string InsertOnlyPublicationName(const PostgresOptions& options) {
  return options.publications.size() > 1 ? options.publications[1]
                                         : PublicationName(options) + "_insert_only";
}

arrow::Result<std::vector<PublicationInfo>> ReadPublications(Connection& connection,
                                                             const std::vector<std::string>& names) {
  ARROW_ASSIGN_OR_RAISE(const std::string list, QuoteLiterals(names));
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult rows,
      connection.Query("SELECT p.pubname, pg_get_userbyid(p.pubowner), p.puballtables, "
                       "p.pubinsert, p.pubupdate, p.pubdelete, "
                       "p.pubtruncate, p.pubviaroot, obj_description(p.oid, "
                       "'pg_publication'), pg_has_role(p.pubowner, 'USAGE'), "
                       "to_jsonb(p) ->> 'pubgencols' FROM pg_publication AS p WHERE p.pubname IN (" +
                       list + ")"));
  std::vector<PublicationInfo> publications;
  for (const std::string& name : names) {
    for (int row = 0; row < rows.rows(); ++row) {
      if (rows.Text(row, 0) != name) continue;
      PublicationInfo& publication = publications.emplace_back();
      publication.name = name;
      publication.owner = rows.Text(row, 1);
      publication.all_tables = rows.Bool(row, 2);
      publication.insert = rows.Bool(row, 3);
      publication.update = rows.Bool(row, 4);
      publication.remove = rows.Bool(row, 5);
      publication.truncate = rows.Bool(row, 6);
      publication.via_root = rows.Bool(row, 7);
      publication.comment = rows.Text(row, 8);
      publication.owned = rows.Bool(row, 9);
      publication.generated_columns = rows.Text(row, 10) == "s";
    }
  }
  ARROW_RETURN_NOT_OK(ReadMembers(connection, list, &publications));
  return publications;
}

arrow::Status PublicationMissing(Connection& connection, const std::string& name) {
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult there,
      connection.Query(
          "SELECT coalesce(string_agg(pubname, ', ' ORDER BY n) FILTER (WHERE n <= 10), 'none') "
          "|| CASE WHEN count(*) > 10 THEN ' and ' || count(*) - 10 || ' more' ELSE '' END FROM "
          "(SELECT pubname, row_number() OVER (ORDER BY pubname) AS n FROM pg_publication) AS p"));
  return MakeError(
      ErrorKind::kPublicationMissing,
      "there is no publication of this name; the database has " + there.Text(0, 0),
      "publication \"" + name + "\"",
      "correct --publication, or run 'arrowcdc setup' with the same options, which makes it, or says "
      "what a slot that was there before can still deliver");
}

arrow::Result<std::vector<PublicationInfo>> ReadStreamPublications(Connection& connection,
                                                                   const PostgresOptions& options) {
  const std::vector<std::string> names = StreamNames(options);
  ARROW_ASSIGN_OR_RAISE(auto publications, ReadPublications(connection, names));
  for (const std::string& name : names) {
    const bool exists =
        std::any_of(publications.begin(), publications.end(), [&](const auto& p) { return p.name == name; });
    // Of the default names one is enough.
    if (!exists && (!options.publications.empty() || publications.empty()))
      return PublicationMissing(connection, name);
  }
  return publications;
}

}  // namespace arrowcdc::postgres
