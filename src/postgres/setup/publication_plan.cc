// Which tables go into which publication. What somebody else made is used as it is and never changed. A table
// without a usable replica identity would lose UPDATE and DELETE for the application once it is published
// with them: it is refused by name, or published for inserts only.
#include <algorithm>
#include <set>

#include "arrowcdc/error.h"
#include "src/change/utf8_text.h"
#include "src/patterns/nearest_name.h"
#include "src/postgres/setup/publication_limits.h"
#include "src/postgres/setup/published_tables.h"
#include "src/postgres/client/quoting.h"
#include "src/postgres/setup/setup_plan.h"

namespace arrowcdc::postgres {
namespace {

using Tables = std::vector<const TableInfo*>;

constexpr size_t kNamesMax = 20;  // in one message

std::string Quoted(const std::string& name) { return "\"" + name + "\""; }

std::string CountOf(size_t count) { return std::to_string(count) + (count == 1 ? " table" : " tables"); }

bool Covers(const std::optional<PublicationInfo>& publication, const TableCatalog& catalog,
            const TableInfo& table) {
  return publication.has_value() && catalog.IsPublished(table, *publication);
}

std::optional<PublicationInfo> FindPublication(const Inspection& inspected, const std::string& name) {
  for (const PublicationInfo& publication : inspected.publications) {
    if (publication.name == name) return publication;
  }
  return std::nullopt;
}

// A name of that form but for bytes that are not UTF-8.
bool WouldMatch(const TablePatterns& patterns, const TableInfo& table) {
  return patterns.Matches({EscapeInvalidUtf8(table.name.schema), EscapeInvalidUtf8(table.name.table)});
}

// Tables to list in a publication: with via_root a partitioned table stands for its partitions.
Tables SelectTables(const TableCatalog& catalog, const TablePatterns& patterns, bool via_root,
                    SetupPlan* plan) {
  Tables selected;
  Tables obstructed;
  Tables unnamed;
  for (const TableInfo& table : catalog.tables()) {
    const TablePatterns::Match match = patterns.Explain(table.name);
    const Tables ancestors = catalog.Ancestors(table);
    const auto matched_root =
        std::find_if(ancestors.rbegin(), ancestors.rend(),
                     [&](const TableInfo* ancestor) { return patterns.Matches(ancestor->name); });
    if (via_root && matched_root != ancestors.rend()) {
      if (!match.matches) {
        plan->warnings.push_back("changes of partition " + ToString(table.name) + " (" + match.reason +
                                 ") come as those of " + ToString((*matched_root)->name));
      }
      continue;
    }
    if (!HasUtf8Name(table) && RowsObstacle(table).empty() && WouldMatch(patterns, table)) {
      unnamed.push_back(&table);
    } else if (!match.matches) {
      continue;
    } else if (!CaptureObstacle(table).empty()) {
      obstructed.push_back(&table);
    } else if (table.kind == 'p' && !via_root) {
      plan->warnings.push_back(
          ToString(table.name) +
          " is partitioned: its partitions are captured as tables of their own, as far as a pattern "
          "matches them");
    } else {
      selected.push_back(&table);
    }
  }
  if (!obstructed.empty()) {
    plan->warnings.push_back("no changes can be captured of views, foreign, unlogged and temporary tables: " +
                             NamesOf(obstructed, kNamesMax));
  }
  if (!unnamed.empty()) {
    plan->warnings.push_back("no pattern matches a name that is not valid UTF-8, so these are left out: " +
                             NamesOf(unnamed, kNamesMax));
  }
  return selected;
}

arrow::Status NoTableMatches(const TableCatalog& catalog, const TablePatterns& patterns,
                             const std::vector<std::string>& texts) {
  const std::vector<TableName> names = CapturableNames(catalog);
  const std::string nearest = NearestPatterns(texts, names);
  std::string obstructed;
  for (const TableInfo& table : catalog.tables()) {
    if (CaptureObstacle(table).empty() || !patterns.Matches(table.name)) continue;
    obstructed +=
        (obstructed.empty() ? "" : ", ") + ToString(table.name) + " (" + CaptureObstacle(table) + ")";
  }
  return MakeError(ErrorKind::kInvalidOption,
                   "0 of " + CountOf(names.size()) + " match" +
                       (obstructed.empty() ? "" : "; no changes can be captured of " + obstructed) +
                       (nearest.empty() ? "" : "; nearest: " + nearest),
                   "option --tables",
                   "'arrowcdc tables --tables ...' shows every table and why it is in or out");
}

// A pattern that matches nothing is most likely misspelt.
arrow::Status WarnOfIdlePatterns(const TableCatalog& catalog, const std::vector<std::string>& texts,
                                 SetupPlan* plan) {
  for (const std::string& text : texts) {
    if (text.starts_with('!')) continue;
    ARROW_ASSIGN_OR_RAISE(const TablePatterns pattern, TablePatterns::Parse({text}));
    const auto& tables = catalog.tables();
    if (std::any_of(tables.begin(), tables.end(),
                    [&](const TableInfo& table) { return pattern.Matches(table.name); })) {
      continue;
    }
    const std::string nearest = NearestPatterns({text}, CapturableNames(catalog));
    plan->warnings.push_back("pattern " + text + " matches no table" +
                             (nearest.empty() ? "" : "; nearest: " + nearest));
  }
  return arrow::Status::OK();
}

arrow::Result<SetupObstacle> RefuseIdentities(const TableCatalog& catalog, const Tables& tables,
                                              bool already_published) {
  std::string list;
  for (size_t i = 0; i < std::min(tables.size(), kNamesMax); ++i) {
    list +=
        (i == 0 ? "" : ", ") + ToString(tables[i]->name) + " (" + catalog.IdentityProblem(*tables[i]) + ")";
  }
  if (tables.size() > kNamesMax) list += " and " + std::to_string(tables.size() - kNamesMax) + " more";
  ARROW_ASSIGN_OR_RAISE(const std::string first,
                        QuoteQualified(tables[0]->name.schema, tables[0]->name.table));
  const std::string object = tables.size() == 1 ? "table " + first : CountOf(tables.size());
  return SetupObstacle{MakeError(
      ErrorKind::kReplicaIdentity,
      std::string(already_published ? "the server refuses" : "once published, the server would refuse") +
          " UPDATE and DELETE on tables without a usable replica identity: " + list,
      object,
      "for each of them: ALTER TABLE " + first + " ADD PRIMARY KEY (...); or ALTER TABLE " + first +
          " REPLICA IDENTITY USING INDEX ... (unique, not deferrable, of NOT NULL columns) or REPLICA "
          "IDENTITY FULL; or leave "
          "it out with a pattern '!schema.table'" +
          (already_published ? ""
                             : "; or capture only its inserts and truncates with --insert-only "
                               "(insert_only=True in Python)"))};
}

// Up to 17 pgoutput does not send stored generated columns, not even those of the key.
bool HidesKey(const Inspection& inspected, const TableInfo& table, OutputPlugin plugin) {
  return table.generated_key && plugin == OutputPlugin::kPgoutput &&
         inspected.server.version_num < kPublishesGenerated;
}

// Where the matched tables go.
struct Assignment {
  Tables to_main;
  Tables to_insert_only;
  bool main_wanted = false;  // the publication has or gets a table of ours
  bool insert_only_wanted = false;
};

arrow::Result<Assignment> Assign(const Inspection& inspected, const Tables& selected, OutputPlugin plugin,
                                 const std::optional<PublicationInfo>& main,
                                 const std::optional<PublicationInfo>& insert_only, SetupPlan* plan) {
  const TableCatalog& catalog = inspected.catalog;
  const bool main_needs_identity = !main.has_value() || main->update || main->remove;
  Assignment assignment;
  Tables refused;
  Tables refused_now;
  Tables insert_only_without_need;
  std::vector<TableName> hidden_keys;
  for (const TableInfo* table : selected) {
    const bool hides_key = HidesKey(inspected, *table, plugin);
    const bool usable = (catalog.IdentityProblem(*table).empty() && !hides_key) || !main_needs_identity;
    if (Covers(main, catalog, *table)) {
      assignment.main_wanted = true;
      if (hides_key && !usable) {
        hidden_keys.push_back(table->name);
      } else if (!usable) {
        refused_now.push_back(table);
      }
    } else if (Covers(insert_only, catalog, *table)) {
      assignment.insert_only_wanted = true;
      if (usable) insert_only_without_need.push_back(table);
    } else if (usable) {
      assignment.to_main.push_back(table);
    } else if (plan->options.insert_only) {
      assignment.to_insert_only.push_back(table);
    } else if (hides_key) {
      hidden_keys.push_back(table->name);
    } else {
      refused.push_back(table);
    }
  }
  if (!hidden_keys.empty()) plan->obstacles.push_back({RefuseGeneratedKeys(hidden_keys)});
  if (!refused_now.empty()) {
    ARROW_ASSIGN_OR_RAISE(SetupObstacle obstacle, RefuseIdentities(catalog, refused_now, true));
    plan->obstacles.push_back(std::move(obstacle));
  }
  if (!refused.empty()) {
    ARROW_ASSIGN_OR_RAISE(SetupObstacle obstacle, RefuseIdentities(catalog, refused, false));
    plan->obstacles.push_back(std::move(obstacle));
  }
  if (!insert_only_without_need.empty()) {
    plan->warnings.push_back(
        "only inserts and truncates are published of " + NamesOf(insert_only_without_need, kNamesMax) +
        ", although their replica identity is usable now: to change it run teardown and setup");
  }
  assignment.main_wanted = assignment.main_wanted || !assignment.to_main.empty();
  assignment.insert_only_wanted = assignment.insert_only_wanted || !assignment.to_insert_only.empty();
  return assignment;
}

arrow::Status OnePublicationOfTwo(const std::string& main, const std::string& insert_only) {
  return MakeError(ErrorKind::kInvalidOption,
                   "tables without a usable replica identity have a publication of their own, " +
                       Quoted(insert_only) + ", which a stream of " + Quoted(main) + " alone would not read",
                   "option --publication",
                   "name both, here and for the stream: --publication " + main + " " + insert_only +
                       " (publications=[...] in Python)");
}

arrow::Result<std::string> TableList(const Tables& tables) {
  std::string list;
  for (const TableInfo* table : tables) {
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteQualified(table->name.schema, table->name.table));
    // ONLY: children by inheritance are tables of their own. Partitions come with their parent all the same.
    list += (list.empty() ? "ONLY " : ", ONLY ") + name;
  }
  return list;
}

arrow::Status PlanCreate(const Inspection& inspected, const std::string& name, const Tables& tables,
                         const std::string& options, const std::string& kind, SetupPlan* plan) {
  if (name.size() > 63) {
    return MakeError(ErrorKind::kInvalidOption, "the name has more than 63 bytes",
                     "publication " + Quoted(name),
                     "choose a shorter --slot or name two publications with --publication");
  }
  ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(name));
  ARROW_ASSIGN_OR_RAISE(const std::string list, TableList(tables));
  ARROW_ASSIGN_OR_RAISE(const std::string comment, QuoteLiteral(kMadeBySetup));
  const std::string sql = "CREATE PUBLICATION " + identifier + " FOR TABLE " + list + " WITH (" + options +
                          "); COMMENT ON PUBLICATION " + identifier + " IS " + comment;
  if (!inspected.slot.has_value()) {
    plan->steps.push_back({SetupStepKind::kCreatePublication,
                           "create publication " + Quoted(name) + " for " + CountOf(tables.size()) + kind +
                               ": " + NamesOf(tables, kNamesMax),
                           sql});
    return arrow::Status::OK();
  }
  plan->obstacles.push_back({MakeError(
      ErrorKind::kPublicationMissing,
      "the slot " + Quoted(inspected.slot->name) + " is older than the publication that " +
          CountOf(tables.size()) + " would need: decoding would fail at the changes before it",
      "publication " + Quoted(name),
      "set up a slot of their own for these tables (--slot NAME). If the publication was dropped, make it "
      "again and run setup once more, which then finds out what the slot can still deliver: " +
          sql)});
  return arrow::Status::OK();
}

// A change of a publication: a step where setup made it, an obstacle where somebody else did.
void PlanAlter(const Inspection& inspected, const PublicationInfo& publication, const std::string& slot,
               const std::string& lacks, SetupStep step, SetupPlan* plan) {
  if (!IsMadeBySetup(publication)) {
    plan->obstacles.push_back({MakeError(
        ErrorKind::kPublicationMissing,
        "setup did not make the publication, so it does not change it, and it " + lacks,
        "publication " + Quoted(publication.name),
        "give another --slot, or leave out --publication, and setup makes one of its own; or let the "
        "publication's owner run: " +
            step.sql)});
    return;
  }
  const auto readers = OtherReaders(inspected, publication, slot);
  std::string names;
  for (const std::string& reader : readers) names += (names.empty() ? "" : ", ") + Quoted(reader);
  if (!readers.empty()) {
    plan->warnings.push_back("publication " + Quoted(publication.name) + " is read through " +
                             (readers.size() == 1 ? "slot " : "slots ") + names +
                             " as well: this changes what comes there. With another --slot setup makes a "
                             "publication for that one alone");
  }
  plan->steps.push_back(std::move(step));
}

arrow::Status PlanExisting(const Inspection& inspected, const PublicationInfo& publication,
                           const std::string& slot, const Tables& missing, bool partitions, SetupPlan* plan) {
  ARROW_ASSIGN_OR_RAISE(const std::string identifier, QuoteIdentifier(publication.name));
  if (!missing.empty()) {
    ARROW_ASSIGN_OR_RAISE(const std::string list, TableList(missing));
    PlanAlter(inspected, publication, slot, "does not publish " + NamesOf(missing, kNamesMax),
              {SetupStepKind::kAlterPublication,
               "add " + CountOf(missing.size()) + " to publication " + Quoted(publication.name) + ": " +
                   NamesOf(missing, kNamesMax),
               "ALTER PUBLICATION " + identifier + " ADD TABLE " + list},
              plan);
    if (inspected.slot.has_value())
      plan->warnings.push_back("changes made to " + NamesOf(missing, kNamesMax) +
                               " before this setup are not included; a stream into a sink that began with a "
                               "copy copies the rows that are there, where its --tables match");
  } else {
    plan->checks.push_back("publication " + Quoted(publication.name) +
                           " exists and publishes what it should");
  }
  const bool via_root = plan->options.via_partition_root;
  if (!partitions || publication.via_root == via_root) return arrow::Status::OK();
  const std::string value = std::string("publish_via_partition_root = ") + (via_root ? "true" : "false");
  PlanAlter(
      inspected, publication, slot,
      via_root ? "publishes partitions under their own names (" + value +
                     " is wanted; --partitions-as-tables takes them as they are)"
               : "publishes partitions under the name of their root (" + value + " is wanted)",
      {SetupStepKind::kAlterPublication, "set " + value + " for publication " + Quoted(publication.name),
       "ALTER PUBLICATION " + identifier + " SET (" + value + ")"},
      plan);
  return arrow::Status::OK();
}

void WarnOfOperations(const PublicationInfo& main, SetupPlan* plan) {
  std::string missing;
  const auto note = [&missing](bool published, const char* name) {
    if (!published) missing += (missing.empty() ? "" : ", ") + std::string(name);
  };
  note(main.insert, "insert");
  note(main.update, "update");
  note(main.remove, "delete");
  note(main.truncate, "truncate");
  if (!missing.empty())
    plan->warnings.push_back("publication " + Quoted(main.name) + " does not publish " + missing +
                             ": they will not come");
}

// `role` as SQL has it.
arrow::Result<std::string> AllowReadingSql(const Tables& tables, const std::string& role) {
  std::set<std::string> schemas;
  std::string names;
  for (const TableInfo* table : tables) {
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteQualified(table->name.schema, table->name.table));
    names += (names.empty() ? "" : ", ") + name;
    schemas.insert(table->name.schema);
  }
  std::string schema_names;
  for (const std::string& schema : schemas) {
    ARROW_ASSIGN_OR_RAISE(const std::string name, QuoteIdentifier(schema));
    schema_names += (schema_names.empty() ? "" : ", ") + name;
  }
  return "GRANT USAGE ON SCHEMA " + schema_names + " TO " + role + "; GRANT SELECT ON " + names + " TO " +
         role;
}

std::string LetRead(const std::string& role, const Tables& tables) {
  return "let " + Quoted(role) + " read the rows that are there of " + CountOf(tables.size()) + ": " +
         NamesOf(tables, kNamesMax);
}

// Their own, and those whose rows are read in their place; each once.
Tables WithLeaves(const TableCatalog& catalog, const Tables& tables) {
  Tables all;
  for (const TableInfo* table : tables) {
    Tables one = catalog.Leaves(*table);
    one.push_back(table);
    std::copy_if(one.begin(), one.end(), std::back_inserter(all),
                 [&](const TableInfo* leaf) { return std::find(all.begin(), all.end(), leaf) == all.end(); });
  }
  return all;
}

// For whoever runs the steps on tables of others: rows that are there before are copied by reading them.
arrow::Status PlanReading(const Inspection& inspected, const Tables& tables, SetupPlan* plan) {
  Tables unread = WithLeaves(inspected.catalog, tables);
  std::erase_if(unread, [](const TableInfo* table) { return table->readable; });
  if (unread.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string role, QuoteIdentifier(inspected.server.role.name));
  ARROW_ASSIGN_OR_RAISE(const std::string sql, AllowReadingSql(unread, role));
  plan->steps.push_back({SetupStepKind::kAllowReading, LetRead(inspected.server.role.name, unread), sql});
  return arrow::Status::OK();
}

// Whoever adds tables need not be the role that streams, and what that one lacks shows when it copies them.
arrow::Status WarnOfReading(const Inspection& inspected, const Assignment& assignment, SetupPlan* plan) {
  if (!plan->options.add_tables || !inspected.slot.has_value()) return arrow::Status::OK();
  const RoleInfo& own = inspected.server.role;
  const std::string& reader = inspected.slot->active_role;
  if (reader == own.name || (reader.empty() && !own.superuser)) return arrow::Status::OK();
  Tables added = assignment.to_main;
  added.insert(added.end(), assignment.to_insert_only.begin(), assignment.to_insert_only.end());
  if (added.empty()) return arrow::Status::OK();
  std::string role = "ROLE";
  if (!reader.empty()) {
    ARROW_ASSIGN_OR_RAISE(role, QuoteIdentifier(reader));
  }
  const Tables read = WithLeaves(inspected.catalog, added);
  ARROW_ASSIGN_OR_RAISE(const std::string sql, AllowReadingSql(read, role));
  if (!reader.empty()) plan->grants.push_back({SetupStepKind::kAllowReading, LetRead(reader, read), sql});
  plan->warnings.push_back(
      (reader.empty() ? "where another role streams, it" : "role " + Quoted(reader) + ", which streams,") +
      " needs the right to read the rows that are there of what is added: " + sql);
  return arrow::Status::OK();
}

// Published already, by somebody else, say: told here, and not first by the stream that copies them.
arrow::Status WarnOfUnread(const Inspection& inspected, const Tables& selected, SetupPlan* plan) {
  const bool planned = std::any_of(plan->steps.begin(), plan->steps.end(), [](const SetupStep& step) {
    return step.kind == SetupStepKind::kAllowReading;
  });
  Tables unread = WithLeaves(inspected.catalog, selected);
  std::erase_if(unread, [](const TableInfo* table) { return table->readable; });
  if (planned || unread.empty()) return arrow::Status::OK();
  ARROW_ASSIGN_OR_RAISE(const std::string role, QuoteIdentifier(inspected.server.role.name));
  ARROW_ASSIGN_OR_RAISE(const std::string sql, AllowReadingSql(unread, role));
  plan->warnings.push_back("the role may not read the rows that are there of " + CountOf(unread.size()) +
                           ": " + NamesOf(unread, kNamesMax) +
                           ", which a stream into a new sink copies first: an administrator must run: " +
                           sql + "; or pass --snapshot never to the stream");
  return arrow::Status::OK();
}

// What the role lacks for the steps on publications, found before any of them runs. Somebody else may run
// their SQL.
arrow::Status CheckPermissions(const Inspection& inspected, const Assignment& assignment, bool creates,
                               const std::vector<std::string>& altered, SetupPlan* plan) {
  const ServerInfo& server = inspected.server;
  if (server.role.superuser) return arrow::Status::OK();
  const std::string role = Quoted(server.role.name);
  std::string missing;
  const auto add = [&missing](const std::string& what) {
    missing += (missing.empty() ? "" : "; it ") + what;
  };
  if (creates && !server.role.create_in_database) {
    add("may not create publications (GRANT CREATE ON DATABASE " + Quoted(server.database) + " TO " + role +
        " would allow it)");
  }
  Tables foreign;
  for (const Tables* tables : {&assignment.to_main, &assignment.to_insert_only}) {
    std::copy_if(tables->begin(), tables->end(), std::back_inserter(foreign),
                 [](const TableInfo* table) { return !table->owned; });
  }
  if (!foreign.empty()) add("does not own " + NamesOf(foreign, kNamesMax));
  for (const PublicationInfo& publication : inspected.publications) {
    if (publication.owned || std::find(altered.begin(), altered.end(), publication.name) == altered.end())
      continue;
    add("does not own publication " + Quoted(publication.name) + ", which must change");
  }
  if (missing.empty()) return arrow::Status::OK();
  plan->obstacles.push_back({MakeError(ErrorKind::kPermission, "the role " + missing, "role " + role,
                                       "let the owner, or an administrator, run what 'arrowcdc " +
                                           std::string(plan->options.add_tables ? "add-tables" : "setup") +
                                           " --print-sql' with the same options prints"),
                             "", false, true});
  const bool another_reads = plan->options.add_tables && inspected.slot.has_value() &&
                             !inspected.slot->active_role.empty() &&
                             inspected.slot->active_role != server.role.name;
  return another_reads ? arrow::Status::OK() : PlanReading(inspected, foreign, plan);
}

// What will not come, table by table, of the publications as they will be.
void WarnOfLimits(const Inspection& inspected, const Tables& selected, SetupPlan* plan) {
  size_t count = 0;
  for (const TableInfo* table : selected) {
    for (const std::string& limit :
         TableLimits(inspected.catalog, *table, inspected.publications, plan->options.via_partition_root)) {
      if (++count <= kNamesMax) plan->warnings.push_back(ToString(table->name) + ": " + limit);
    }
  }
  if (count > kNamesMax)
    plan->warnings.push_back("and " + std::to_string(count - kNamesMax) +
                             " more notes of this kind: 'arrowcdc tables' shows all of them");
}

}  // namespace

arrow::Result<std::vector<std::string>> PlanPublications(const Inspection& inspected,
                                                         const PostgresOptions& source,
                                                         const TablePatterns& patterns, SetupPlan* plan) {
  const bool via_root = plan->options.via_partition_root;
  const Tables selected = SelectTables(inspected.catalog, patterns, via_root, plan);
  std::vector<std::string> ours;
  if (selected.empty()) {
    plan->obstacles.push_back({NoTableMatches(inspected.catalog, patterns, source.tables)});
    return ours;
  }
  ARROW_RETURN_NOT_OK(WarnOfIdlePatterns(inspected.catalog, source.tables, plan));
  const std::string main_name = PublicationName(source);
  const std::string insert_only_name = InsertOnlyPublicationName(source);
  const auto main = FindPublication(inspected, main_name);
  const auto insert_only = FindPublication(inspected, insert_only_name);
  ARROW_ASSIGN_OR_RAISE(const Assignment assignment,
                        Assign(inspected, selected, source.plugin, main, insert_only, plan));
  // A stream reads the publications that it is told, and no other.
  if (source.publications.size() == 1 && assignment.insert_only_wanted)
    plan->obstacles.push_back({OnePublicationOfTwo(main_name, insert_only_name)});

  const bool partitions = std::any_of(selected.begin(), selected.end(), [](const TableInfo* table) {
    return table->kind == 'p' || table->is_partition;
  });
  const std::string root_option =
      std::string("publish_via_partition_root = ") + (via_root ? "true" : "false");
  std::vector<std::string> altered;
  // Plans on an existing publication, and remembers it where a step came of it.
  const auto plan_existing = [&](const PublicationInfo& publication, const Tables& missing) {
    const size_t steps = plan->steps.size();
    ARROW_RETURN_NOT_OK(PlanExisting(inspected, publication, source.slot, missing, partitions, plan));
    if (plan->steps.size() > steps) altered.push_back(publication.name);
    return arrow::Status::OK();
  };
  if (main.has_value()) {
    ARROW_RETURN_NOT_OK(plan_existing(*main, assignment.to_main));
    WarnOfOperations(*main, plan);
  } else if (!assignment.to_main.empty()) {
    ARROW_RETURN_NOT_OK(PlanCreate(inspected, main_name, assignment.to_main, root_option, "", plan));
    ours.push_back(main_name);
  }
  if (insert_only.has_value() && assignment.insert_only_wanted) {
    ARROW_RETURN_NOT_OK(plan_existing(*insert_only, assignment.to_insert_only));
  } else if (!assignment.to_insert_only.empty()) {
    ARROW_RETURN_NOT_OK(PlanCreate(inspected, insert_only_name, assignment.to_insert_only,
                                   "publish = 'insert, truncate', " + root_option,
                                   " (inserts and truncates only)", plan));
    ours.push_back(insert_only_name);
  }
  ARROW_RETURN_NOT_OK(CheckPermissions(inspected, assignment, !ours.empty(), altered, plan));
  ARROW_RETURN_NOT_OK(WarnOfReading(inspected, assignment, plan));
  ARROW_RETURN_NOT_OK(WarnOfUnread(inspected, selected, plan));
  WarnOfLimits(inspected, selected, plan);
  for (const TableInfo* table : selected) plan->tables.push_back(table->name);
  for (const PublicationInfo& publication : inspected.publications) {
    if (!IsMadeBySetup(publication)) continue;
    ours.push_back(publication.name);
    if (HasUnknownNote(publication.comment)) {
      plan->warnings.push_back("the note in the comment of publication " + Quoted(publication.name) +
                               " cannot be read: it stays as it is, and nothing is noted there");
    }
  }
  return ours;
}

}  // namespace arrowcdc::postgres
