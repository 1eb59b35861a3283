// Quoting by doubling; what cannot be quoted is refused. A test compares with PQescapeIdentifier,
// PQescapeLiteral and a server.
#include "src/postgres/client/quoting.h"

#include <arrow/util/utf8.h>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"

namespace arrowcdc::postgres {
namespace {

constexpr size_t kSlotNameBytesMax = 63;

arrow::Status CheckText(std::string_view text, const char* what, bool may_be_empty) {
  arrow::util::InitializeUTF8();
  const char* problem = nullptr;
  if (text.empty() && !may_be_empty) problem = "is empty";
  if (text.find('\0') != std::string_view::npos) problem = "holds a zero byte";
  if (!arrow::util::ValidateUTF8(text)) problem = "is not valid UTF-8";
  if (problem == nullptr) return arrow::Status::OK();
  return MakeError(ErrorKind::kInvalidOption, std::string(what) + " " + problem, what, "use another name");
}

// `quote` around the text and doubled in it; with `escape_backslash` backslashes are doubled, too.
std::string Doubled(std::string_view text, char quote, bool escape_backslash) {
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote || (escape_backslash && c == '\\')) out += c;
    out += c;
  }
  return out + quote;
}

}  // namespace

arrow::Result<std::string> QuoteIdentifier(std::string_view name) {
  ARROW_RETURN_NOT_OK(CheckText(name, "a name", false));
  return Doubled(name, '"', false);
}

arrow::Result<std::string> QuoteLiteral(std::string_view text) {
  ARROW_RETURN_NOT_OK(CheckText(text, "a text value", true));
  const bool backslash = text.find('\\') != std::string_view::npos;
  return (backslash ? "E" : "") + Doubled(text, '\'', backslash);
}

arrow::Result<std::string> QuoteLiterals(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) {
    ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteLiteral(text));
    list += (list.empty() ? "" : ", ") + quoted;
  }
  return list.empty() ? "NULL" : list;
}

arrow::Result<std::string> QuoteQualified(std::string_view schema, std::string_view name) {
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_schema, QuoteIdentifier(schema));
  ARROW_ASSIGN_OR_RAISE(const std::string quoted_name, QuoteIdentifier(name));
  return quoted_schema + "." + quoted_name;
}

arrow::Result<std::string> QuoteReplicationIdentifier(std::string_view name) {
  ARROW_RETURN_NOT_OK(CheckText(name, "a name", false));
  return Doubled(name, '"', false);
}

arrow::Result<std::string> QuoteReplicationLiteral(std::string_view text) {
  ARROW_RETURN_NOT_OK(CheckText(text, "an option", true));
  return Doubled(text, '\'', false);
}

arrow::Result<std::string> JoinIdentifiers(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    ARROW_ASSIGN_OR_RAISE(const std::string quoted, QuoteIdentifier(name));
    out += (out.empty() ? "" : ",") + quoted;
  }
  return out;
}

arrow::Status CheckSlotName(std::string_view slot) {
  bool valid = !slot.empty() && slot.size() <= kSlotNameBytesMax;
  for (const char c : slot) valid = valid && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_');
  if (valid) return arrow::Status::OK();
  return MakeError(ErrorKind::kInvalidOption, Shown(slot) + " cannot be the name of a slot", "slot",
                   "use 1 to 63 lower-case letters, digits and underscores");
}

}  // namespace arrowcdc::postgres
