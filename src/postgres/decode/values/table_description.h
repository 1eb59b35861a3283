// A table as decoders know it that get no schema frames: to its schema, and the readers of its values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/values/row_reader.h"
#include "src/postgres/decode/values/type_table.h"

namespace arrowcdc {

struct TableDescription {
  struct Weakened {
    std::string partition;  // "schema.table"
    ReplicaIdentity own_replica_identity = ReplicaIdentity::kDefault;
    std::vector<std::string> own_key;
  };

  uint32_t oid = 0;
  TableName name;
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<ColumnDescription> columns;
  std::optional<Weakened> weakened = std::nullopt;
};

struct DescribedTable {
  std::shared_ptr<const TableSchema> schema;  // of the same fingerprint whenever it is made
  std::unique_ptr<RowReader> rows;
};

// Errors: the catalog's; kProtocol where places in the key are not 1 to n.
arrow::Result<DescribedTable> MakeTable(const TableDescription& description, const ValueOptions& options,
                                        TypeCatalog* catalog, arrow::MemoryPool* pool);

}  // namespace arrowcdc
