// Which tables: the patterns of --tables. The grammar is in docs/patterns.md. Pure: no I/O.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "arrowcdc/change_batch.h"

namespace arrowcdc {

// A list of patterns; "!pattern" excludes. Immutable, any thread.
class TablePatterns {
 public:
  // Errors: kInvalidOption naming the pattern, the offset and what was expected.
  static arrow::Result<TablePatterns> Parse(const std::vector<std::string>& patterns);

  TablePatterns(TablePatterns&&) noexcept;
  TablePatterns& operator=(TablePatterns&&) noexcept;
  ~TablePatterns();

  // Why a table is in or out, for people.
  struct Match {
    bool matches = false;
    std::string reason;     // the pattern that decided, or "no pattern matches"
    bool excluded = false;  // by a pattern that begins with !
  };
  Match Explain(const TableName& name) const;
  bool Matches(const TableName& name) const { return Explain(name).matches; }
  // Whether a table of that schema may match, whatever its name.
  bool MayMatchIn(const std::string& schema) const;

 private:
  struct Compiled;
  explicit TablePatterns(std::unique_ptr<Compiled> compiled);
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace arrowcdc
