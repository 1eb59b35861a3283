// Fuzz target: a table pattern and a table's name -> TablePatterns. A pattern is refused with its offset or
// matches without end or crash; a name in double quotes is matched by itself alone.
//
// Input: pattern, NUL, schema, NUL, table.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arrow/util/utf8.h>

#include "arrowcdc/error.h"
#include "arrowcdc/table_patterns.h"

namespace {

using namespace arrowcdc;  // NOLINT

void Require(bool condition) {
  if (!condition) abort();
}

std::string_view TakeUntilNul(std::string_view* text) {
  const size_t end = text->find('\0');
  const std::string_view taken = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return taken;
}

// docs/types.md, "Names": U+FFFD stands in front of those that have no UTF-8 form.
bool CanBeMatched(const TableName& name) {
  for (const std::string& part : {name.schema, name.table}) {
    if (!arrow::util::ValidateUTF8(part) || part.starts_with("\xef\xbf\xbd")) return false;
  }
  return true;
}

std::string Quoted(std::string_view name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

void CheckQuoted(const TableName& name) {
  const std::string pattern = Quoted(name.schema) + "." + Quoted(name.table);
  const bool short_enough = pattern.size() < 500;  // RE2 takes larger ones, up to a limit of its own
  if (name.schema.empty() || name.table.empty() || !CanBeMatched(name) || !short_enough) return;
  const auto parsed = TablePatterns::Parse({pattern});
  Require(parsed.ok());
  Require(parsed->Matches(name));
  Require(!parsed->Matches({name.schema + "x", name.table}));
  Require(!parsed->Matches({name.schema, "x" + name.table}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  std::string_view input(reinterpret_cast<const char*>(data), bytes);
  const std::string pattern(TakeUntilNul(&input));
  const std::string schema(TakeUntilNul(&input));
  const TableName name{schema, std::string(input)};
  arrow::util::InitializeUTF8();
  CheckQuoted(name);
  const auto parsed = TablePatterns::Parse({pattern});
  if (!parsed.ok()) {
    const ErrorDetail* const detail = GetErrorDetail(parsed.status());
    Require(detail != nullptr && detail->kind() == ErrorKind::kInvalidOption);
    Require(parsed.status().message().find(", offset ") != std::string::npos);
    return 0;
  }
  const auto match = parsed->Explain(name);
  Require(!match.reason.empty() && !(match.matches && match.excluded));
  if (pattern.starts_with('!') || !CanBeMatched(name)) return 0;
  const auto opposite = TablePatterns::Parse({"!" + pattern});
  Require(!opposite.ok() || opposite->Matches(name) != match.matches);
  return 0;
}
