// What the decoders ask of types, answered by the server's catalog as it is now. A type is asked for once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "src/postgres/client/connection.h"
#include "src/postgres/decode/values/type_catalog.h"

namespace arrowcdc::postgres {

// Threads and blocking: the connection's, which outlives it and is one for SQL.
class SqlTypeCatalog : public TypeCatalog {
 public:
  explicit SqlTypeCatalog(Connection* connection) : connection_(connection) {}

  arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) override;
  arrow::Result<int> MoneyDigits() override;

  // The next question is asked again: types may have changed.
  void Forget() { types_.clear(); }

 private:
  arrow::Result<std::optional<TypeDescription>> AskForType(uint32_t oid);

  Connection* connection_;
  std::map<uint32_t, std::optional<TypeDescription>> types_;
  std::optional<int> money_digits_;
};

}  // namespace arrowcdc::postgres
