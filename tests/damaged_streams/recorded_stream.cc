// See recorded_stream.h.
#include "tests/damaged_streams/recorded_stream.h"

#include <libpq-fe.h>

#include "arrowcdc/position.h"
#include "src/postgres/decode/wal2arrow/testing/frames.h"

namespace arrowcdc::test {

std::shared_ptr<arrow::Buffer> ExactCopy(const std::string& bytes, size_t offset) {
  return Message::Make(bytes, offset);
}

arrow::Result<RecordedStream> RecordChanges(SqlConnection* connection, const std::string& call) {
  ARROW_ASSIGN_OR_RAISE(const auto rows, connection->Query("SELECT lsn, data FROM " + call));
  RecordedStream stream;
  for (const SqlRow& row : rows) {
    RecordedMessage& message = stream.emplace_back();
    ARROW_ASSIGN_OR_RAISE(message.lsn, ParseLsn(*row[0]));
    size_t size = 0;
    const std::unique_ptr<unsigned char, decltype(&PQfreemem)> bytes(
        PQunescapeBytea(reinterpret_cast<const unsigned char*>(row[1]->c_str()), &size), PQfreemem);
    message.bytes.assign(reinterpret_cast<const char*>(bytes.get()), size);
  }
  return stream;
}

arrow::Result<RecordedStream> RecordCopy(SqlConnection* connection, const std::string& command) {
  PGconn* const raw = connection->raw();
  const auto failure = [&] { return arrow::Status::IOError(PQerrorMessage(raw)); };
  const std::unique_ptr<PGresult, decltype(&PQclear)> started(PQexec(raw, command.c_str()), PQclear);
  if (PQresultStatus(started.get()) != PGRES_COPY_OUT) return failure();
  RecordedStream stream;
  char* message = nullptr;
  int bytes;
  while ((bytes = PQgetCopyData(raw, &message, 0)) > 0) {
    stream.push_back({0, std::string(message, static_cast<size_t>(bytes))});
    PQfreemem(message);
  }
  if (bytes != -1) return failure();
  while (PGresult* const last = PQgetResult(raw)) PQclear(last);
  return stream;
}

RecordedCatalog::RecordedCatalog(const std::string& conninfo) {
  const auto connection =
      postgres::Connection::Open(conninfo, postgres::ConnectionMode::kSql).ValueOrDie();
  server_ = std::make_unique<postgres::SqlRelationCatalog>(conninfo, connection->ReadPlace().ValueOrDie(),
                                                           nullptr);
}

arrow::Result<std::optional<TypeDescription>> RecordedCatalog::FindType(uint32_t oid) {
  if (const auto found = types_.find(oid); found != types_.end()) return found->second;
  if (server_ == nullptr) return built_in_.FindType(oid);
  ARROW_ASSIGN_OR_RAISE(auto type, server_->FindType(oid));
  return types_[oid] = std::move(type);
}

arrow::Result<std::optional<RelationFacts>> RecordedCatalog::FindRelation(uint32_t oid) {
  if (const auto found = relations_.find(oid); found != relations_.end()) return found->second;
  if (server_ == nullptr) return std::nullopt;
  ARROW_ASSIGN_OR_RAISE(auto facts, server_->FindRelation(oid));
  return relations_[oid] = std::move(facts);
}

}  // namespace arrowcdc::test
