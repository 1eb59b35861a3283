// What a real server sends, message by message, kept to be decoded again and again without it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/result.h>

#include "src/postgres/decode/pgoutput/relation_catalog.h"
#include "src/postgres/decode/values/testing/test_catalog.h"
#include "src/postgres/setup/sql_relation_catalog.h"
#include "tests/testing/sql_connection.h"

namespace arrowcdc::test {

struct RecordedMessage {
  uint64_t lsn = 0;
  std::string bytes;
};
using RecordedStream = std::vector<RecordedMessage>;

// In memory of exactly its size, behind `offset` bytes that are not the message's, so that a read beyond it
// is seen.
std::shared_ptr<arrow::Buffer> ExactCopy(const std::string& bytes, size_t offset);

// What `call`, a call of pg_logical_slot_peek_binary_changes, gives.
arrow::Result<RecordedStream> RecordChanges(SqlConnection* connection, const std::string& call);

// What a COPY ... TO STDOUT sends.
arrow::Result<RecordedStream> RecordCopy(SqlConnection* connection, const std::string& command);

// The server's catalog until Freeze; then what was asked for before, and types that are built in.
class RecordedCatalog : public RelationCatalog {
 public:
  explicit RecordedCatalog(const std::string& conninfo);

  arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) override;
  arrow::Result<int> MoneyDigits() override { return 2; }
  arrow::Result<std::optional<RelationFacts>> FindRelation(uint32_t oid) override;
  void Forget() override {}

  void Freeze() { server_.reset(); }

 private:
  std::unique_ptr<postgres::SqlRelationCatalog> server_;
  TestCatalog built_in_;
  std::map<uint32_t, std::optional<TypeDescription>> types_;
  std::map<uint32_t, std::optional<RelationFacts>> relations_;
};

}  // namespace arrowcdc::test
