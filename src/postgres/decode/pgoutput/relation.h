// A relation of a pgoutput session: as it was announced, what the catalog adds to that, and the batch that
// its rows go into.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/memory_pool.h>
#include <arrow/result.h>

#include "arrowcdc/change_batch.h"
#include "src/postgres/decode/pgoutput/messages.h"
#include "src/postgres/decode/pgoutput/relation_catalog.h"
#include "src/postgres/decode/values/row_reader.h"

namespace arrowcdc::pgoutput {

// What the old side of a row carries: a key's columns by name, in its order.
struct Identity {
  ReplicaIdentity kind = ReplicaIdentity::kNothing;
  std::vector<std::string> key = {};
};

// Old rows of a partition carry no more than this of the table that they go by the name of.
struct IdentityLimit {
  Identity carried;
  std::string partition;  // "schema.table"
};

// One thread.
class Relation {
 public:
  // A relation message, again with other content too: then the schema is made anew with the next row. Rows
  // must have been finished before. Errors: kProtocol.
  arrow::Status Announce(RelationMessage message, std::optional<RelationFacts> facts);

  // The partition's rows go by this relation's name. True: its old rows carry less than the schema has said;
  // it is made anew with the next row, once these have been finished.
  bool WouldWeaken(const Relation& partition) const;
  void Weaken(const Relation& partition);

  // Schema and readers, where they are not made yet. Errors: the catalog's.
  arrow::Status Build(RelationCatalog* catalog, const ValueOptions& values, arrow::MemoryPool* pool);
  bool built() const { return rows_ != nullptr; }

  const std::vector<uint32_t>& ancestors() const { return ancestors_; }
  size_t column_count() const { return message_.columns.size(); }
  // After Build.
  const std::shared_ptr<const TableSchema>& table() const { return table_; }
  RowReader* rows() { return rows_.get(); }
  std::string object() const;  // for errors

  bool open = false;  // has rows, and is in the decoder's list of those

 private:
  Identity Limited() const;
  Identity CarriedFor(const Relation& table) const;
  bool HasColumns(const std::vector<std::string>& names) const;

  RelationMessage message_;
  std::optional<RelationFacts> facts_;
  std::vector<uint32_t> ancestors_;
  Identity own_;
  std::optional<IdentityLimit> limit_;  // for the session
  std::shared_ptr<const TableSchema> table_;
  std::unique_ptr<RowReader> rows_;
};

}  // namespace arrowcdc::pgoutput
