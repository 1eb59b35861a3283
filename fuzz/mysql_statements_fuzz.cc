// Fuzz target: statements of a binlog -> what they do. Whatever the text is, the answer is of one kind, with
// the tables that this kind has.
//
// Input: two bits of SQL mode and one that says MariaDB (1 byte), the length of the default database (1
// byte), it, and the text.
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/require.h"
#include "src/mysql/decode/statement.h"

namespace {

using namespace arrowcdc::mysql;  // NOLINT

void CheckTables(const Statement& statement) {
  using Kind = Statement::Kind;
  switch (statement.kind) {
    case Kind::kCreateTable:
    case Kind::kDropDatabase:
      return Require(statement.tables.size() == 1);
    case Kind::kTruncate:
    case Kind::kDropTable:
      return Require(!statement.tables.empty());
    case Kind::kRenameTable:
      return Require(!statement.tables.empty() && statement.tables.size() % 2 == 0);
    case Kind::kAlterTable:
    case Kind::kAlterRows:
      return Require(statement.tables.size() == 1 || statement.tables.size() == 2);
    case Kind::kRollbackTo:
    case Kind::kSavepoint:
      return;
    default:
      return Require(statement.tables.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  if (bytes < 2 || bytes - 2 < data[1]) return 0;
  // At their exact sizes on the heap, so that a read beyond them is seen.
  const std::string schema(reinterpret_cast<const char*>(data + 2), data[1]);
  const size_t text_bytes = bytes - 2 - data[1];
  char* const text = static_cast<char*>(malloc(text_bytes + (text_bytes == 0 ? 1 : 0)));
  for (size_t i = 0; i < text_bytes; ++i) text[i] = static_cast<char>(data[2 + data[1] + i]);
  QueryBody query;
  query.schema = schema;
  query.text = std::string_view(text, text_bytes);
  query.ansi_quotes = (data[0] & 1) != 0;
  query.no_backslash_escapes = (data[0] & 2) != 0;
  CheckTables(ReadStatement(query, (data[0] & 4) != 0 ? Flavor::kMariadb : Flavor::kMysql));
  free(text);
  return 0;
}
