// TablePatterns over RE2: one pair of expressions a pattern, in the order they were given.
#include "arrowcdc/table_patterns.h"

#include <algorithm>
#include <utility>

#include <re2/re2.h>

#include "arrowcdc/error.h"
#include "src/change/utf8_text.h"
#include "src/patterns/pattern_grammar.h"

namespace arrowcdc {
namespace {

constexpr int64_t kRegexBytesMax = 1 << 20;  // of RE2's program and caches, an expression

RE2::Options MatchOptions() {
  RE2::Options options;
  options.set_max_mem(kRegexBytesMax);
  options.set_dot_nl(true);  // names may hold newlines
  options.set_log_errors(false);
  options.set_never_capture(true);
  return options;
}

// The plugin puts U+FFFD before a name that has no UTF-8 form, see docs/types.md; in the server's catalog it
// is as it is.
bool HasUtf8Form(const std::string& name) { return IsUtf8(name) && !name.starts_with("\xef\xbf\xbd"); }

struct CompiledPattern {
  std::string text;
  bool exclude = false;
  bool is_of_any_table = false;
  std::unique_ptr<RE2> schema;
  std::unique_ptr<RE2> table;

  bool Matches(const TableName& name) const {
    return RE2::FullMatch(name.schema, *schema) && RE2::FullMatch(name.table, *table);
  }
};

arrow::Result<CompiledPattern> Compile(const std::string& pattern) {
  ARROW_ASSIGN_OR_RAISE(ParsedPattern parsed, ParseTablePattern(pattern));
  CompiledPattern compiled;
  compiled.text = pattern;
  compiled.exclude = parsed.exclude;
  compiled.is_of_any_table = parsed.table_regex == ".*";
  compiled.schema = std::make_unique<RE2>(parsed.schema_regex, MatchOptions());
  compiled.table = std::make_unique<RE2>(parsed.table_regex, MatchOptions());
  for (const RE2* regex : {compiled.schema.get(), compiled.table.get()}) {
    if (regex->ok()) continue;
    // The grammar lets nothing malformed through: what is left is size.
    return MakeError(ErrorKind::kInvalidOption,
                     "table pattern " + PatternForMessage(pattern) + ", offset 0: expected a smaller pattern",
                     "pattern " + PatternForMessage(pattern), "use fewer or smaller repetitions {n,m}");
  }
  return compiled;
}

}  // namespace

struct TablePatterns::Compiled {
  std::vector<CompiledPattern> patterns;
  bool only_exclusions = true;
};

TablePatterns::TablePatterns(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
TablePatterns::TablePatterns(TablePatterns&&) noexcept = default;
TablePatterns& TablePatterns::operator=(TablePatterns&&) noexcept = default;
TablePatterns::~TablePatterns() = default;

arrow::Result<TablePatterns> TablePatterns::Parse(const std::vector<std::string>& patterns) {
  auto compiled = std::make_unique<Compiled>();
  for (const std::string& text : patterns) {
    ARROW_ASSIGN_OR_RAISE(CompiledPattern pattern, Compile(text));
    compiled->only_exclusions = compiled->only_exclusions && pattern.exclude;
    compiled->patterns.push_back(std::move(pattern));
  }
  return TablePatterns(std::move(compiled));
}

TablePatterns::Match TablePatterns::Explain(const TableName& name) const {
  if (!HasUtf8Form(name.schema) || !HasUtf8Form(name.table))
    return {false, "its name is not valid UTF-8: no pattern matches it"};
  const CompiledPattern* included_by = nullptr;
  for (const CompiledPattern& pattern : compiled_->patterns) {
    if (!pattern.exclude && included_by != nullptr) continue;
    if (!pattern.Matches(name)) continue;
    if (pattern.exclude) return {false, "excluded by " + pattern.text, true};
    included_by = &pattern;
  }
  if (included_by != nullptr) return {true, "matched by " + included_by->text};
  if (compiled_->patterns.empty()) return {true, "no patterns given: every table"};
  if (compiled_->only_exclusions) return {true, "no pattern excludes it"};
  return {false, "no pattern matches"};
}

bool TablePatterns::MayMatchIn(const std::string& schema) const {
  bool may = compiled_->only_exclusions;
  for (const CompiledPattern& pattern : compiled_->patterns) {
    if (!RE2::FullMatch(schema, *pattern.schema)) continue;
    if (pattern.exclude && pattern.is_of_any_table) return false;
    may |= !pattern.exclude;
  }
  return may;
}

}  // namespace arrowcdc
