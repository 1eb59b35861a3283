// By the parameter that every server reports.
#include "src/postgres/client/text_as_it_is.h"

#include <string_view>

#include "src/postgres/client/connection.h"

namespace arrowcdc::postgres {

arrow::Status TakeTextAsItIs(Connection& connection) {
  constexpr std::string_view kNoEncoding = "SQL_ASCII";
  const char* const encoding = PQparameterStatus(connection.raw(), "server_encoding");
  if (encoding == nullptr || encoding != kNoEncoding) return arrow::Status::OK();
  return connection.Query("SET client_encoding = 'SQL_ASCII'").status();
}

}  // namespace arrowcdc::postgres
