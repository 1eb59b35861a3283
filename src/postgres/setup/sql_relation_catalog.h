// What the pgoutput decoder asks of relations and types, answered by a connection of its own: the one that
// streams takes no queries any more.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "arrowcdc/stop_token.h"
#include "src/postgres/client/connection.h"
#include "src/postgres/decode/pgoutput/relation_catalog.h"
#include "src/postgres/setup/sql_type_catalog.h"

namespace arrowcdc::postgres {

// One thread. Blocking: Connection's. It connects at the first question, and again where the connection was
// lost meanwhile.
class SqlRelationCatalog : public RelationCatalog {
 public:
  // server: the one that streams, which alone knows what its catalog has now.
  SqlRelationCatalog(std::string conninfo, ServerPlace server, std::shared_ptr<StopToken> stop)
      : conninfo_(std::move(conninfo)), server_(std::move(server)), stop_(std::move(stop)) {}

  arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) override;
  arrow::Result<int> MoneyDigits() override;
  arrow::Result<std::optional<RelationFacts>> FindRelation(uint32_t oid) override;
  void Forget() override;

 private:
  template <typename Question>
  auto Ask(const Question& question) -> decltype(question());
  arrow::Status Connect();

  const std::string conninfo_;
  const ServerPlace server_;
  const std::shared_ptr<StopToken> stop_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<SqlTypeCatalog> types_;
};

}  // namespace arrowcdc::postgres
