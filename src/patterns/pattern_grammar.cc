// Recursive descent over one pattern; every construct is written out as RE2 text with literals as \x{...}, so
// that nothing of the user's text reaches RE2 unescaped.
#include "src/patterns/pattern_grammar.h"

#include <cstdint>
#include <cstdio>
#include <optional>

#include "arrowcdc/error.h"
#include "arrowcdc/secrets.h"

namespace arrowcdc {
namespace {

constexpr size_t kPatternBytesMax = 4096;
constexpr int kGroupDepthMax = 16;
constexpr int kRepeatMax = 1000;  // RE2's own limit
constexpr char32_t kNoCharacter = 0xFFFFFFFF;

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  arrow::Result<ParsedPattern> Parse() {
    ParsedPattern parsed;
    if (text_.size() > kPatternBytesMax) {
      return Fail(kPatternBytesMax, "expected the end: a pattern has at most 4096 bytes");
    }
    if (text_.empty()) return Fail(0, "expected SCHEMA.TABLE");
    ARROW_RETURN_NOT_OK(CheckUtf8());
    if (Peek() == '!') {
      parsed.exclude = true;
      ++at_;
    }
    const size_t begin = at_;
    ARROW_ASSIGN_OR_RAISE(parsed.schema_regex, Part("a schema name"));
    if (AtEnd()) {
      std::string suggestion = parsed.exclude ? "!public." : "public.";
      const bool harmless = Shown(text_).starts_with('"');
      suggestion.append(harmless ? text_.substr(begin) : "users");
      return Fail(at_, "expected '.' and a table name: a pattern is SCHEMA.TABLE",
                  "name the schema (MySQL, MariaDB: the database) too, for example " + suggestion);
    }
    ++at_;  // the dot, which is all that Part stops at besides the end
    ARROW_ASSIGN_OR_RAISE(parsed.table_regex, Part("a table name"));
    if (!AtEnd()) {
      return Fail(
          at_, "expected the end: a pattern is SCHEMA.TABLE",
          "write a name that holds a dot in double quotes: public.\"a.b\"; give several patterns one by "
          "one: 'public.a' 'public.b'");
    }
    return parsed;
  }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool PeekIs(char c) const { return !AtEnd() && text_[at_] == c; }

  arrow::Status Fail(size_t offset, const std::string& expectation, const std::string& remedy = "") const {
    return MakeError(
        ErrorKind::kInvalidOption,
        "table pattern " + PatternForMessage(text_) + ", offset " + std::to_string(offset) + ": " +
            expectation,
        "pattern " + PatternForMessage(text_),
        remedy.empty() ? "see docs/patterns.md; a name in double quotes stands for itself" : remedy);
  }

  arrow::Status CheckUtf8() {
    const size_t start = at_;
    while (!AtEnd()) {
      if (NextCharacter() == kNoCharacter) return Fail(at_, "expected UTF-8");
    }
    at_ = start;
    return arrow::Status::OK();
  }

  // Decodes and consumes one UTF-8 character; kNoCharacter, with at_ unmoved, where the bytes are none.
  char32_t NextCharacter() {
    const auto byte = [this](size_t i) -> uint32_t {
      return at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0u;
    };
    const uint32_t first = byte(0);
    const int bytes = first < 0x80         ? 1
                      : (first >> 5) == 6  ? 2
                      : (first >> 4) == 14 ? 3
                      : (first >> 3) == 30 ? 4
                                           : 0;
    if (bytes == 0) return kNoCharacter;
    uint32_t value = bytes == 1 ? first : first & (0x7Fu >> bytes);
    for (int i = 1; i < bytes; ++i) {
      if ((byte(i) & 0xC0) != 0x80) return kNoCharacter;
      value = (value << 6) | (byte(i) & 0x3F);
    }
    constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < kLeast[bytes] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
      return kNoCharacter;
    at_ += bytes;
    return value;
  }

  static void AppendLiteral(char32_t c, std::string* out) {
    char escaped[16];
    std::snprintf(escaped, sizeof escaped, "\\x{%x}", static_cast<unsigned>(c));
    *out += escaped;
  }

  // One part of the pattern, up to the separating dot or the end.
  arrow::Result<std::string> Part(const char* what) {
    const size_t begin = at_;
    std::string out;
    ARROW_RETURN_NOT_OK(Sequence(0, &out));
    if (at_ == begin) return Fail(at_, std::string("expected ") + what);
    if (PeekIs('|')) return Fail(at_, "expected no '|' outside a group", "write (a|b), or two patterns");
    if (PeekIs(')')) return Fail(at_, "expected no ')' without its '('");
    return out;
  }

  // Atoms up to what ends a sequence: '.', '|', ')' or the end.
  arrow::Status Sequence(int depth, std::string* out) {
    while (!AtEnd()) {
      switch (Peek()) {
        case '.':
        case '|':
        case ')':
          return arrow::Status::OK();
        case '"':
          ARROW_RETURN_NOT_OK(Quoted(out));
          break;
        case '*':
          ++at_;
          *out += ".*";
          break;
        case '?':
          ++at_;
          *out += ".";
          break;
        case '[':
          ARROW_RETURN_NOT_OK(Class(out));
          ARROW_RETURN_NOT_OK(Repetition(out));
          break;
        case '(':
          ARROW_RETURN_NOT_OK(Group(depth + 1, out));
          ARROW_RETURN_NOT_OK(Repetition(out));
          break;
        case '+':
        case '{':
          return Fail(at_,
                      std::string("expected a class or a group before '") + Peek() + "', which repeats it",
                      "write [0-9]+ or (ab)+; a name that holds this character in double quotes");
        case ']':
        case '}':
          return Fail(at_, std::string("expected no '") + Peek() + "' without its opening bracket");
        case '\\':
          return Fail(at_, "expected no backslash: there are no escapes",
                      "write a name that holds special characters in double quotes");
        default:
          AppendLiteral(NextCharacter(), out);
      }
    }
    return arrow::Status::OK();
  }

  arrow::Status Quoted(std::string* out) {
    const size_t open = at_++;
    bool empty = true;
    while (!AtEnd()) {
      if (Peek() == '"') {
        ++at_;
        if (!PeekIs('"')) {
          return empty ? Fail(open, "expected a name between the double quotes") : arrow::Status::OK();
        }
      }
      AppendLiteral(NextCharacter(), out);
      empty = false;
    }
    return Fail(at_, "expected the closing double quote of offset " + std::to_string(open));
  }

  arrow::Status Group(int depth, std::string* out) {
    const size_t open = at_++;
    if (depth > kGroupDepthMax) return Fail(open, "expected at most 16 groups inside each other");
    *out += "(?:";
    while (true) {
      ARROW_RETURN_NOT_OK(Sequence(depth, out));
      if (AtEnd()) return Fail(at_, "expected the ')' of the group at offset " + std::to_string(open));
      if (PeekIs('.')) {
        return Fail(at_, "expected no '.' inside a group", "write a name that holds a dot in double quotes");
      }
      *out += Peek();  // '|' or ')'
      if (text_[at_++] == ')') return arrow::Status::OK();
    }
  }

  arrow::Status Class(std::string* out) {
    const size_t open = at_++;
    *out += '[';
    if (PeekIs('^') || PeekIs('!')) {
      *out += '^';
      ++at_;
    }
    bool empty = true;
    while (!AtEnd()) {
      if (Peek() == ']') {
        if (empty) return Fail(at_, "expected a character in the class");
        ++at_;
        *out += ']';
        return arrow::Status::OK();
      }
      const size_t member = at_;
      ARROW_ASSIGN_OR_RAISE(const char32_t low, ClassMember());
      AppendLiteral(low, out);
      empty = false;
      if (PeekIs('-') && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        ARROW_ASSIGN_OR_RAISE(const char32_t high, ClassMember());
        if (high < low) return Fail(member, "expected a range whose end is not before its start");
        *out += '-';
        AppendLiteral(high, out);
      }
    }
    return Fail(at_, "expected the ']' of the class at offset " + std::to_string(open));
  }

  arrow::Result<char32_t> ClassMember() {
    if (Peek() == '[' || Peek() == '\\') {
      return Fail(at_,
                  "expected no '[' and no backslash inside a class: it lists characters and ranges only");
    }
    return NextCharacter();
  }

  // What may stand directly behind a class or a group, at most once.
  arrow::Status Repetition(std::string* out) {
    if (PeekIs('*') || PeekIs('+') || PeekIs('?')) {
      *out += text_[at_++];
      return arrow::Status::OK();
    }
    if (!PeekIs('{')) return arrow::Status::OK();
    const size_t open = at_++;
    const std::optional<int> low = Number();
    std::optional<int> high = low;
    const bool comma = PeekIs(',');
    if (comma) {
      ++at_;
      high = Number();
    }
    if (!low || !PeekIs('}')) return Fail(at_, "expected {n}, {n,} or {n,m}, numbers up to 1000");
    ++at_;
    if (high && *high < *low) return Fail(open, "expected {n,m} with n not above m");
    *out +=
        '{' + std::to_string(*low) + (comma ? "," : "") + (comma && high ? std::to_string(*high) : "") + '}';
    return arrow::Status::OK();
  }

  // Up to kRepeatMax; nullopt where there is no number or it is larger.
  std::optional<int> Number() {
    std::optional<int> value;
    while (!AtEnd() && Peek() >= '0' && Peek() <= '9') {
      value = value.value_or(0) * 10 + (text_[at_++] - '0');
      if (*value > kRepeatMax) return std::nullopt;
    }
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

arrow::Result<ParsedPattern> ParseTablePattern(std::string_view pattern) { return Parser(pattern).Parse(); }

std::string PatternForMessage(std::string_view pattern) {
  const std::string shown = Shown(pattern);
  return shown.front() == '"' ? "'" + std::string(pattern) + "'" : shown;
}

}  // namespace arrowcdc
