// Schemas of change batches.
#include "src/change/table_schema.h"

#include <algorithm>
#include <charconv>
#include <unordered_set>
#include <utility>

#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "format/frame.h"
#include "src/change/metadata_columns.h"

namespace arrowcdc {
namespace {

// Place in the key, 0: not in it, -1: no number.
int KeyPlace(const arrow::Field& field, const char* key) {
  if (!field.HasMetadata()) return 0;
  auto text = field.metadata()->Get(key);
  if (!text.ok()) return 0;
  int place = -1;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), place);
  if (error != std::errc() || end != text->data() + text->size() || place < 1) return -1;
  return place;
}

// `key` names the metadata that holds the places.
arrow::Result<std::vector<int>> KeyFields(const TableName& name, ReplicaIdentity identity, const char* key,
                                          const arrow::FieldVector& columns) {
  if (identity == ReplicaIdentity::kFull || identity == ReplicaIdentity::kNothing) return std::vector<int>();
  std::vector<std::pair<int, int>> places;  // place in the key, index of the column
  for (size_t i = 0; i < columns.size(); ++i) {
    int place = KeyPlace(*columns[i], key);
    if (place != 0) places.emplace_back(place, static_cast<int>(i));
  }
  std::vector<int> fields(places.size(), -1);
  for (auto [place, field] : places) {
    if (place < 0 || place > static_cast<int>(fields.size()) || fields[place - 1] != -1) {
      return MakeError(ErrorKind::kProtocol, "the columns' places in the replica identity are not 1 to n",
                       "table " + ToString(name), "");
    }
    fields[place - 1] = field;
  }
  return fields;
}

arrow::Status ReadWeakened(const arrow::FieldVector& columns, const arrow::KeyValueMetadata* metadata,
                           TableSchema* table) {
  if (metadata == nullptr || !metadata->Contains(kWeakenedKey)) return arrow::Status::OK();
  WeakenedIdentity& weakened = table->weakened.emplace();
  weakened.partition = metadata->Get(kWeakenedKey).ValueOr("");
  const auto own = ParseReplicaIdentity(metadata->Get(kOwnIdentityKey).ValueOr(""));
  if (!own.has_value()) {
    return MakeError(ErrorKind::kProtocol, "the table's own replica identity is unknown",
                     "table " + ToString(table->name), "");
  }
  weakened.own_replica_identity = *own;
  ARROW_ASSIGN_OR_RAISE(weakened.own_key_fields, KeyFields(table->name, *own, kOwnKeyKey, columns));
  return arrow::Status::OK();
}

void AddText(const std::string& text, std::string* content) {
  *content += std::to_string(text.size()) + ":" + text;
}

void AddMetadata(const arrow::KeyValueMetadata& metadata, std::string* content) {
  for (int64_t i = 0; i < metadata.size(); ++i) {
    AddText(metadata.key(i), content);
    AddText(metadata.value(i), content);
  }
}

}  // namespace

char ReplicaIdentityLetter(ReplicaIdentity identity) {
  switch (identity) {
    case ReplicaIdentity::kDefault:
      return 'd';
    case ReplicaIdentity::kIndex:
      return 'i';
    case ReplicaIdentity::kFull:
      return 'f';
    case ReplicaIdentity::kNothing:
      return 'n';
  }
  return '?';
}

std::optional<ReplicaIdentity> ParseReplicaIdentity(std::string_view letter) {
  for (const ReplicaIdentity identity : {ReplicaIdentity::kDefault, ReplicaIdentity::kIndex,
                                         ReplicaIdentity::kFull, ReplicaIdentity::kNothing}) {
    if (letter.size() == 1 && letter[0] == ReplicaIdentityLetter(identity)) return identity;
  }
  return std::nullopt;
}

std::string FirstNames(const std::vector<TableName>& names) {
  constexpr size_t kNamesMax = 5;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kNamesMax); ++i)
    text += (i == 0 ? "" : " ") + ToString(names[i]);
  if (names.size() > kNamesMax) text += " and " + std::to_string(names.size() - kNamesMax) + " more";
  return text;
}

std::string WeakenedIdentityText(const WeakenedIdentity& weakened) {
  return "old rows of the partition " + weakened.partition +
         " carry less than the replica identity of the table, and no more than they do is said of the table "
         "from here on: deletes and updates may not tell by the table's key which row they were of";
}

std::string WeakenedIdentityRemedy(const WeakenedIdentity& weakened) {
  return "give " + weakened.partition +
         " the replica identity of the table (ALTER TABLE ... REPLICA IDENTITY)";
}

std::shared_ptr<arrow::Schema> MakeChangeSchema(
    const arrow::FieldVector& columns, const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  std::unordered_set<std::string> taken;
  for (const auto& column : columns) taken.insert(column->name());
  arrow::FieldVector fields = columns;
  for (int i = 0; i < kMetadataColumnCount; ++i) {
    auto column = static_cast<MetadataColumn>(i);
    std::string name = MetadataColumnName(column);
    while (taken.contains(name)) name.insert(0, 1, '_');
    fields.push_back(arrow::field(name, MetadataColumnType(column), /*nullable=*/true,
                                  arrow::key_value_metadata({kRoleKey}, {MetadataColumnRole(column)})));
  }
  return arrow::schema(std::move(fields), metadata);
}

uint64_t SchemaFingerprint(const arrow::FieldVector& fields, const arrow::KeyValueMetadata& metadata) {
  std::string content;
  AddMetadata(metadata, &content);
  for (const auto& field : fields) {
    AddText(field->name(), &content);
    AddText(field->type()->ToString(/*show_metadata=*/true), &content);
    AddMetadata(*field->metadata(), &content);
  }
  return format::Fingerprint(content.data(), content.size());
}

arrow::Result<std::shared_ptr<const TableSchema>> MakeTableSchema(
    TableName name, uint32_t table_id, uint64_t fingerprint, ReplicaIdentity replica_identity,
    const arrow::FieldVector& columns, const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  auto table = std::make_shared<TableSchema>();
  ARROW_ASSIGN_OR_RAISE(table->key_fields, KeyFields(name, replica_identity, kIdentityKey, columns));
  table->name = std::move(name);
  table->table_id = table_id;
  table->fingerprint = fingerprint;
  table->replica_identity = replica_identity;
  ARROW_RETURN_NOT_OK(ReadWeakened(columns, metadata.get(), table.get()));
  table->schema = MakeChangeSchema(columns, metadata);
  table->column_count = static_cast<int>(columns.size());
  return table;
}

}  // namespace arrowcdc
