// Reads pg_publication and its relatives.
#include "src/postgres/publication.h"

#include <algorithm>

#include "arrowcdc/error.h"
#include "arrowcdc/position.h"
#include "src/postgres/quoting.h"

namespace arrowcdc::postgres {
namespace {

std::string NotePrefix(const std::string& slot) {
  return std::string(kMadeBySetup) + "; slot " + slot + " begins at ";
}

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
          "SELECT p.pubname, n.nspname, c.relname, r.prqual IS NOT NULL FROM pg_publication_rel AS r "
          "JOIN pg_publication AS p ON p.oid = r.prpubid JOIN pg_class AS c ON c.oid = r.prrelid "
          "JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE p.pubname IN (" +
          list + ") ORDER BY 1, 2, 3"));
  for (int row = 0; row < rows.rows(); ++row) {
    PublicationInfo* publication = FindByName(publications, rows.Text(row, 0));
    if (publication == nullptr) continue;
    publication->tables.push_back({rows.Text(row, 1), rows.Text(row, 2)});
    if (rows.Bool(row, 3)) publication->row_filtered.push_back(publication->tables.back());
  }
  ARROW_ASSIGN_OR_RAISE(
      const QueryResult schemas,
      connection.Query(
          "SELECT p.pubname, n.nspname FROM pg_publication_namespace AS s JOIN pg_publication AS p ON "
          "p.oid = s.pnpubid JOIN pg_namespace AS n ON n.oid = s.pnnspid WHERE p.pubname IN (" +
          list + ")"));
  for (int row = 0; row < schemas.rows(); ++row) {
    PublicationInfo* publication = FindByName(publications, schemas.Text(row, 0));
    if (publication != nullptr) publication->schemas.push_back(schemas.Text(row, 1));
  }
  return arrow::Status::OK();
}

std::vector<std::string> StreamNames(const SourceOptions& options) {
  if (!options.publications.empty()) return options.publications;
  return {PublicationName(options), InsertOnlyPublicationName(options)};
}

arrow::Status PublicationMissing(const std::string& name) {
  return MakeError(
      ErrorKind::kPublicationMissing, "there is no publication of this name in this database",
      "publication \"" + name + "\"",
      "run 'arrowcdc setup'; if the slot is older than the publication run 'arrowcdc teardown' first");
}

}  // namespace

bool IsMadeBySetup(const PublicationInfo& publication) {
  return publication.comment.rfind(kMadeBySetup, 0) == 0;
}

arrow::Result<std::string> NoteSlotStartSql(const std::string& publication, const std::string& slot) {
  ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(publication));
  ARROW_ASSIGN_OR_RAISE(const std::string name_literal, QuoteLiteral(publication));
  ARROW_ASSIGN_OR_RAISE(const std::string identifier_literal, QuoteLiteral(identifier));
  ARROW_ASSIGN_OR_RAISE(const std::string prefix, QuoteLiteral(NotePrefix(slot)));
  ARROW_ASSIGN_OR_RAISE(const std::string slot_literal, QuoteLiteral(slot));
  // Run as a script, the slot may be missing here: the comment is kept then.
  ARROW_ASSIGN_OR_RAISE(const std::string made, QuoteLiteral(kMadeBySetup));
  const std::string body =
      "BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = " + name_literal +
      " AND pg_catalog.pg_has_role(pubowner, 'USAGE')) THEN EXECUTE format('COMMENT ON PUBLICATION %s IS "
      "%L', " +
      identifier_literal + ", coalesce((SELECT " + prefix +
      " || confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE slot_name = " + slot_literal +
      "), " + made + ")); END IF; END";
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_body, QuoteLiteral(body));
  return "DO " + quoted_body;
}

std::optional<uint64_t> NotedSlotStart(const PublicationInfo& publication, const std::string& slot) {
  const std::string prefix = NotePrefix(slot);
  if (publication.comment.rfind(prefix, 0) != 0) return std::nullopt;
  const auto lsn = ParseLsn(publication.comment.substr(prefix.size()));
  return lsn.ok() ? std::optional<uint64_t>(*lsn) : std::nullopt;
}

std::string PublicationName(const SourceOptions& options) {
  return options.publications.empty() ? options.slot : options.publications[0];
}

std::string InsertOnlyPublicationName(const SourceOptions& options) {
  return options.publications.size() > 1 ? options.publications[1]
                                         : PublicationName(options) + "_insert_only";
}

arrow::Result<std::vector<PublicationInfo>> ReadPublications(Connection& connection,
                                                             const std::vector<std::string>& names) {
  ARROW_ASSIGN_OR_RAISE(const std::string list, QuoteLiterals(names));
  ARROW_ASSIGN_OR_RAISE(const QueryResult rows,
                        connection.Query("SELECT p.pubname, pg_get_userbyid(p.pubowner), p.puballtables, "
                                         "p.pubinsert, p.pubupdate, p.pubdelete, "
                                         "p.pubtruncate, p.pubviaroot, obj_description(p.oid, "
                                         "'pg_publication'), pg_has_role(p.pubowner, 'USAGE') FROM "
                                         "pg_publication AS p WHERE p.pubname IN (" +
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
    }
  }
  ARROW_RETURN_NOT_OK(ReadMembers(connection, list, &publications));
  return publications;
}

arrow::Status CheckRowFilters(const std::vector<PublicationInfo>& publications) {
  for (const PublicationInfo& publication : publications) {
    if (publication.row_filtered.empty()) continue;
    std::string tables;
    for (const TableName& table : publication.row_filtered)
      tables += (tables.empty() ? "" : ", ") + ToString(table);
    return MakeError(
        ErrorKind::kUnsupported,
        "the publication has row filters (WHERE), which this version does not support, on " + tables,
        "publication \"" + publication.name + "\"",
        "use a publication without them, made before its slot: give another --slot and run 'arrowcdc setup'; "
        "where a "
        "filter was added later, remove it and start again: the stream says what more there is to do if it "
        "has met "
        "changes from that time");
  }
  return arrow::Status::OK();
}

arrow::Result<std::vector<PublicationInfo>> ReadStreamPublications(Connection& connection,
                                                                   const SourceOptions& options) {
  const std::vector<std::string> names = StreamNames(options);
  ARROW_ASSIGN_OR_RAISE(auto publications, ReadPublications(connection, names));
  for (const std::string& name : names) {
    const bool exists =
        std::any_of(publications.begin(), publications.end(), [&](const auto& p) { return p.name == name; });
    // Of the default names one is enough.
    if (!exists && (!options.publications.empty() || publications.empty())) return PublicationMissing(name);
  }
  ARROW_RETURN_NOT_OK(CheckRowFilters(publications));
  return publications;
}

}  // namespace arrowcdc::postgres
