// Schema and batch frames, beyond what any Arrow reader checks.
#include "src/postgres/decode/wal2arrow/wire_table.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include <arrow/array.h>
#include <arrow/util/key_value_metadata.h>

#include "src/change/metadata_columns.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/wal2arrow/frame_fault.h"
#include "src/postgres/decode/wal2arrow/ipc_message.h"
#include "src/postgres/decode/wal2arrow/batch_sections.h"

namespace arrowcdc {
namespace {

using format::Frame;
using format::SectionTag;

constexpr int kRoleCount = 3;

// The codes of the wire are those of Op.
constexpr bool IsCode(format::Op wire, Op op) { return static_cast<int8_t>(wire) == static_cast<int8_t>(op); }
static_assert(IsCode(format::Op::kInsert, Op::kInsert) &&
              IsCode(format::Op::kUpdateBefore, Op::kUpdateBefore) &&
              IsCode(format::Op::kUpdateAfter, Op::kUpdateAfter) &&
              IsCode(format::Op::kDelete, Op::kDelete) && IsCode(format::Op::kSnapshot, Op::kSnapshot) &&
              IsCode(format::Op::kTruncate, Op::kTruncate));

// A role column of the wire schema: where its index goes and what type it has.
struct Role {
  const char* name;
  std::shared_ptr<arrow::DataType> type;
  int WireTable::*field;
};

arrow::Status FindRoles(const arrow::Schema& schema, WireTable* table) {
  const Role kRoles[] = {{"op", arrow::int8(), &WireTable::op_field},
                         {"lsn", arrow::uint64(), &WireTable::lsn_field},
                         {"ord", arrow::uint16(), &WireTable::ord_field}};
  int columns = schema.num_fields() - kRoleCount;
  for (int i = 0; i < schema.num_fields(); ++i) {
    const auto& field = *schema.field(i);
    std::string name = field.HasMetadata() ? field.metadata()->Get(kRoleKey).ValueOr("") : "";
    if (name.empty() && i < columns) continue;
    const Role* role = nullptr;
    for (const Role& candidate : kRoles) {
      if (name == candidate.name) role = &candidate;
    }
    if (role == nullptr || i < columns || table->*role->field != -1 || !field.type()->Equals(role->type)) {
      return arrow::Status::Invalid("column ", i, " of role \"", name.substr(0, 40),
                                    "\" is not what the protocol has there");
    }
    table->*role->field = i;
  }
  if (columns < 0) return arrow::Status::Invalid("a role column is missing");
  return arrow::Status::OK();
}

// What the schema's metadata says must not contradict the table section.
arrow::Status CompareMetadata(const arrow::Schema& schema, const TableName& name, uint32_t oid,
                              ReplicaIdentity identity) {
  const std::pair<const char*, std::string> kExpected[] = {
      {"arrowcdc:schema", name.schema},
      {"arrowcdc:table", name.table},
      {"arrowcdc:oid", std::to_string(oid)},
      {"arrowcdc:replica_identity", std::string(1, ReplicaIdentityLetter(identity))}};
  if (schema.metadata() == nullptr) return arrow::Status::Invalid("schema without metadata");
  for (const auto& [key, value] : kExpected) {
    if (schema.metadata()->Get(key).ValueOr("") != value) {
      return arrow::Status::Invalid("the schema's ", key, " is not that of the table section");
    }
  }
  return arrow::Status::OK();
}

const std::shared_ptr<arrow::Array>& ColumnAt(const arrow::ArrayVector& columns, int field) {
  return columns[static_cast<size_t>(field)];
}

arrow::Status CheckRoleColumns(const arrow::ArrayVector& columns, const WireTable& table) {
  for (int field : {table.op_field, table.lsn_field, table.ord_field}) {
    if (ColumnAt(columns, field)->null_count() != 0) {
      return arrow::Status::Invalid("null in column ", field, ", which has a role");
    }
  }
  const auto& ops = static_cast<const arrow::Int8Array&>(*ColumnAt(columns, table.op_field));
  const int8_t* const first = ops.raw_values();
  int8_t unknown = 0;  // all rows before any is looked for: a loop without a way out runs on vectors
  for (int64_t i = 0; i < ops.length(); ++i) unknown |= first[i] < 0 || first[i] >= kOpCount;
  if (unknown == 0) return arrow::Status::OK();
  const int8_t* const found =
      std::find_if(first, first + ops.length(), [](int8_t op) { return op < 0 || op >= kOpCount; });
  return arrow::Status::Invalid("unknown operation ", static_cast<int>(*found), " in row ", found - first);
}

// An Arrow message's fault stands where the payload begins.
arrow::Status PayloadFault(const Frame& frame, const arrow::Status& status) {
  return FrameFault(frame.header, status.message(), frame.header.header_bytes);
}

}  // namespace

arrow::Result<WireTable> ReadWireTable(const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload,
                                       arrow::MemoryPool* pool) {
  format::TableSection section;
  const char* names = nullptr;
  format::FrameError error;
  if (!ReadTable(frame, &section, &names, &error)) return FrameFault(frame.header, error);
  uint64_t at = frame.section(SectionTag::kTable).offset;
  TableName name{std::string(names, section.schema_name_bytes),
                 std::string(names + section.schema_name_bytes, section.table_name_bytes)};
  for (const std::string* part : {&name.schema, &name.table}) {
    if (part->empty() || !IsName(*part))
      return FrameFault(frame.header, "schema or table name that is no name", at);
  }
  const char letter = static_cast<char>(section.replica_identity);
  const auto identity = ParseReplicaIdentity({&letter, 1});
  if (!identity.has_value()) {
    return FrameFault(frame.header, {"unknown replica identity", at, section.replica_identity});
  }
  if (format::Fingerprint(payload->data(), static_cast<uint64_t>(payload->size())) != section.fingerprint) {
    return FrameFault(frame.header, "the fingerprint is not that of the payload", at);
  }

  WireTable result;
  auto schema = ReadSchemaPayload(payload, pool);
  if (!schema.ok()) return PayloadFault(frame, schema.status());
  result.reader = BatchReader(*schema);
  auto status = FindRoles(**schema, &result);
  if (status.ok()) status = CompareMetadata(**schema, name, section.relation_oid, *identity);
  if (!status.ok()) return PayloadFault(frame, status);
  arrow::FieldVector columns((*schema)->fields().begin(), (*schema)->fields().end() - kRoleCount);
  ARROW_ASSIGN_OR_RAISE(result.table,
                        MakeTableSchema(std::move(name), section.relation_oid, section.fingerprint, *identity,
                                        columns, (*schema)->metadata()));
  return result;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ReadWireBatch(
    const Frame& frame, const std::shared_ptr<arrow::Buffer>& payload, const WireTable& table, int64_t rows,
    const StreamedCommit* streamed, int64_t bytes_max, NullLists* nulls, arrow::MemoryPool* pool) {
  auto read = table.reader.Read(payload, rows, bytes_max, pool);
  if (read.status().IsOutOfMemory()) return read.status();
  if (!read.ok()) return PayloadFault(frame, read.status());
  arrow::ArrayVector& wire = read->columns;
  auto status = CheckRoleColumns(wire, table);
  if (!status.ok()) return PayloadFault(frame, status);

  int column_count = table.table->column_count;
  ARROW_ASSIGN_OR_RAISE(auto transactions, SpreadTransactions(frame, rows, streamed, pool));
  ARROW_ASSIGN_OR_RAISE(auto unchanged_cells,
                        ReadCells(frame, SectionTag::kUnchanged, wire, rows, column_count, read->repaired));
  ARROW_ASSIGN_OR_RAISE(auto unrepresentable_cells, ReadCells(frame, SectionTag::kUnrepresentable, wire, rows,
                                                              column_count, read->repaired));
  AddCells(read->repaired, &unrepresentable_cells);
  ARROW_ASSIGN_OR_RAISE(auto unchanged,
                        MakeCellColumn(unchanged_cells, rows, *table.reader.schema(), nulls, pool));
  ARROW_ASSIGN_OR_RAISE(auto unrepresentable,
                        MakeCellColumn(unrepresentable_cells, rows, *table.reader.schema(), nulls, pool));
  arrow::ArrayVector columns;
  columns.reserve(static_cast<size_t>(column_count) + kMetadataColumnCount);
  std::move(wire.begin(), wire.begin() + column_count, std::back_inserter(columns));
  // In the order of MetadataColumn.
  columns.push_back(MakeOpColumn(ColumnAt(wire, table.op_field)));
  columns.push_back(transactions.commit_lsn());
  columns.push_back(ColumnAt(wire, table.lsn_field));
  columns.push_back(ColumnAt(wire, table.ord_field));
  columns.push_back(transactions.xid());
  columns.push_back(transactions.commit_ts());
  columns.push_back(std::move(unchanged));
  columns.push_back(std::move(unrepresentable));
  return arrow::RecordBatch::Make(table.table->schema, rows, std::move(columns));
}

}  // namespace arrowcdc
