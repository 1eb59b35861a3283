// Identities follow docs/types.md, "The replica identity of partitioned tables", as the plugin does.
#include "src/postgres/decode/pgoutput/relation.h"

#include <algorithm>
#include <set>
#include <utility>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/values/table_description.h"

namespace arrowcdc::pgoutput {
namespace {

bool HasKey(ReplicaIdentity kind) {
  return kind == ReplicaIdentity::kDefault || kind == ReplicaIdentity::kIndex;
}

bool Contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool ContainsAll(const std::vector<std::string>& names, const std::vector<std::string>& some) {
  return std::all_of(some.begin(), some.end(), [&](const auto& name) { return Contains(names, name); });
}

// The columns with the key's flag. The catalog knows their order, and whether some are not published, as long
// as it knows the same key.
std::vector<std::string> KeyOf(const RelationMessage& message, const std::optional<RelationFacts>& facts) {
  std::vector<std::string> flagged;
  for (const auto& column : message.columns) {
    if (column.key) flagged.push_back(column.name);
  }
  if (!facts.has_value() || flagged.empty() || !ContainsAll(facts->key, flagged)) return flagged;
  return facts->key.size() == flagged.size() ? facts->key : std::vector<std::string>();
}

int PlaceIn(const std::vector<std::string>& key, const std::string& name) {
  const auto found = std::find(key.begin(), key.end(), name);
  return found == key.end() ? 0 : static_cast<int>(found - key.begin()) + 1;
}

// Attribute numbers are taken only where the catalog still has all columns as they were sent: that of another
// column would be worse than none.
std::optional<int16_t> AttributeNumber(const RelationMessage::Column& column, const RelationFacts& facts) {
  for (const auto& known : facts.columns) {
    const Attribute& attribute = known.attribute;
    if (attribute.name == column.name && attribute.type == column.type && attribute.typmod == column.typmod)
      return known.attnum;
  }
  return std::nullopt;
}

std::vector<ColumnDescription> DescribeColumns(const RelationMessage& message,
                                               const std::optional<RelationFacts>& facts,
                                               const std::vector<std::string>& key) {
  std::vector<ColumnDescription> columns;
  bool numbered = facts.has_value();
  for (const auto& column : message.columns) {
    ColumnDescription& description = columns.emplace_back();
    description.attribute = {column.name, column.type, column.typmod};
    description.key_place = PlaceIn(key, column.name);
    if (numbered) description.attnum = AttributeNumber(column, *facts);
    numbered = numbered && description.attnum.has_value();
  }
  if (!numbered) {
    for (auto& column : columns) column.attnum = std::nullopt;
  }
  return columns;
}

}  // namespace

arrow::Status Relation::Announce(RelationMessage message, std::optional<RelationFacts> facts) {
  const auto kind = ParseReplicaIdentity({&message.replica_identity, 1});
  std::set<std::string> names;
  for (const auto& column : message.columns) names.insert(column.name);
  const bool sound = kind.has_value() && !message.name.empty() && names.size() == message.columns.size();
  message_ = std::move(message);
  if (!sound) {
    return MakeError(
        ErrorKind::kProtocol,
        "pgoutput announced a relation without a name, with an unknown replica identity, or with "
        "two columns of one name",
        object(), "");
  }
  facts_ = std::move(facts);
  ancestors_ = facts_.has_value() ? facts_->ancestors : std::vector<uint32_t>();
  own_.kind = *kind;
  own_.key = HasKey(*kind) ? KeyOf(message_, facts_) : std::vector<std::string>();
  rows_.reset();
  table_.reset();
  return arrow::Status::OK();
}

std::string Relation::object() const {
  return "table " + ToString(TableName{message_.schema, message_.name});
}

bool Relation::HasColumns(const std::vector<std::string>& names) const {
  return std::all_of(names.begin(), names.end(), [this](const std::string& name) {
    return std::any_of(message_.columns.begin(), message_.columns.end(),
                       [&](const auto& column) { return column.name == name; });
  });
}

Identity Relation::Limited() const {
  if (!limit_.has_value()) return own_;
  const Identity& carried = limit_->carried;
  if (own_.kind != ReplicaIdentity::kFull) {
    const bool whole = carried.kind == ReplicaIdentity::kFull || ContainsAll(carried.key, own_.key);
    return whole ? own_ : Identity{};
  }
  return HasColumns(carried.key) ? carried : Identity{};
}

Identity Relation::CarriedFor(const Relation& table) const {
  if (own_.kind == ReplicaIdentity::kFull) return own_;
  return !own_.key.empty() && table.HasColumns(own_.key) ? own_ : Identity{};
}

bool Relation::WouldWeaken(const Relation& partition) const {
  const Identity said = Limited();
  const Identity carried = partition.CarriedFor(*this);
  if (said.kind == ReplicaIdentity::kFull) return carried.kind != ReplicaIdentity::kFull;
  return !said.key.empty() && carried.kind != ReplicaIdentity::kFull && !ContainsAll(carried.key, said.key);
}

void Relation::Weaken(const Relation& partition) {
  const bool full = Limited().kind == ReplicaIdentity::kFull;
  limit_ = IdentityLimit{full ? partition.CarriedFor(*this) : Identity{},
                         partition.message_.schema + "." + partition.message_.name};
  rows_.reset();
  table_.reset();
}

arrow::Status Relation::Build(RelationCatalog* catalog, const ValueOptions& values, arrow::MemoryPool* pool) {
  const Identity said = Limited();
  TableDescription description{
      message_.oid, {message_.schema, message_.name}, said.kind, DescribeColumns(message_, facts_, said.key)};
  if (said.kind != own_.kind || said.key.size() != own_.key.size())
    description.weakened = {limit_->partition, own_.kind, own_.key};
  ARROW_ASSIGN_OR_RAISE(DescribedTable table, MakeTable(description, values, catalog, pool));
  table_ = std::move(table.schema);
  rows_ = std::move(table.rows);
  return arrow::Status::OK();
}

}  // namespace arrowcdc::pgoutput
