// The one place where names become part of SQL or of a replication command. Pure. All text is UTF-8:
// connections pin client_encoding, so the server reads these bytes as they are checked here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

namespace arrowcdc::postgres {

// "name" for SQL. Errors: kInvalidOption for text that is empty, not UTF-8 or holds a zero byte: it cannot be
// a name.
arrow::Result<std::string> QuoteIdentifier(std::string_view name);
// 'text' for SQL, E'text' where it holds a backslash; independent of standard_conforming_strings.
arrow::Result<std::string> QuoteLiteral(std::string_view text);
// Such texts for IN (...); NULL where there is none.
arrow::Result<std::string> QuoteLiterals(const std::vector<std::string>& texts);
// "schema"."table" for SQL.
arrow::Result<std::string> QuoteQualified(std::string_view schema, std::string_view name);

// The replication grammar (repl_scanner.l) knows no backslashes and no E''.
arrow::Result<std::string> QuoteReplicationIdentifier(std::string_view name);
arrow::Result<std::string> QuoteReplicationLiteral(std::string_view text);

// Names as SplitIdentifierString reads them: "a","b""c". The value of the option publication_names, not yet a
// literal.
arrow::Result<std::string> JoinIdentifiers(const std::vector<std::string>& names);

// [a-z0-9_]{1,63}, as PostgreSQL demands. Errors: kInvalidOption.
arrow::Status CheckSlotName(std::string_view slot);

}  // namespace arrowcdc::postgres
