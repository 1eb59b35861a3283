// Keys and metadata are those that the plugin writes (docs/wire.md).
#include "src/postgres/decode/values/table_description.h"

#include <algorithm>
#include <utility>

#include <arrow/util/key_value_metadata.h>

#include "src/change/table_schema.h"

namespace arrowcdc {
namespace {

void SayOwnKey(const std::vector<std::string>& own_key, arrow::FieldVector* fields) {
  for (auto& field : *fields) {
    const auto found = std::find(own_key.begin(), own_key.end(), field->name());
    if (found == own_key.end()) continue;
    const std::string place = std::to_string(found - own_key.begin() + 1);
    field = field->WithMergedMetadata(arrow::key_value_metadata({kOwnKeyKey}, {place}));
  }
}

}  // namespace

arrow::Result<DescribedTable> MakeTable(const TableDescription& description, const ValueOptions& options,
                                        TypeCatalog* catalog, arrow::MemoryPool* pool) {
  ARROW_ASSIGN_OR_RAISE(MappedColumns mapped, MapColumns(description.columns, options, catalog));
  auto metadata = arrow::key_value_metadata(
      {"arrowcdc:schema", "arrowcdc:table", "arrowcdc:oid", "arrowcdc:replica_identity"},
      {description.name.schema, description.name.table, std::to_string(description.oid),
       std::string(1, ReplicaIdentityLetter(description.replica_identity))});
  if (const auto& weakened = description.weakened; weakened.has_value()) {
    metadata->Append(kWeakenedKey, weakened->partition);
    metadata->Append(kOwnIdentityKey, std::string(1, ReplicaIdentityLetter(weakened->own_replica_identity)));
    SayOwnKey(weakened->own_key, &mapped.fields);
  }
  DescribedTable table;
  ARROW_ASSIGN_OR_RAISE(
      table.schema,
      MakeTableSchema(description.name, description.oid, SchemaFingerprint(mapped.fields, *metadata),
                      description.replica_identity, mapped.fields, metadata));
  ARROW_ASSIGN_OR_RAISE(table.rows, RowReader::Make(table.schema, std::move(mapped), pool));
  return table;
}

}  // namespace arrowcdc
