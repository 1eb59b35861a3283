// Comments with a version (/*! ... */, MariaDB: /*M! ... */) are read as what is in them: the log has what
// the server ran.
#include "src/mysql/decode/statement.h"

#include <algorithm>
#include <array>

#include "src/mysql/decode/charset.h"
#include "src/mysql/decode/table_map.h"

namespace arrowcdc::mysql {
namespace {

using Kind = Statement::Kind;

struct Token {
  enum class Type { kWord, kName, kString, kSign, kEnd, kBad };
  Type type = Type::kEnd;
  std::string text;  // of a word in lower case, as it was in `name`
  std::string name;
};

bool IsWordByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
         c == '@' || static_cast<unsigned char>(c) >= 0x80;
}

class Tokens {
 public:
  explicit Tokens(const QueryBody& query) : query_(query), text_(query.text) { Next(); }

  const Token& current() const { return current_; }
  bool bad() const { return current_.type == Token::Type::kBad; }
  bool at_end() const { return current_.type == Token::Type::kEnd; }
  bool IsWord(std::string_view word) const {
    return current_.type == Token::Type::kWord && current_.text == word;
  }
  bool IsSign(char sign) const { return current_.type == Token::Type::kSign && current_.text[0] == sign; }
  // Whether it was that word, which is passed over then.
  bool Word(std::string_view word) {
    if (!IsWord(word)) return false;
    Next();
    return true;
  }
  bool Sign(char sign) {
    if (!IsSign(sign)) return false;
    Next();
    return true;
  }
  bool Name(std::string* name) {
    if (current_.type != Token::Type::kWord && current_.type != Token::Type::kName) return false;
    *name = current_.name;
    Next();
    return true;
  }
  bool Table(TableName* table) {
    if (!Name(&table->table)) return false;
    table->schema = query_.schema;
    if (!Sign('.')) return true;
    table->schema = table->table;
    return Name(&table->table);
  }

  void Next() {
    if (!SkipBlanks()) {
      current_ = {Token::Type::kBad, {}, {}};
      return;
    }
    if (at_ == text_.size()) {
      current_ = {};
      return;
    }
    const char c = text_[at_];
    if (c == '`' || c == '"' || c == '\'') {
      Quoted(c);
    } else if (IsWordByte(c)) {
      const size_t begin = at_;
      while (at_ < text_.size() && IsWordByte(text_[at_])) ++at_;
      current_ = {Token::Type::kWord, std::string(text_.substr(begin, at_ - begin)), {}};
      current_.name = current_.text;
      for (char& letter : current_.text) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
      }
    } else {
      ++at_;
      current_ = {Token::Type::kSign, std::string(1, c), {}};
    }
  }

 private:
  bool StartsWith(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  bool SkipLine() {
    const size_t end = text_.find('\n', at_);
    at_ = end == std::string_view::npos ? text_.size() : end + 1;
    return true;
  }

  // Blanks and comments. False: a comment has no end.
  bool SkipBlanks() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v' || c == '\0') {
        ++at_;
      } else if (c == '#') {
        SkipLine();
      } else if (StartsWith("--") &&
                 (at_ + 2 == text_.size() || static_cast<unsigned char>(text_[at_ + 2]) <= ' ')) {
        SkipLine();
      } else if (StartsWith("/*!") || StartsWith("/*M!")) {
        at_ += StartsWith("/*!") ? 3 : 4;
        while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
        ++versioned_;
      } else if (StartsWith("*/") && versioned_ > 0) {
        at_ += 2;
        --versioned_;
      } else if (StartsWith("/*")) {
        const size_t end = text_.find("*/", at_ + 2);
        if (end == std::string_view::npos) return false;
        at_ = end + 2;
      } else {
        return true;
      }
    }
    return versioned_ == 0;
  }

  void Quoted(char quote) {
    const bool is_name = quote == '`' || (quote == '"' && query_.ansi_quotes);
    std::string text;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == quote) {
        if (at_ + 1 == text_.size() || text_[at_ + 1] != quote) break;
        ++at_;
      } else if (text_[at_] == '\\' && !is_name && !query_.no_backslash_escapes && at_ + 1 < text_.size()) {
        ++at_;
      }
      text += text_[at_];
    }
    if (at_ == text_.size()) {
      current_ = {Token::Type::kBad, {}, {}};
      return;
    }
    ++at_;
    current_ = {is_name ? Token::Type::kName : Token::Type::kString, {}, std::move(text)};
  }

  const QueryBody& query_;
  const std::string_view text_;
  size_t at_ = 0;
  int versioned_ = 0;
  Token current_;
};

Statement Of(Kind kind) {
  Statement statement;
  statement.kind = kind;
  return statement;
}

// name [, name ...]
Statement Tables(Kind kind, Tokens* tokens) {
  Statement statement = Of(kind);
  do {
    TableName table;
    if (!tokens->Table(&table)) return Of(Kind::kUnreadable);
    statement.tables.push_back(std::move(table));
  } while (tokens->Sign(','));
  return tokens->bad() ? Of(Kind::kUnreadable) : statement;
}

Statement Renames(Tokens* tokens) {
  Statement statement = Of(Kind::kRenameTable);
  if (tokens->Word("if") && !tokens->Word("exists")) return Of(Kind::kUnreadable);
  do {
    TableName from;
    TableName to;
    if (!tokens->Table(&from)) return Of(Kind::kUnreadable);
    if (tokens->Word("wait") || tokens->Word("nowait")) {  // MariaDB
      while (!tokens->IsWord("to") && !tokens->at_end() && !tokens->bad()) tokens->Next();
    }
    if (!tokens->Word("to") || !tokens->Table(&to)) return Of(Kind::kUnreadable);
    statement.tables.push_back(std::move(from));
    statement.tables.push_back(std::move(to));
  } while (tokens->Sign(','));
  return tokens->bad() ? Of(Kind::kUnreadable) : statement;
}

Statement Drop(Tokens* tokens) {
  const bool is_temporary = tokens->Word("temporary");
  if (tokens->Word("database") || tokens->Word("schema")) {
    if (tokens->Word("if")) tokens->Word("exists");
    Statement statement = Of(Kind::kDropDatabase);
    statement.tables.emplace_back();
    return tokens->Name(&statement.tables[0].schema) ? statement : Of(Kind::kUnreadable);
  }
  if (!tokens->Word("table") && !tokens->Word("tables") && !tokens->Word("sequence")) return Of(Kind::kOther);
  if (is_temporary) return Of(Kind::kOther);  // the table that has the same name stays
  if (tokens->Word("if")) tokens->Word("exists");
  return Tables(Kind::kDropTable, tokens);
}

// Whether ON DELETE or ON UPDATE stands there with what changes other rows.
bool TakesCascade(Tokens* tokens) {
  if (!tokens->Word("on") || (!tokens->Word("delete") && !tokens->Word("update"))) return false;
  return tokens->IsWord("cascade") || tokens->IsWord("set");
}

// What it does behind the table's name, as far as rows or the name are concerned. MariaDB's IGNORE removes
// rows that a new unique key does not let be.
Statement Alter(Tokens* tokens) {
  tokens->Word("online");
  const bool removes_duplicates = tokens->Word("ignore");
  if (!tokens->Word("table")) return Of(Kind::kOther);
  if (tokens->Word("if")) tokens->Word("exists");
  Statement statement = Of(removes_duplicates ? Kind::kAlterRows : Kind::kAlterTable);
  statement.tables.emplace_back();
  if (!tokens->Table(&statement.tables[0])) return Of(Kind::kUnreadable);
  int depth = 0;
  while (!tokens->at_end()) {
    if (tokens->bad()) return Of(Kind::kUnreadable);
    if (tokens->IsWord("on")) {
      statement.cascades |= TakesCascade(tokens);
      continue;
    }
    if (tokens->IsSign('(')) ++depth;
    if (tokens->IsSign(')')) --depth;
    const std::string word =
        depth == 0 && tokens->current().type == Token::Type::kWord ? tokens->current().text : std::string();
    tokens->Next();
    const bool partition = tokens->IsWord("partition");
    const bool tablespace = tokens->IsWord("tablespace");
    if (((word == "truncate" || word == "drop" || word == "exchange" || word == "convert") && partition) ||
        ((word == "discard" || word == "import") && (tablespace || partition))) {
      statement.kind = Kind::kAlterRows;
    }
    // EXCHANGE PARTITION p WITH TABLE u; MariaDB: CONVERT PARTITION p TO TABLE u, TABLE u TO PARTITION p
    if ((word == "with" || word == "to" || word == "convert") && tokens->Word("table")) {
      statement.kind = Kind::kAlterRows;
      if (!tokens->Table(&statement.other.emplace())) return Of(Kind::kUnreadable);
      continue;
    }
    if (word != "rename" || tokens->IsWord("column") || tokens->IsWord("index") || tokens->IsWord("key"))
      continue;
    if (!tokens->Word("to")) tokens->Word("as");
    tokens->Sign('=');
    TableName to;
    if (!tokens->Table(&to)) return Of(Kind::kUnreadable);
    statement.tables.resize(1);  // of several new names the last one counts
    statement.tables.push_back(std::move(to));
  }
  return statement;
}

// CREATE TABLE ... SELECT by its text fills the table.
Statement Create(Tokens* tokens) {
  const bool replaces = tokens->Word("or") && tokens->Word("replace");
  const bool is_temporary = tokens->Word("temporary");
  if (!tokens->Word("table")) return Of(Kind::kOther);
  if (tokens->Word("if") && tokens->Word("not")) tokens->Word("exists");
  Statement statement = Of(is_temporary ? Kind::kOther : Kind::kCreateTable);
  statement.replaces = replaces;
  statement.tables.emplace_back();
  if (!tokens->Table(&statement.tables[0])) return Of(Kind::kUnreadable);
  while (!tokens->at_end()) {
    if (tokens->bad()) return Of(Kind::kUnreadable);
    if (tokens->IsWord("select") || tokens->IsWord("values")) return Of(Kind::kChangesRows);
    if (tokens->Word("partition")) {  // PARTITION p VALUES LESS THAN
      while (!tokens->at_end() && !tokens->bad()) tokens->Next();
    } else if (tokens->IsWord("on")) {
      statement.cascades |= TakesCascade(tokens);
    } else {
      tokens->Next();
    }
  }
  return statement;
}

Statement Rollback(Tokens* tokens) {
  tokens->Word("work");
  if (!tokens->Word("to")) return Of(Kind::kRollback);
  tokens->Word("savepoint");
  Statement statement = Of(Kind::kRollbackTo);
  return tokens->Name(&statement.savepoint) ? statement : Of(Kind::kUnreadable);
}

// X'61',X'',1
std::string Xid(Tokens* tokens) {
  std::string xid;
  for (int part = 0; part < 2; ++part) {
    if (!tokens->Word("x") || tokens->current().type != Token::Type::kString) return "";
    for (const char c : tokens->current().name)
      xid += c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    tokens->Next();
    if (!tokens->Sign(',')) return "";
    xid += ',';
  }
  return tokens->current().type == Token::Type::kWord ? xid + tokens->current().text : "";
}

Statement Xa(Tokens* tokens) {
  constexpr std::array<std::pair<std::string_view, Kind>, 6> kWords = {{{"start", Kind::kXaStart},
                                                                        {"begin", Kind::kXaStart},
                                                                        {"end", Kind::kXaEnd},
                                                                        {"prepare", Kind::kXaPrepare},
                                                                        {"commit", Kind::kXaCommit},
                                                                        {"rollback", Kind::kXaRollback}}};
  for (const auto& [word, kind] : kWords) {
    if (!tokens->Word(word)) continue;
    Statement statement = Of(kind);
    statement.xid = Xid(tokens);
    return statement;
  }
  return Of(Kind::kUnreadable);
}

constexpr std::array kChangingWords = {"insert", "update", "delete", "replace", "load",   "call",
                                       "with",   "select", "do",     "values",  "execute"};
constexpr std::array kOtherWords = {
    "analyze", "backup", "cache",     "change",   "check", "checksum", "clone",      "flush",   "grant",
    "install", "kill",   "lock",      "optimize", "purge", "repair",   "reset",      "restart", "revoke",
    "start",   "stop",   "uninstall", "unlock",   "use",   "release",  "deallocate", "prepare"};

template <typename Words>
bool IsOneOf(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

std::string FormatXid(std::string_view gtrid, std::string_view bqual, uint64_t format) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string xid;
  for (const std::string_view part : {gtrid, bqual}) {
    for (const char c : part) {
      xid += kDigits[static_cast<unsigned char>(c) >> 4];
      xid += kDigits[static_cast<unsigned char>(c) & 15];
    }
    xid += ',';
  }
  return xid + std::to_string(format);
}

namespace {

// MariaDB's SET STATEMENT name = value, ... FOR statement. False: it is another SET.
bool SkipSettings(Tokens* tokens) {
  if (!tokens->Word("statement")) return false;
  while (!tokens->Word("for")) {
    if (tokens->at_end() || tokens->bad()) return false;
    tokens->Next();
  }
  return true;
}

Statement ReadUtf8(const QueryBody& query) {
  Tokens tokens(query);
  if (tokens.at_end()) return Of(Kind::kOther);  // comments: MariaDB writes them for what it leaves out
  while (tokens.Word("set")) {
    if (!SkipSettings(&tokens)) return Of(tokens.bad() ? Kind::kUnreadable : Kind::kOther);
  }
  if (tokens.current().type != Token::Type::kWord) return Of(Kind::kUnreadable);
  const std::string word = tokens.current().text;
  tokens.Next();
  if (word == "begin") return Of(Kind::kBegin);
  if (word == "start" && tokens.IsWord("transaction")) return Of(Kind::kBegin);
  if (word == "commit") return Of(Kind::kCommit);
  if (word == "rollback") return Rollback(&tokens);
  if (word == "savepoint") {
    Statement statement = Of(Kind::kSavepoint);
    return tokens.Name(&statement.savepoint) ? statement : Of(Kind::kUnreadable);
  }
  if (word == "xa") return Xa(&tokens);
  if (word == "truncate") {
    tokens.Word("table");
    return Tables(Kind::kTruncate, &tokens);
  }
  if (word == "drop") return Drop(&tokens);
  if (word == "rename") {
    return tokens.Word("table") || tokens.Word("tables") ? Renames(&tokens) : Of(Kind::kOther);
  }
  if (word == "alter") return Alter(&tokens);
  if (word == "create") return Create(&tokens);
  // MariaDB's ANALYZE of a statement runs it.
  constexpr std::array kOfTables = {"table", "tables", "local", "no_write_to_binlog"};
  if (word == "analyze" && !IsOneOf(kOfTables, tokens.current().text)) return Of(Kind::kChangesRows);
  if (IsOneOf(kChangingWords, word)) return Of(Kind::kChangesRows);
  return Of(IsOneOf(kOtherWords, word) ? Kind::kOther : Kind::kUnreadable);
}

}  // namespace

Statement ReadStatement(const QueryBody& query, Flavor flavor) {
  const bool is_ascii = std::all_of(query.text.begin(), query.text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  // A client whose character set is "binary" writes names as UTF-8.
  const bool is_told = query.collation != 0 && query.collation != kBinaryCollation;
  const Charset* const charset = is_told ? FindCharset(query.collation, flavor) : nullptr;
  if (is_ascii || !is_told || (charset != nullptr && charset->is_utf8())) return ReadUtf8(query);
  std::string text;
  const auto* const bytes = reinterpret_cast<const uint8_t*>(query.text.data());
  if (charset != nullptr && charset->ToUtf8({bytes, query.text.size()}, &text)) {
    QueryBody converted = query;
    converted.text = text;
    return ReadUtf8(converted);
  }
  // In comments and literals it does not matter, and which table is emptied has to be known.
  Statement statement = ReadUtf8(query);
  const bool empties =
      statement.kind == Kind::kTruncate || statement.kind == Kind::kDropTable || statement.replaces;
  return empties ? Of(Kind::kUnreadable) : statement;
}

}  // namespace arrowcdc::mysql
