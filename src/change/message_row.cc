// The table of logical messages, and a row of it.
#include "src/change/message_row.h"

#include <climits>
#include <utility>

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <arrow/util/key_value_metadata.h>

#include "arrowcdc/error.h"
#include "src/change/metadata_row.h"
#include "src/change/table_schema.h"

namespace arrowcdc {
namespace {

// No schema of a user may begin with "pg_", and what lies in this one is never published.
constexpr char kSchemaName[] = "pg_catalog";
constexpr char kTableName[] = "_arrowcdc_messages";
// Of this version of the columns. A table's is a hash, which is never so small.
constexpr uint64_t kFingerprint = 1;

std::shared_ptr<arrow::Field> Column(const char* name, std::shared_ptr<arrow::DataType> type,
                                     const char* field_id) {
  return arrow::field(name, std::move(type), /*nullable=*/true,
                      arrow::key_value_metadata({"PARQUET:field_id"}, {field_id}));
}

std::shared_ptr<const TableSchema> MakeMessagesTable() {
  const arrow::FieldVector columns = {Column("prefix", arrow::utf8(), "1"),
                                      Column("content", arrow::binary(), "2"),
                                      Column("transactional", arrow::boolean(), "3")};
  const auto metadata = arrow::key_value_metadata({{"arrowcdc:schema", kSchemaName},
                                                   {"arrowcdc:table", kTableName},
                                                   {"arrowcdc:oid", "0"},
                                                   {"arrowcdc:replica_identity", "n"}});
  return MakeTableSchema({kSchemaName, kTableName}, 0, kFingerprint, ReplicaIdentity::kNothing, columns,
                         metadata)
      .ValueOrDie();
}

// One value of variable length, without a copy; null where there is none.
arrow::Result<std::shared_ptr<arrow::Array>> OneValue(const std::shared_ptr<arrow::DataType>& type,
                                                      std::shared_ptr<arrow::Buffer> bytes) {
  if (bytes == nullptr) return arrow::MakeArrayOfNull(type, 1);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> offsets, arrow::AllocateBuffer(2 * sizeof(int32_t)));
  offsets->mutable_data_as<int32_t>()[0] = 0;
  offsets->mutable_data_as<int32_t>()[1] = static_cast<int32_t>(bytes->size());
  return arrow::MakeArray(
      arrow::ArrayData::Make(type, 1, {nullptr, std::move(offsets), std::move(bytes)}, 0));
}

}  // namespace

const std::shared_ptr<const TableSchema>& MessagesTable() {
  static const std::shared_ptr<const TableSchema> table = MakeMessagesTable();
  return table;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> MessageRow(const LogicalMessage& message) {
  const TableSchema& table = *MessagesTable();
  if (message.content->size() > INT32_MAX) {
    return MakeError(ErrorKind::kInternal, "the content of a logical message does not fit into a column",
                     "table " + ToString(table.name), "");
  }
  const auto& prefix = message.prefix;
  const bool transactional = message.transaction.has_value();
  ARROW_ASSIGN_OR_RAISE(
      auto prefixes,
      OneValue(arrow::utf8(),
               prefix.has_value() ? arrow::Buffer::FromString(std::string(*prefix)) : nullptr));
  ARROW_ASSIGN_OR_RAISE(auto contents, OneValue(arrow::binary(), message.content));
  ARROW_ASSIGN_OR_RAISE(auto flags, arrow::MakeArrayFromScalar(arrow::BooleanScalar(transactional), 1));
  MetadataRow metadata{Op::kInsert, message.end_lsn - 1, message.end_lsn - 1, 0, std::nullopt, std::nullopt};
  if (transactional) {
    metadata.commit_lsn = message.transaction->commit_lsn;
    metadata.xid = message.transaction->xid;
    metadata.commit_ts = message.transaction->commit_ts;
  }
  ARROW_ASSIGN_OR_RAISE(auto metadata_columns, MakeMetadataRow(metadata));
  if (!prefix.has_value()) {
    NullLists nulls;
    ARROW_ASSIGN_OR_RAISE(metadata_columns[static_cast<size_t>(MetadataColumn::kUnrepresentable)],
                          MakeCellColumn({{0, 0}}, 1, *table.schema, &nulls, arrow::default_memory_pool()));
  }
  arrow::ArrayVector columns = {std::move(prefixes), std::move(contents), std::move(flags)};
  columns.insert(columns.end(), metadata_columns.begin(), metadata_columns.end());
  return arrow::RecordBatch::Make(table.schema, 1, std::move(columns));
}

}  // namespace arrowcdc
