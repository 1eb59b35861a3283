// See current_state_sql.h. The query has one branch a schema that the table had, over the files that have it,
// which brings columns to the newest names and types; then
//   with a key: each change gets the number of the row that it belongs to, which the row keeps through
//     changes of its key; the last change of a row says whether it is there, and its values;
//   with REPLICA IDENTITY FULL and no key: equal rows are counted;
//   without either: inserts are all there is.
// Inside, columns are called by their field id, so that their names can be anything.
#include "src/sink/current_state_sql.h"

#include <algorithm>
#include <map>
#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/sink/duckdb_types.h"

namespace arrowcdc {
namespace {

constexpr char kAlive[] = "('insert', 'snapshot', 'update_after')";

struct Column {
  int field_id = 0;
  std::string name;
  std::shared_ptr<arrow::DataType> type;
  int key_place = 0;  // 0: not in the replica identity

  std::string inner_name() const { return "c" + std::to_string(field_id); }
};

// What a schema says, and the files that have it.
struct Version {
  std::vector<Column> columns;
  std::vector<std::string> roles;  // of the metadata columns, in the order of the file
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<std::string> paths;

  const Column* Find(int field_id) const {
    const auto found = std::find_if(columns.begin(), columns.end(),
                                    [&](const Column& column) { return column.field_id == field_id; });
    return found == columns.end() ? nullptr : &*found;
  }
  // Old rows carry these columns and no others.
  bool has_key() const {
    return (replica_identity == ReplicaIdentity::kDefault || replica_identity == ReplicaIdentity::kIndex) &&
           std::any_of(columns.begin(), columns.end(), [](const Column& c) { return c.key_place > 0; });
  }
};

bool SameSchema(const Version& a, const Version& b) {
  return a.replica_identity == b.replica_identity && a.roles == b.roles &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& x, const Column& y) {
                      return x.field_id == y.field_id && x.name == y.name && x.key_place == y.key_place &&
                             x.type->Equals(y.type);
                    });
}

int Number(const arrow::Field& field, const char* key) {
  const std::string text = field.HasMetadata() ? field.metadata()->Get(key).ValueOr("") : "";
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Names come from the server: in a comment they must not end the line.
std::string ForComment(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  }
  return text;
}

template <typename Items, typename Text>
std::string Join(const Items& items, const std::string& separator, Text&& text) {
  std::string joined;
  for (const auto& item : items) joined += (joined.empty() ? "" : separator) + text(item);
  return joined;
}

// A file as read_parquet takes it, which expands patterns.
std::string PathLiteral(const std::string& path) {
  std::string escaped;
  for (const char c : path) {
    const bool special = c == '*' || c == '?' || c == '[';
    escaped += special ? std::string("[") + c + "]" : std::string(1, c);
  }
  return QuoteLiteral(escaped);
}

// A column of the result: what the newest schema says, and the type that all versions are brought to.
struct Output {
  Column column;
  bool as_text = false;  // older values cannot become the newest type

  std::string type() const { return as_text ? "VARCHAR" : DuckdbType(*column.type); }
};

class Query {
 public:
  static arrow::Result<Query> Make(const StoredTable& table);
  std::string Text() const;

 private:
  arrow::Status ReadVersions(const StoredTable& table);
  arrow::Status CheckKey(const Version& version, const Column& column) const;
  arrow::Status ChooseKey();
  arrow::Status CheckCounting() const;
  void MakeOutputs();
  void Note(const std::string& text) { notes_ += "-- " + ForComment(text) + "\n"; }

  std::string Value(const Version& version, const Output& output) const;
  std::string Unchanged(const Version& version) const;
  std::string Branch(const Version& version) const;
  std::string Changes() const;
  std::string KeyedRows() const;
  std::string CountedRows() const;
  std::string JoinOutputs() const;

  const Version& newest() const { return versions_[newest_]; }
  std::string Keys(const std::string& separator, const std::string& prefix, const std::string& suffix) const {
    return Join(keys_, separator, [&](const std::string& key) { return prefix + key + suffix; });
  }

  TableName name_;
  std::optional<uint64_t> order_;  // of what is whole
  std::vector<Version> versions_;  // in the order of their first file
  size_t newest_ = 0;
  std::vector<Output> outputs_;
  std::vector<std::string> keys_;  // inner names; empty: no key
  bool counted_ = false;
  bool key_may_repeat_ = false;  // nobody checked in the server that it does not
  std::string notes_;
};

arrow::Status Query::ReadVersions(const StoredTable& table) {
  std::map<std::string, int> numbers;  // of columns that the source does not number, by name
  for (const StoredFile& file : table.files) {
    Version version;
    version.replica_identity = file.replica_identity;
    for (const auto& field : file.schema->fields()) {
      const std::string role = field->HasMetadata() ? field->metadata()->Get(kRoleKey).ValueOr("") : "";
      if (!role.empty()) {
        version.roles.push_back(role);
        continue;
      }
      int field_id = Number(*field, "PARQUET:field_id");
      // MySQL's columns have names alone.
      if (field->HasMetadata() && field->metadata()->Contains("arrowcdc:mysql_type"))
        field_id = numbers.try_emplace(field->name(), static_cast<int>(numbers.size()) + 1).first->second;
      version.columns.push_back({field_id, field->name(), field->type(), Number(*field, kIdentityKey)});
      if (version.columns.back().field_id <= 0 || !version.roles.empty()) {
        return MakeError(
            ErrorKind::kSink,
            file.path +
                " does not say which columns these are, as it is with rows that came through pgoutput "
                "when the table had been altered since they were written",
            file.path,
            "let 'arrowcdc resnapshot' have the table copied anew: the file does not count then; or, where "
            "the sink began without a copy (--snapshot never), capture into a new directory");
      }
    }
    auto same = std::find_if(versions_.begin(), versions_.end(),
                             [&](const Version& known) { return SameSchema(known, version); });
    if (same == versions_.end()) same = versions_.insert(same, std::move(version));
    same->paths.push_back(file.path);
    // A TRUNCATE of MySQL may come before anything is known of the table's columns: such a file has no more.
    const auto place = static_cast<size_t>(same - versions_.begin());
    if (!same->columns.empty() || versions_.size() == 1) newest_ = place;
  }
  name_ = table.files.back().name;
  if (table.whole.has_value()) order_ = table.whole->order;
  if (newest().columns.empty()) {
    return MakeError(ErrorKind::kUnsupported, "a table without columns has no rows to show",
                     "table " + ToString(name_), "");
  }
  return arrow::Status::OK();
}

// Whether the version says of a row which one it is, by this column of the key.
arrow::Status Query::CheckKey(const Version& version, const Column& column) const {
  const Column* const there = version.Find(column.field_id);
  const std::string remedy = "capture the table into a new directory from here on";
  if (there == nullptr || (there->key_place == 0 && version.has_key())) {
    return MakeError(ErrorKind::kUnsupported,
                     "the key of the table has changed: column " + QuoteIdentifier(column.name) +
                         " is not part of it in all files, so changes cannot be brought to their rows",
                     "table " + ToString(name_), remedy);
  }
  const Column* const now = newest().Find(column.field_id);
  if (now == nullptr || CastInDuckdb("", *there->type, *now->type)) return arrow::Status::OK();
  return MakeError(ErrorKind::kUnsupported,
                   "column " + QuoteIdentifier(column.name) + " of the key was " + DuckdbType(*there->type) +
                       ", which cannot be cast to " + DuckdbType(*now->type) +
                       ", so changes cannot be brought to their rows",
                   "table " + ToString(name_), remedy);
}

arrow::Status Query::ChooseKey() {
  const Version* keyed = newest().has_key() ? &newest() : nullptr;
  bool full = false;
  for (const Version& version : versions_) {
    if (version.columns.empty()) continue;
    full = full || version.replica_identity == ReplicaIdentity::kFull;
    if (!newest().has_key() && version.has_key()) keyed = &version;
  }
  counted_ = full && keyed == nullptr;
  key_may_repeat_ = full && keyed != nullptr;
  if (keyed == nullptr) return counted_ ? CheckCounting() : arrow::Status::OK();
  std::vector<Column> key;
  for (const Column& column : keyed->columns) {
    if (column.key_place > 0) key.push_back(column);
  }
  for (const Version& version : versions_) {
    if (version.columns.empty()) continue;
    for (const Column& column : key) ARROW_RETURN_NOT_OK(CheckKey(version, column));
  }
  for (const Column& column : key) keys_.push_back(column.inner_name());
  return arrow::Status::OK();
}

// Old rows are found by all their values, so these must be the same in all files.
arrow::Status Query::CheckCounting() const {
  for (const Column& column : newest().columns) {
    for (const Version& version : versions_) {
      if (version.columns.empty()) continue;
      const Column* const old = version.Find(column.field_id);
      const auto cast = old == nullptr ? std::nullopt : CastInDuckdb("", *old->type, *column.type);
      if (cast && cast->exact) continue;
      return MakeError(ErrorKind::kUnsupported,
                       "the table has REPLICA IDENTITY FULL and no key that the files know, and column " +
                           QuoteIdentifier(column.name) +
                           (old == nullptr ? " was added" : " changed its type") +
                           " later: rows of before cannot be recognised",
                       "table " + ToString(name_),
                       "capture the table into a new directory from here on, with a key as replica identity");
    }
  }
  return arrow::Status::OK();
}

void Query::MakeOutputs() {
  for (const Column& column : newest().columns) {
    Output output{column, false};
    const std::string shown = "column " + QuoteIdentifier(column.name);
    std::vector<std::string> old_types;
    bool came_later = false;
    bool exact = true;
    for (const Version& version : versions_) {
      if (version.columns.empty()) continue;
      const Column* const old = version.Find(column.field_id);
      came_later = came_later || old == nullptr;
      if (old == nullptr) continue;
      const std::string type = DuckdbType(*old->type);
      if (type == DuckdbType(*column.type)) continue;
      const auto cast = CastInDuckdb("", *old->type, *column.type);
      output.as_text = output.as_text || !cast;
      exact = exact && cast && cast->exact;
      if (std::find(old_types.begin(), old_types.end(), type) == old_types.end()) old_types.push_back(type);
    }
    const std::string was = Join(old_types, ", ", [](const std::string& type) { return type; });
    if (came_later) {
      Note(shown + " came later: NULL in rows not written since, also where the server shows a default");
    }
    if (output.as_text) {
      Note(shown + " was " + was + ", which cannot be cast to " + DuckdbType(*column.type) + ": all as text");
    } else if (!old_types.empty()) {
      Note(shown + " was " + was + ": in rows not written since, cast to " + DuckdbType(*column.type) +
           (exact ? "" : " as DuckDB casts, which may differ from the server; NULL where that fails"));
    }
    outputs_.push_back(std::move(output));
  }
}

arrow::Result<Query> Query::Make(const StoredTable& table) {
  Query query;
  ARROW_RETURN_NOT_OK(query.ReadVersions(table));
  ARROW_RETURN_NOT_OK(query.ChooseKey());
  query.Note("Rows of " + ToString(query.name_) +
             (query.order_ ? " after all transactions that end at or before " +
                                 (table.place.empty() ? FormatLsn(*query.order_) : table.place)
                           : std::string(" after all changes")) +
             ", from " + std::to_string(table.files.size()) +
             (table.files.size() == 1 ? " file." : " files."));
  query.Note("Made by arrowcdc sql for these files; make it again when there are more. Rows from before the");
  query.Note("capture are among them where the sink began with a copy, else when they change. NULL also");
  query.Note("stands for what the files do not hold: see \"Current rows\" in docs/sinks.md.");
  if (table.left_out)
    query.Note("The last stream's --tables leave the table out: what has changed in it since is not here.");
  if (!query.order_)
    query.Note("No position is stored with the files: the last transaction may be there in part.");
  std::vector<TableName> others;
  for (const StoredFile& file : table.files) {
    if (file.name == query.name_ || std::find(others.begin(), others.end(), file.name) != others.end())
      continue;
    others.push_back(file.name);
    query.Note("the table was called " + ToString(file.name) + " before");
  }
  if (query.counted_) query.Note("REPLICA IDENTITY FULL and no key: equal rows are counted");
  if (query.keys_.empty() && !query.counted_) {
    query.Note("no replica identity: the files hold no updates and deletes");
  }
  query.MakeOutputs();
  return query;
}

std::string Query::Value(const Version& version, const Output& output) const {
  const Column* const column = version.Find(output.column.field_id);
  if (column == nullptr) return "CAST(NULL AS " + output.type() + ")";
  if (output.as_text) return "CAST(" + column->inner_name() + " AS VARCHAR)";
  return CastInDuckdb(column->inner_name(), *column->type, *output.column.type)->sql;
}

// _unchanged by the newest names. What the file calls so may be called otherwise now, or be another column.
std::string Query::Unchanged(const Version& version) const {
  bool same = true;
  for (const Column& column : version.columns) {
    const auto named = std::find_if(outputs_.begin(), outputs_.end(),
                                    [&](const Output& output) { return output.column.name == column.name; });
    const bool found = newest().Find(column.field_id) != nullptr;
    same = same && (named == outputs_.end() ? !found : named->column.field_id == column.field_id);
  }
  if (same) return "unchanged";
  std::string names;
  for (const Output& output : outputs_) {
    const Column* const column = version.Find(output.column.field_id);
    if (column == nullptr) continue;
    names += (names.empty() ? "" : ", ") +
             ("CASE WHEN list_contains(unchanged, " + QuoteLiteral(column->name)) + ") THEN " +
             QuoteLiteral(output.column.name) + " END";
  }
  return "CASE WHEN unchanged IS NOT NULL THEN [" + names + "] END";
}

std::string Query::Branch(const Version& version) const {
  std::string inner = Join(version.columns, ", ", [](const Column& column) { return column.inner_name(); });
  for (const std::string& role : version.roles) inner += (inner.empty() ? "" : ", ") + role;
  std::string sql =
      "  SELECT CAST(op AS VARCHAR) AS op, commit_lsn, lsn, ord, " + Unchanged(version) + " AS unchanged";
  for (const Output& output : outputs_) {
    sql += ",\n    " + Value(version, output) + " AS " + output.column.inner_name();
  }
  sql += "\n  FROM read_parquet([\n    " + Join(version.paths, ",\n    ", PathLiteral) +
         "],\n    hive_partitioning = false) AS file(" + inner + ")";
  if (order_) sql += "\n  WHERE commit_lsn < " + std::to_string(*order_);
  return sql;
}

// CTEs `changes` to `valid`: the changes with their number n, from 1 in their order, since the last TRUNCATE.
std::string Query::Changes() const {
  return "WITH RECURSIVE changes AS (\n" +
         Join(versions_, "\n  UNION ALL\n", [&](const Version& version) { return Branch(version); }) +
         "\n), numbered AS MATERIALIZED (\n"
         "  SELECT *, row_number() OVER (ORDER BY commit_lsn, lsn, ord) AS n FROM changes\n"
         "), valid AS MATERIALIZED (\n"
         "  SELECT * FROM numbered\n"
         "  WHERE n > coalesce((SELECT max(n) FROM numbered WHERE op = 'truncate'), 0)\n)";
}

// NOLINTNEXTLINE(readability-function-size): one query, in the order of its parts
std::string Query::KeyedRows() const {
  const std::string keys = Keys(", ", "", "");
  const auto differ = [&](const std::string& suffix) {
    return "(" +
           Join(keys_, " OR ",
                [&](const std::string& key) { return key + suffix + " IS DISTINCT FROM " + key; }) +
           ")";
  };
  std::string sql =
      // An update that changes the key is update_before with the old key and, behind it, update_after.
      ", neighbours AS (\n  SELECT n, op, " + keys +
      ", lag(op) OVER place AS op_before, lead(op) OVER place AS op_behind,\n    " +
      Join(keys_, ", ",
           [](const std::string& key) {
             return "lag(" + key + ") OVER place AS " + key + "_before, lead(" + key + ") OVER place AS " +
                    key + "_behind";
           }) +
      "\n  FROM valid\n  WHERE CASE WHEN " + Keys(" OR ", "", " IS NULL") +
      "\n    THEN error('change ' || n || ' does not carry its key, or a value of it has no Arrow form: its "
      "row "
      "cannot be found') ELSE true END\n  WINDOW place AS (ORDER BY n)\n"
      "), steps AS (\n"
      "  SELECT n, op, " +
      keys +
      ",\n"
      "    op = 'update_after' AND coalesce(op_before = 'update_before', false) AND " +
      differ("_before") +
      " AS moved\n"
      "  FROM neighbours\n"
      "  WHERE NOT (op = 'update_before' AND coalesce(op_behind = 'update_after', false) AND NOT " +
      differ("_behind") +
      ")\n"
      // A row's life under one key is called by the number of the change that began it. A copied row may be
      // there already, where its table's copy was interrupted.
      "), lives AS MATERIALIZED (\n"
      "  SELECT n, op, moved,\n"
      "    coalesce(max(CASE WHEN moved OR op = 'insert' THEN n END) OVER key, first_value(n) OVER key) AS "
      "life\n"
      "  FROM steps";
  sql += " WINDOW key AS (PARTITION BY " + keys + " ORDER BY n)\n";
  if (key_may_repeat_) {
    sql += "  QUALIFY CASE WHEN (moved OR op = 'insert') AND coalesce(lag(op) OVER key IN " +
           std::string(kAlive) +
           ", false)\n"
           "    THEN error('two rows have the same key at change ' || n || ': the table has lost its primary "
           "key, "
           "so their changes cannot be told apart') ELSE true END\n";
  }
  sql +=
      "), moves AS MATERIALIZED (\n"
      "  SELECT new.life, old.life AS origin FROM lives new JOIN lives old ON old.n = new.n - 1 WHERE "
      "new.moved\n"
      // Back to the row's first life: each turn doubles the way.
      "), origins AS (\n"
      "  SELECT life, origin, 0 AS turn FROM moves\n"
      "  UNION ALL\n"
      "  SELECT near.life, coalesce(far.origin, near.origin), near.turn + 1\n"
      "  FROM origins near LEFT JOIN origins far ON far.life = near.origin\n"
      "  WHERE near.turn < (SELECT ceil(log2(count(*) + 1)) FROM moves)\n"
      "), members AS MATERIALIZED (\n"
      "  SELECT n, op, coalesce(origin, life) AS row_id\n"
      "  FROM lives LEFT JOIN (SELECT life, origin FROM origins WHERE turn = (SELECT max(turn) FROM "
      "origins)) USING (life)\n"
      "), latest AS MATERIALIZED (\n"
      "  SELECT row_id, valid.*\n"
      "  FROM (SELECT row_id, max(n) AS n FROM members GROUP BY row_id HAVING arg_max(op, n) IN " +
      std::string(kAlive) +
      ")\n"
      "  JOIN valid USING (n)\n"
      // What the last change of a row did not carry is in an earlier one.
      "), carried AS (\n"
      "  SELECT row_id";
  for (const Output& output : outputs_) {
    const std::string column = output.column.inner_name();
    if (std::find(keys_.begin(), keys_.end(), column) != keys_.end()) continue;
    sql += ",\n    arg_max_null(" + column + ", n) FILTER (NOT coalesce(list_contains(unchanged, " +
           QuoteLiteral(output.column.name) + "), false)) AS " + column;
  }
  sql +=
      "\n  FROM members JOIN valid USING (n)\n"
      "  WHERE members.op IN " +
      std::string(kAlive) +
      " AND row_id IN (SELECT row_id FROM latest WHERE unchanged IS NOT NULL)\n"
      // MATERIALIZED for DuckDB 2.0.0, which hangs where somebody stops reading early (LIMIT, say) otherwise.
      "  GROUP BY row_id\n), result AS MATERIALIZED (\nSELECT ";
  sql += Join(outputs_, ",\n  ", [&](const Output& output) {
    const std::string column = output.column.inner_name();
    const bool in_key = std::find(keys_.begin(), keys_.end(), column) != keys_.end();
    return (in_key ? "latest." + column
                   : "CASE WHEN list_contains(latest.unchanged, " + QuoteLiteral(output.column.name) +
                         ") THEN carried." + column + " ELSE latest." + column + " END") +
           " AS " + column;
  });
  return sql + "\nFROM latest LEFT JOIN carried USING (row_id)\n)\nSELECT " + JoinOutputs() +
         "\nFROM result\n";
}

// Rows from before the capture are not known: their going must not be taken for that of an equal row that
// came later, so the count is how far it stands above its lowest.
std::string Query::JoinOutputs() const {
  return Join(outputs_, ",\n  ", [](const Output& output) {
    return output.column.inner_name() + " AS " + QuoteIdentifier(output.column.name);
  });
}

std::string Query::CountedRows() const {
  const std::string columns =
      Join(outputs_, ", ", [](const Output& output) { return output.column.inner_name(); });
  return ", counted AS (\n  SELECT n, " + columns + ",\n    sum(CASE WHEN op IN " + kAlive +
         " THEN 1 ELSE -1 END) OVER (PARTITION BY " + columns +
         " ORDER BY n) AS copies\n  FROM valid\n  WHERE CASE WHEN unchanged IS NOT NULL AND op NOT IN " +
         kAlive +
         "\n    THEN error('change ' || n || ' does not carry all values of the old row, and the table has "
         "no key: its row cannot be found') ELSE true END\n), repeated AS (\n  SELECT " +
         columns +
         ",\n    unnest(range(CAST(arg_max(copies, n) - least(min(copies), 0) AS BIGINT)))\n  FROM counted "
         "GROUP "
         "BY " +
         columns + "\n)\nSELECT " + JoinOutputs() + "\nFROM repeated\n";
}

std::string Query::Text() const {
  std::string sql = notes_ + Changes();
  if (!keys_.empty()) return sql + KeyedRows();
  if (counted_) return sql + CountedRows();
  return sql + "\nSELECT " + JoinOutputs() + "\nFROM valid WHERE op IN " + kAlive + "\n";
}

}  // namespace

arrow::Result<std::string> CurrentStateSql(const StoredTable& table) {
  ARROW_ASSIGN_OR_RAISE(const Query query, Query::Make(table));
  return query.Text();
}

}  // namespace arrowcdc
