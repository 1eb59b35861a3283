#include "tests/same_wal/statements.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "tests/same_wal/samples.h"

namespace arrowcdc::test {
namespace {

using std::string;
using std::string_view;
using std::to_string;

// Above all ids that are given out; a multiple of kLanes.
constexpr int64_t kMovedIds = 80'000'000;

string Literal(const string& text) {
  string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? "''" : string(1, c);
  return quoted + "'";
}

string CopyText(const string& text) {
  string escaped;
  for (const char c : text) {
    if (c == '\\') {
      escaped += "\\\\";
    } else if (c == '\n') {
      escaped += "\\n";
    } else if (c == '\t') {
      escaped += "\\t";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

bool IsHue(const Column& column) { return string_view(SampleTypes()[column.type].sql) == "hue"; }

}  // namespace

string Statements::RawValue(const Column& column) {
  return IsHue(column) ? random_->Pick(hues) : random_->Pick(SampleTypes()[column.type].values);
}

string Statements::LongValue(const Column& column) {
  const string_view type = SampleTypes()[column.type].sql;
  const string seed = to_string(random_->Below(1'000'000));
  const int pieces = random_->Percent(5) ? 3000 : random_->Between(70, 400);
  if (type == "int4[]")
    return "ARRAY(SELECT (piece::int8 * " + seed + " % 65521)::int4 FROM generate_series(1, " +
           to_string(pieces * 8) + ") piece)";
  string text = random_->Percent(30)
                    ? "repeat('" + seed + " ', " + to_string(pieces * 16) + ")"
                    : "(SELECT string_agg(md5((piece + " + seed + ")::text), '') FROM generate_series(1, " +
                          to_string(pieces) + ") piece)";
  if (type == "bytea") return "convert_to(" + text + ", 'UTF8')";
  return type == "jsonb" ? "to_jsonb(" + text + "::text)" : text;
}

string Statements::Value(const Column& column, bool long_ones) {
  if (random_->Percent(12)) return "NULL";
  const SampleType& type = SampleTypes()[column.type];
  if (long_ones && type.toasted && column.long_values && random_->Percent(20)) return LongValue(column);
  return Literal(RawValue(column)) + "::" + type.sql;
}

// Of a new row; `id` is SQL.
string Statements::RowValue(const Table& table, const Column& column, const string& id) {
  switch (column.role) {
    case Role::kId:
      return id;
    case Role::kRegion:
      return to_string(random_->Pick(table.leaves).region);
    case Role::kCode:
      return "'k' || " + id;
    default:
      return Value(column, /*long_ones=*/true);
  }
}

string Statements::InsertHead(const Table& table) const {
  string columns;
  for (const Column& column : table.columns) {
    if (column.role != Role::kGenerated) columns += (columns.empty() ? "" : ", ") + Quoted(column.name);
  }
  return Sql(table) + " (" + columns + ")";
}

string Statements::Row(const Table& table, const string& id) {
  string values;
  for (const Column& column : table.columns) {
    if (column.role != Role::kGenerated) values += (values.empty() ? "" : ", ") + RowValue(table, column, id);
  }
  return values;
}

string Statements::Insert(const Table& table, int lane) {
  string rows;
  for (int i = random_->Between(1, 3); i > 0; --i)
    rows += (rows.empty() ? "(" : ", (") + Row(table, to_string(NewId(lane))) + ")";
  return "INSERT INTO " + InsertHead(table) + " VALUES " + rows;
}

string Statements::InsertMany(const Table& table, int lane, int rows) {
  string values;
  for (const Column& column : table.columns) {
    if (column.role == Role::kGenerated) continue;
    values += values.empty() ? "" : ", ";
    if (column.role == Role::kPayload) {
      values += "(CASE g % 3";
      for (int i = 0; i < 3; ++i)
        values += " WHEN " + to_string(i) + " THEN " + Value(column, /*long_ones=*/rows <= 200);
      values += string(" END)::") + SampleTypes()[column.type].sql;
    } else {
      values += RowValue(table, column, "(g * " + to_string(kLanes) + " + " + to_string(lane) + ")");
    }
  }
  const int64_t first = ids_ + 1;
  ids_ += rows;
  return "INSERT INTO " + InsertHead(table) + " SELECT " + values + " FROM generate_series(" +
         to_string(first) + ", " + to_string(ids_) + ") g";
}

string Statements::Copy(const Table& table) const { return "COPY " + InsertHead(table) + " FROM STDIN"; }

string Statements::CopyData(const Table& table, int lane, int rows) {
  string data;
  for (; rows > 0; --rows) {
    const string id = to_string(NewId(lane));
    string line;
    for (const Column& column : table.columns) {
      if (column.role == Role::kGenerated) continue;
      if (column.role != Role::kId) line += '\t';
      const SampleType& type = SampleTypes()[column.type];
      if (column.role == Role::kCode) {
        line += 'k' + id;
      } else if (column.role != Role::kPayload) {
        line += RowValue(table, column, id);
      } else if (random_->Percent(12)) {
        line += "\\N";
      } else if (string_view(type.sql) == "text" && column.long_values && random_->Percent(10)) {
        line += random_->Hex(static_cast<size_t>(random_->Between(1900, 6000)));
      } else {
        line += CopyText(RawValue(column));
      }
    }
    data += line + "\n";
  }
  return data;
}

// Rows of the lane: a few, by a condition that does not know which there are.
string Statements::Some(int lane) {
  const int of = random_->Between(1, 40);
  return " WHERE id % " + to_string(kLanes) + " = " + to_string(lane) + " AND id / " + to_string(kLanes) +
         " % " + to_string(of) + " = " + to_string(random_->Below(static_cast<uint64_t>(of)));
}

string Statements::SetSome(const Table& table) {
  string set;
  const auto payload = table.payload();
  for (const size_t i : payload) {
    const Column& column = table.columns[i];
    if (!random_->Percent(30)) continue;
    set += (set.empty() ? "" : ", ") + Quoted(column.name) + " = " +
           (random_->Percent(20) ? Quoted(column.name) : Value(column, /*long_ones=*/true));
  }
  // It changes nothing, and is an update all the same.
  return set.empty() ? "id = id" : set;
}

string Statements::Update(const Table& table, int lane) {
  return "UPDATE " + Sql(table) + " SET " + SetSome(table) + Some(lane);
}

// Keys that are there already are not moved onto: a row by an id that had moved may have come again.
string Statements::UpdateKey(const Table& table, int lane) {
  const Column* const code = table.find(Role::kCode);
  const Column* const region = table.find(Role::kRegion);
  const string update = "UPDATE " + Sql(table) + " moved SET ";
  const auto unless = [&](const string& there) {
    return Some(lane) + " AND NOT EXISTS (SELECT FROM " + Sql(table) + " there WHERE " + there + ")";
  };
  if (region != nullptr && random_->Percent(70)) {
    const string name = Quoted(region->name);
    string move = "CASE " + name;
    for (const Leaf& leaf : table.leaves)
      move += " WHEN " + to_string(leaf.region) + " THEN " + to_string(random_->Pick(table.leaves).region);
    return update + name + " = " + move + " END" +
           unless("there.id = moved.id AND there." + name + " <> moved." + name);
  }
  if (code != nullptr && random_->Percent(50)) {
    const string name = Quoted(code->name);
    return update + name + " = " + name + " || 'z'" +
           unless("there.id = moved.id AND there." + name + " = moved." + name + " || 'z'");
  }
  const string set = SetSome(table);
  const string moved = to_string(kMovedIds);
  return update + "id = id + " + moved + (set == "id = id" ? "" : ", " + set) +
         unless("there.id = moved.id + " + moved) + " AND id < " + moved;
}

string Statements::Delete(const Table& table, int lane) { return "DELETE FROM " + Sql(table) + Some(lane); }

// The key's columns, in its order: not that of the table.
string Statements::KeyColumns(const Table& table) const {
  string columns;
  for (const Role role : {Role::kCode, Role::kRegion, Role::kId}) {
    if (const Column* const column = table.find(role))
      columns += (columns.empty() ? "" : ", ") + Quoted(column->name);
  }
  return columns;
}

string Statements::InsertOnConflict(const Table& table, int lane) {
  std::set<int64_t> ids;
  for (int i = 0; i < 3; ++i) ids.insert(lane + kLanes * random_->Between(1, static_cast<int>(ids_) + 1));
  ids_ += 1;
  string rows;
  for (const int64_t id : ids) rows += (rows.empty() ? "(" : ", (") + Row(table, to_string(id)) + ")";
  string action = "NOTHING";
  const auto payload = table.payload();
  if (!payload.empty() && random_->Percent(70)) {
    const string column = Quoted(table.columns[random_->Pick(payload)].name);
    action = "UPDATE SET " + column + " = EXCLUDED." + column;
  }
  return "INSERT INTO " + InsertHead(table) + " VALUES " + rows + " ON CONFLICT (" + KeyColumns(table) +
         ") DO " + action;
}

string Statements::Merge(const Table& table, int lane) {
  const auto ids = [&](int64_t first, int64_t last) {
    return "SELECT g * " + to_string(kLanes) + " + " + to_string(lane) + " AS given FROM generate_series(" +
           to_string(first) + "::int8, " + to_string(last) + ") g";
  };
  const int64_t first = random_->Between(1, static_cast<int>(ids_) + 1);
  const int64_t last = std::min(first + 12, ids_);
  const int64_t new_first = ids_ + 1;
  ids_ += 2;
  string values;
  for (const Column& column : table.columns) {
    if (column.role != Role::kGenerated)
      values += (values.empty() ? "" : ", ") + RowValue(table, column, "s.given");
  }
  return "MERGE INTO " + Sql(table) + " t USING (" + ids(first, last) + " UNION ALL " + ids(new_first, ids_) +
         ") s ON t.id = s.given WHEN MATCHED AND s.given / " + to_string(kLanes) +
         " % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET " + SetSome(table) +
         " WHEN NOT MATCHED AND s.given >= " + to_string(new_first * kLanes) + " THEN INSERT" +
         InsertHead(table).substr(Sql(table).size()) + " VALUES (" + values + ")";
}

Column Statements::NewColumn() {
  Column column;
  column.type = random_->Below(SampleTypes().size());
  const string number = to_string(++names_);
  switch (random_->Below(12)) {
    case 0:
      column.name = "Odd \"name\" " + number;
      break;
    case 1:
      column.name = "spalte_ü" + number;
      break;
    case 2:
      column.name = "a.b[" + number + "]:x'";
      break;
    default:
      column.name = "c" + number;
  }
  return column;
}

Table Statements::NewTable(const string& schema) {
  Table table;
  table.schema = schema;
  const string number = to_string(++names_);
  table.name = random_->Percent(15) ? "Table \"" + number + "\".x" : "t" + number;
  table.columns.push_back({"id", Role::kId});
  table.partitioned = random_->Percent(25) && schema != "c";
  if (table.partitioned) {
    table.columns.push_back({"region", Role::kRegion});
    for (int region = 1; region <= 3; ++region)
      table.leaves.push_back({"p" + number + "_" + to_string(region), region});
  }
  const uint64_t kind = random_->Below(10);
  if (kind < 6) {
    table.has_key = true;
    if (kind < 2) table.columns.push_back({"code", Role::kCode});
  } else if (kind < 8 || table.partitioned) {
    table.identity = Identity::kFull;
  } else {
    table.identity = Identity::kIndex;
    table.columns.push_back({"code", Role::kCode});
  }
  if (schema == "c") {
    table.has_key = false;
    table.identity = Identity::kNone;
  }
  for (int i = random_->Between(0, 9); i > 0; --i) table.columns.push_back(NewColumn());
  if (!table.partitioned && random_->Percent(10))
    table.columns.push_back({"gen_" + number, Role::kGenerated});
  return table;
}

string Statements::ColumnSql(const Column& column) const {
  const string name = Quoted(column.name);
  switch (column.role) {
    case Role::kId:
      return name + " int8 NOT NULL";
    case Role::kRegion:
      return name + " int4 NOT NULL";
    case Role::kCode:
      return name + " text NOT NULL";
    case Role::kGenerated:
      return name + " int8 GENERATED ALWAYS AS (id * 2) STORED";
    default:
      return name + " " + SampleTypes()[column.type].sql;
  }
}

std::vector<string> Statements::Create(const Table& table) {
  string columns;
  for (const Column& column : table.columns) columns += (columns.empty() ? "" : ", ") + ColumnSql(column);
  if (table.has_key) columns += ", PRIMARY KEY (" + KeyColumns(table) + ")";
  string create = "CREATE TABLE " + Sql(table) + " (" + columns + ")";
  if (table.partitioned) create += " PARTITION BY LIST (" + Quoted(table.find(Role::kRegion)->name) + ")";
  std::vector<string> all = {create};
  if (table.identity == Identity::kFull)
    all.push_back("ALTER TABLE " + Sql(table) + " REPLICA IDENTITY FULL");
  if (table.identity == Identity::kIndex) {
    const string index = table.name + " i";
    all.push_back("CREATE UNIQUE INDEX " + Quoted(index) + " ON " + Sql(table) + " (" + KeyColumns(table) +
                  ")");
    all.push_back("ALTER TABLE " + Sql(table) + " REPLICA IDENTITY USING INDEX " + Quoted(index));
  }
  for (const Leaf& leaf : table.leaves) {
    for (string& sql : CreateLeaf(table, leaf)) all.push_back(std::move(sql));
  }
  return all;
}

// Some with their columns in another order, and one that was dropped.
std::vector<string> Statements::CreateLeaf(const Table& table, const Leaf& leaf) {
  const string name = Quoted(table.schema) + "." + Quoted(leaf.name);
  const string values = " FOR VALUES IN (" + to_string(leaf.region) + ")";
  std::vector<string> all;
  if (random_->Percent(50)) {
    all.push_back("CREATE TABLE " + name + " PARTITION OF " + Sql(table) + values);
  } else {
    string columns = "gone int";
    for (auto column = table.columns.rbegin(); column != table.columns.rend(); ++column)
      columns += ", " + ColumnSql(*column);
    all.push_back("CREATE TABLE " + name + " (" + columns + ")");
    all.push_back("ALTER TABLE " + name + " DROP COLUMN gone");
    all.push_back("ALTER TABLE " + Sql(table) + " ATTACH PARTITION " + name + values);
  }
  if (table.identity == Identity::kFull) all.push_back("ALTER TABLE " + name + " REPLICA IDENTITY FULL");
  return all;
}

}  // namespace arrowcdc::test
