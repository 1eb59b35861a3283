// What is to be read of the tables, and in which parts. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/values/type_table.h"

namespace arrowcdc::postgres {

// A relation that holds rows: the table itself, or a partition whose rows go by the table's name.
struct LeafInfo {
  uint32_t oid = 0;
  TableName name;
  bool by_block = true;      // its table access method knows ranges of ctid
  int64_t blocks = 0;        // of its heap
  int64_t bytes = 0;         // with its TOAST table
  int64_t rows = 0;          // as ANALYZE left it, or by the size
  uint64_t file_number = 0;  // relfilenode, as the snapshot has it
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::string version = {};  // xmin of its row in pg_class
};

// Blocks of a leaf that an earlier snapshot has read.
struct KeptRange {
  uint16_t leaf = 0;
  uint32_t first_block = 0;
  std::optional<uint32_t> end_block = std::nullopt;  // none: all that follow
  std::string seen;                                  // by that snapshot
};

struct CopyTable {
  uint32_t oid = 0;
  TableName name;  // that its rows come under
  ReplicaIdentity replica_identity = ReplicaIdentity::kDefault;
  std::vector<ColumnDescription> columns;  // those that are sent
  std::vector<std::string> sql_names;      // theirs, as the server has them
  bool generated = false;                  // one of them is
  std::string filter;                      // SQL over them; empty: every row
  std::vector<LeafInfo> leaves;            // a leaf's place is in the _lsn of its rows
  bool publishes_all = false;              // inserts, updates and deletes
  std::string version;          // xmin of its row in pg_class, and those of what the publications say of it
  std::vector<KeptRange> kept;  // by leaf and block
};

// Blocks of one leaf.
struct CopyPart {
  size_t table = 0;
  uint16_t leaf = 0;
  bool whole = true;  // else from first_block up to, and without, end_block
  uint32_t first_block = 0;
  std::optional<uint32_t> end_block = std::nullopt;  // none: all that follow
  std::string seen = {};  // rows that this snapshot saw are there already; empty: none are
};

// part_bytes: of a part, with what its rows have in the TOAST table. A table without leaves (partitioned,
// without partitions) is one part without rows. A leaf that is no larger than a part is read whole, without a
// condition: in ranges the server reads it through its cache instead of around it. The last range is open:
// the table may have grown. Large tables are in front, so that no worker begins one when the others are done.
// Ranges that are kept are read again, for what their snapshot did not see, behind the rest of their table.
// Errors: kUnsupported where a table has more leaves than a row's place can tell.
arrow::Result<std::vector<CopyPart>> PlanParts(const std::vector<CopyTable>& tables, int64_t part_bytes);

// The _lsn of the part's first row; that of each further one is one more. The leaf's place among the table's
// leaves in the upper 16 bits, the part's first block in the 32 below, 1 in the rest: 0 is for what stands in
// front of the rows. A block has fewer rows than there are numbers left for it.
uint64_t FirstPlace(const CopyPart& part);

// The command that copies the part. text_columns: those that are to be sent by their output text, by place.
// next_transaction: above all that the snapshot sees. Errors: a name that cannot be.
arrow::Result<std::string> CopyCommand(const CopyTable& table, const CopyPart& part,
                                       const std::vector<bool>& text_columns, uint64_t next_transaction);

}  // namespace arrowcdc::postgres
