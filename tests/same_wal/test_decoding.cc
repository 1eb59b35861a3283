#include "tests/same_wal/test_decoding.h"

#include <string_view>
#include <utility>

namespace arrowcdc::test {
namespace {

using std::string;
using std::string_view;

// The rest of a line. Errors: it is not what was expected.
class Line {
 public:
  explicit Line(string_view text) : text_(text), rest_(text) {}

  bool Skip(string_view part) {
    if (!rest_.starts_with(part)) return false;
    rest_.remove_prefix(part.size());
    return true;
  }
  arrow::Status Expect(string_view part) {
    return Skip(part) ? arrow::Status::OK()
                      : arrow::Status::Invalid("no '", part, "' at '", rest_, "' of ", text_);
  }
  bool AtEnd() const { return rest_.empty(); }
  string_view rest() const { return rest_; }

  // Up to one of `ends`.
  string Word(string_view ends) {
    const size_t length = std::min(rest_.find_first_of(ends), rest_.size());
    string word(rest_.substr(0, length));
    rest_.remove_prefix(length);
    return word;
  }
  // In that quote, which is doubled within.
  string InQuotes(char quote) {
    string text;
    rest_.remove_prefix(1);
    while (!rest_.empty()) {
      if (rest_.front() == quote) {
        rest_.remove_prefix(1);
        if (rest_.empty() || rest_.front() != quote) break;
      }
      text += rest_.front();
      rest_.remove_prefix(1);
    }
    return text;
  }
  string Name(string_view ends) { return rest_.starts_with('"') ? InQuotes('"') : Word(ends); }

  // "[type]:", with names in quotes and brackets within.
  arrow::Result<string> Type() {
    ARROW_RETURN_NOT_OK(Expect("["));
    bool quoted = false;
    for (size_t i = 0; i + 1 < rest_.size(); ++i) {
      if (rest_[i] == '"') quoted = !quoted;
      if (quoted || !rest_.substr(i).starts_with("]:")) continue;
      string type(rest_.substr(0, i));
      rest_.remove_prefix(i + 2);
      return type;
    }
    return arrow::Status::Invalid("no end of a type in ", text_);
  }

  arrow::Result<TextCell> Cell() {
    TextCell cell;
    cell.name = Name("[");
    ARROW_ASSIGN_OR_RAISE(cell.type, Type());
    if (rest_.starts_with("B'")) rest_.remove_prefix(1);
    if (rest_.starts_with('\'')) {
      cell.value = InQuotes('\'');
      return cell;
    }
    string word = Word(" ");
    if (word == "unchanged-toast-datum") {
      cell.unchanged = true;
    } else if (word != "null") {
      cell.value = cell.type == "boolean" ? word.substr(0, 1) : std::move(word);
    }
    return cell;
  }

  // Cells up to the end, or to `mark`.
  arrow::Status Cells(string_view mark, std::vector<TextCell>* cells) {
    while (!AtEnd() && !(!mark.empty() && rest_.starts_with(mark))) {
      ARROW_RETURN_NOT_OK(Expect(" "));
      ARROW_ASSIGN_OR_RAISE(TextCell cell, Cell());
      cells->push_back(std::move(cell));
    }
    return arrow::Status::OK();
  }

 private:
  string_view text_;
  string_view rest_;
};

arrow::Result<TextChange> ParseChange(Line line) {
  TextChange change;
  do {
    TableName& table = change.tables.emplace_back();
    table.schema = line.Name(".");
    ARROW_RETURN_NOT_OK(line.Expect("."));
    table.table = line.Name(":,");
  } while (line.Skip(", "));
  ARROW_RETURN_NOT_OK(line.Expect(": "));
  if (line.Skip("TRUNCATE:")) {
    change.kind = TextChange::Kind::kTruncate;
    change.restart_identity = line.Skip(" restart_seqs");
    change.cascade = line.Skip(" cascade");
    return change;
  }
  if (line.Skip("INSERT:")) {
    change.kind = TextChange::Kind::kInsert;
    ARROW_RETURN_NOT_OK(line.Cells("", &change.row));
  } else if (line.Skip("UPDATE:")) {
    change.kind = TextChange::Kind::kUpdate;
    change.has_old = line.Skip(" old-key:");
    constexpr string_view kNew = " new-tuple:";
    if (change.has_old) {
      ARROW_RETURN_NOT_OK(line.Cells(kNew, &change.old_row));
      ARROW_RETURN_NOT_OK(line.Expect(kNew));
    }
    ARROW_RETURN_NOT_OK(line.Cells("", &change.row));
  } else {
    ARROW_RETURN_NOT_OK(line.Expect("DELETE:"));
    change.kind = TextChange::Kind::kDelete;
    change.has_old = !line.Skip(" (no-tuple-data)");
    ARROW_RETURN_NOT_OK(line.Cells("", &change.old_row));
  }
  return change;
}

arrow::Result<TextChange> ParseMessage(Line line) {
  TextChange change;
  change.kind = TextChange::Kind::kMessage;
  change.transactional = line.Word(" ") == "1";
  ARROW_RETURN_NOT_OK(line.Expect(" prefix: "));
  // A prefix of the scripts has no comma.
  change.prefix = line.Word(",");
  ARROW_RETURN_NOT_OK(line.Expect(", sz: "));
  (void)line.Word(" ");
  ARROW_RETURN_NOT_OK(line.Expect(" content:"));
  change.content = line.rest();
  return change;
}

}  // namespace

arrow::Result<std::vector<TextTransaction>> ReadTestDecoding(SqlConnection& sql, const string& slot) {
  // 18 looks for transactions that were rolled back when it runs out of memory, takes their subtransactions
  // for streamed, and ends them by pg_decode_stream_abort, which crashes: it had begun no block (18.6).
  ARROW_RETURN_NOT_OK(sql.Exec("SET logical_decoding_work_mem = '1GB'"));
  ARROW_RETURN_NOT_OK(sql.Exec(
      "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET extra_float_digits = 1; SET timezone "
      "= 'UTC'; SET bytea_output = 'hex'"));
  ARROW_ASSIGN_OR_RAISE(const auto rows,
                        sql.Query("SELECT lsn - '0/0', xid, data FROM pg_logical_slot_peek_changes('" + slot +
                                  "', NULL, NULL, 'include-timestamp', '1')"));
  std::vector<TextTransaction> transactions;
  bool open = false;
  for (const SqlRow& row : rows) {
    const uint64_t lsn = std::stoull(*row[0]);
    Line line(*row[2]);
    if (line.Skip("BEGIN ")) {
      transactions.emplace_back().xid = static_cast<uint32_t>(std::stoul(*row[1]));
      open = true;
    } else if (line.Skip("COMMIT ")) {
      (void)line.Word(" ");
      ARROW_RETURN_NOT_OK(line.Expect(" (at "));
      transactions.back().commit_time = line.Word(")");
      transactions.back().end_lsn = lsn;
      open = false;
    } else {
      const bool message = line.Skip("message: transactional: ");
      if (!message) ARROW_RETURN_NOT_OK(line.Expect("table "));
      ARROW_ASSIGN_OR_RAISE(TextChange change, message ? ParseMessage(line) : ParseChange(line));
      change.lsn = lsn;
      if (!open) transactions.emplace_back().end_lsn = lsn;
      transactions.back().changes.push_back(std::move(change));
    }
  }
  return transactions;
}

}  // namespace arrowcdc::test
