// Text of databases that have no encoding.
#pragma once

#include <arrow/status.h>

namespace arrowcdc::postgres {

class Connection;

// In an SQL_ASCII database text has no encoding, and a server that is to send UTF-8 ends at what is none:
// from here on it sends the bytes that it has. In other databases nothing changes. Errors: the query's.
arrow::Status TakeTextAsItIs(Connection& connection);

}  // namespace arrowcdc::postgres
