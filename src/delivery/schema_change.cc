#include "src/delivery/schema_change.h"

#include <arrow/type.h>
#include <arrow/util/key_value_metadata.h>

namespace arrowcdc {
namespace {

// The source's number of a column, which a rename leaves; empty: it is not known.
std::string IdOf(const arrow::Field& field) {
  return field.HasMetadata() ? field.metadata()->Get("PARQUET:field_id").ValueOr("") : "";
}

const arrow::Field* Find(const TableSchema& table, const arrow::Field& wanted) {
  const std::string id = IdOf(wanted);
  for (int i = 0; i < table.column_count; ++i) {
    const arrow::Field& field = *table.schema->field(i);
    const std::string other = IdOf(field);
    const bool same = id.empty() || other.empty() ? field.name() == wanted.name() : id == other;
    if (same) return &field;
  }
  return nullptr;
}

}  // namespace

std::string DescribeSchemaChange(const TableSchema& before, const TableSchema& now) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  for (int i = 0; i < now.column_count; ++i) {
    const arrow::Field& field = *now.schema->field(i);
    const arrow::Field* const was = Find(before, field);
    if (was == nullptr) {
      add("added " + field.name());
      continue;
    }
    if (was->name() != field.name()) add("renamed " + was->name() + " to " + field.name());
    if (!was->type()->Equals(*field.type()))
      add(field.name() + " is " + field.type()->ToString() + " and was " + was->type()->ToString());
  }
  for (int i = 0; i < before.column_count; ++i) {
    const arrow::Field& field = *before.schema->field(i);
    if (Find(now, field) == nullptr) add("dropped " + field.name());
  }
  const bool same_identity =
      before.replica_identity == now.replica_identity && before.key_fields.size() == now.key_fields.size();
  if (!same_identity) add("the replica identity");
  return text;
}

}  // namespace arrowcdc
