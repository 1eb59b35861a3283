// Table patterns: the examples of docs/patterns.md, the errors, and properties against a matcher written for
// this test.
#include "arrowcdc/table_patterns.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <functional>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

bool Matches(const std::vector<std::string>& patterns, const std::string& schema, const std::string& table) {
  auto parsed = TablePatterns::Parse(patterns);
  EXPECT_TRUE(parsed.ok()) << parsed.status().ToString();
  return parsed.ok() && parsed->Matches({schema, table});
}

TEST(TablePatterns, PlainName) {
  EXPECT_TRUE(Matches({"public.users"}, "public", "users"));
  EXPECT_FALSE(Matches({"public.users"}, "public", "users2"));
  EXPECT_FALSE(Matches({"public.users"}, "public", "xusers"));
  EXPECT_FALSE(Matches({"public.users"}, "public", "Users"));
  EXPECT_FALSE(Matches({"public.users"}, "xpublic", "users"));
  EXPECT_FALSE(Matches({"public.users"}, "publicx", "users"));
}

TEST(TablePatterns, Wildcards) {
  EXPECT_TRUE(Matches({"public.*"}, "public", "a\nb.c"));
  EXPECT_FALSE(Matches({"public.*"}, "private", "a"));
  EXPECT_TRUE(Matches({"*.orders"}, "any", "orders"));
  EXPECT_TRUE(Matches({"public.user_?"}, "public", "user_1"));
  EXPECT_TRUE(Matches({"public.user_?"}, "public", "user_\U0001F600"));
  EXPECT_FALSE(Matches({"public.user_?"}, "public", "user_"));
  EXPECT_FALSE(Matches({"public.user_?"}, "public", "user_12"));
  EXPECT_TRUE(Matches({"public.a*b*c"}, "public", "abc"));
}

TEST(TablePatterns, NamesThatAreNotUtf8AreMatchedByNone) {
  for (const std::vector<std::string>& patterns :
       std::vector<std::vector<std::string>>{{}, {"*.*"}, {"!public.x"}, {"public.caf?"}}) {
    const auto parsed = TablePatterns::Parse(patterns).ValueOrDie();
    EXPECT_FALSE(parsed.Matches({"public", "caf\xe9"}));
    EXPECT_FALSE(parsed.Matches({"caf\xe9", "users"}));
    EXPECT_TRUE(parsed.Matches({"public", "caf\xc3\xa9"}));
    EXPECT_NE(parsed.Explain({"public", "caf\xe9"}).reason.find("not valid UTF-8"), std::string::npos);
  }
}

TEST(TablePatterns, ClassesAndGroups) {
  EXPECT_TRUE(Matches({"public.user_[0-9]+"}, "public", "user_2024"));
  EXPECT_FALSE(Matches({"public.user_[0-9]+"}, "public", "user_"));
  EXPECT_FALSE(Matches({"public.user_[0-9]+"}, "public", "user_12x"));
  EXPECT_TRUE(Matches({"public.(a|b)"}, "public", "b"));
  EXPECT_FALSE(Matches({"public.(a|b)"}, "public", "ab"));
  EXPECT_TRUE(Matches({"public.orders(_old)?"}, "public", "orders"));
  EXPECT_TRUE(Matches({"public.[^a-c-]{2,3}"}, "public", "xyz"));
  EXPECT_FALSE(Matches({"public.[!a-c-]{2,3}"}, "public", "x-z"));
  EXPECT_TRUE(Matches({"public.[ä-ü]{2}"}, "public", "öä"));
  EXPECT_TRUE(Matches({"public.[.\"+]{3}"}, "public", "+.\""));
}

TEST(TablePatterns, StarBehindAClassRepeats) {
  EXPECT_TRUE(Matches({"public.[0-9]*"}, "public", "12"));
  EXPECT_FALSE(Matches({"public.[0-9]*"}, "public", "1a"));
  EXPECT_TRUE(Matches({"public.[0-9]{1}*"}, "public", "1a"));
  EXPECT_TRUE(Matches({"public.(a)+?"}, "public", "aax"));
}

TEST(TablePatterns, Quoted) {
  EXPECT_TRUE(Matches({"\"My.Schema\".\"a\"\"*b\""}, "My.Schema", "a\"*b"));
  EXPECT_FALSE(Matches({"public.\"a*\""}, "public", "ab"));
  EXPECT_TRUE(Matches({"public.\"v1.\"*"}, "public", "v1.orders"));
  EXPECT_TRUE(Matches({"public.(\"a.b\"|c)"}, "public", "a.b"));
}

TEST(TablePatterns, RegexCharactersWithoutMeaningAreLiteral) {
  EXPECT_TRUE(Matches({"public.^a$-b!c"}, "public", "^a$-b!c"));
  EXPECT_TRUE(Matches({"public.a b"}, "public", "a b"));
}

TEST(TablePatterns, Exclusion) {
  for (const auto& patterns :
       {std::vector<std::string>{"public.*", "!public.*_tmp"}, {"!public.*_tmp", "public.*"}}) {
    EXPECT_TRUE(Matches(patterns, "public", "a"));
    EXPECT_FALSE(Matches(patterns, "public", "a_tmp"));
    EXPECT_FALSE(Matches(patterns, "other", "a"));
  }
  EXPECT_TRUE(Matches({"!a.b"}, "a", "c"));
  EXPECT_FALSE(Matches({"!a.b"}, "a", "b"));
  EXPECT_TRUE(Matches({}, "a", "b"));
}

TEST(TablePatterns, WhetherASchemaMayHaveSome) {
  const auto may = [](const std::vector<std::string>& patterns, const std::string& schema) {
    return TablePatterns::Parse(patterns)->MayMatchIn(schema);
  };
  EXPECT_TRUE(may({}, "a"));
  EXPECT_TRUE(may({"a.t"}, "a"));
  EXPECT_FALSE(may({"a.t"}, "b"));
  EXPECT_TRUE(may({"*.t"}, "b"));
  EXPECT_TRUE(may({"!a.t"}, "a"));
  EXPECT_FALSE(may({"!a.*"}, "a"));
  EXPECT_TRUE(may({"!a.*"}, "b"));
  EXPECT_FALSE(may({"*.*", "!a*.*"}, "ab"));
  EXPECT_TRUE(may({"*.*", "!a*.x*"}, "ab"));
}

TEST(TablePatterns, Reasons) {
  const auto patterns = TablePatterns::Parse({"public.*", "!*.x"}).ValueOrDie();
  EXPECT_EQ(patterns.Explain({"public", "a"}).reason, "matched by public.*");
  EXPECT_EQ(patterns.Explain({"public", "x"}).reason, "excluded by !*.x");
  EXPECT_EQ(patterns.Explain({"p", "a"}).reason, "no pattern matches");
}

TEST(TablePatterns, InvalidUtf8NamesMatchNothing) {
  EXPECT_FALSE(Matches({"public.*"}, "public", "a\xff"));
  EXPECT_FALSE(Matches({"public.[^a]"}, "public", "\xff"));
}

struct BadPattern {
  const char* pattern;
  size_t offset;
  const char* expectation;
};

TEST(TablePatterns, ErrorsNamePatternOffsetAndExpectation) {
  const BadPattern kBad[] = {
      {"", 0, "SCHEMA.TABLE"},
      {"users", 5, "'.' and a table name"},
      {"public.", 7, "a table name"},
      {".users", 0, "a schema name"},
      {"!", 1, "a schema name"},
      {"a.b.c", 3, "the end"},
      {"a.b+", 3, "class or a group before '+'"},
      {"a.b{2}", 3, "class or a group before '{'"},
      {"a.[", 3, "']' of the class at offset 2"},
      {"a.[]", 3, "a character in the class"},
      {"a.[z-a]", 3, "range"},
      {"a.[[:alpha:]]", 3, "no '['"},
      {"a.[\\d]", 3, "no backslash"},
      {"a.(b", 4, "')' of the group at offset 2"},
      {"a.(b.c)", 4, "no '.' inside a group"},
      {"a.b)", 3, "no ')'"},
      {"a|b.c", 1, "no '|'"},
      {"a.b]", 3, "no ']'"},
      {"a.b\\*", 3, "no backslash"},
      {"a.\"b", 4, "closing double quote of offset 2"},
      {"a.\"\"", 2, "a name between"},
      {"a.[0-9]{2000}", 12, "numbers up to 1000"},
      {"a.[0-9]{3,2}", 7, "n not above m"},
      {"a.b\xff", 3, "UTF-8"},
      {"a.b\xed\xa0\x80", 3, "UTF-8"},
      {"a.b\xc0\xaf", 3, "UTF-8"},
      {"a.(((a{0,1000}){0,1000}){0,1000})", 6, "class or a group"},
      {"a.((([a]{0,1000}){0,1000}){0,1000})", 0, "smaller"},
  };
  for (const BadPattern& bad : kBad) {
    const auto parsed = TablePatterns::Parse({"ok.ok", bad.pattern});
    ASSERT_FALSE(parsed.ok()) << bad.pattern;
    const ErrorDetail* detail = GetErrorDetail(parsed.status());
    ASSERT_NE(detail, nullptr);
    EXPECT_EQ(detail->kind(), ErrorKind::kInvalidOption);
    EXPECT_FALSE(detail->remedy().empty());
    const std::string& message = parsed.status().message();
    EXPECT_NE(message.find("'" + std::string(bad.pattern) + "'"), std::string::npos) << message;
    EXPECT_NE(message.find("offset " + std::to_string(bad.offset) + ":"), std::string::npos) << message;
    EXPECT_NE(message.find(bad.expectation), std::string::npos) << message;
  }
}

TEST(TablePatterns, MissingSchemaSuggestsPublic) {
  const arrow::Status without = TablePatterns::Parse({"users"}).status();
  EXPECT_NE(GetErrorDetail(without)->remedy().find("public.users"), std::string::npos);
  const arrow::Status excluded = TablePatterns::Parse({"!users"}).status();
  EXPECT_NE(GetErrorDetail(excluded)->remedy().find("!public.users"), std::string::npos);
}

TEST(TablePatterns, DeepNestingIsRefusedNotOverflowed) {
  const arrow::Status status = TablePatterns::Parse({"a." + std::string(4000, '(')}).status();
  EXPECT_NE(status.message().find("16 groups"), std::string::npos) << status.message();
}

// --- Properties. A pattern as a tree, written out and matched by the simplest means.

using Text = std::u32string;

std::string Utf8(const Text& text) {
  std::string out;
  for (const char32_t c : text) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xC0 | (c >> 6));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xE0 | (c >> 12));
      out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    } else {
      out += static_cast<char>(0xF0 | (c >> 18));
      out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
      out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
      out += static_cast<char>(0x80 | (c & 0x3F));
    }
  }
  return out;
}

// The name written so that it matches itself only: in double quotes, quotes doubled.
std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

struct Node {
  enum Kind { kCharacter, kQuoted, kAnyRun, kAnyOne, kClass, kGroup } kind = kCharacter;
  Text text;  // the character, the quoted text, or the members of a class
  bool negated = false;
  std::vector<std::vector<Node>> branches;
  int least = 1;
  int most = 1;  // -1: no bound
  std::string repetition;
};
using Nodes = std::vector<Node>;

// Few characters, so that names and patterns meet often; each part of UTF-8 and of the grammar is among them.
const Text kPlain = U"ab_1$ ä€\U0001F600\n'";
const Text kAll = kPlain + U".*?[]()|+{}\\\"!^-";

rc::Gen<Text> TextOf(const Text& alphabet, size_t least, size_t most) {
  return rc::gen::mapcat(rc::gen::inRange(least, most + 1), [alphabet](size_t length) {
    return rc::gen::container<Text>(length, rc::gen::elementOf(alphabet));
  });
}

void RandomRepetition(Node* node) {
  switch (*rc::gen::inRange(0, 6)) {
    case 0:
      node->repetition = "*", node->least = 0, node->most = -1;
      break;
    case 1:
      node->repetition = "+", node->least = 1, node->most = -1;
      break;
    case 2:
      node->repetition = "?", node->least = 0, node->most = 1;
      break;
    case 3:
      node->repetition = "{2}", node->least = 2, node->most = 2;
      break;
    case 4:
      node->repetition = "{1,}", node->least = 1, node->most = -1;
      break;
    default:
      node->repetition = "{0,2}", node->least = 0, node->most = 2;
      break;
  }
}

Nodes RandomNodes(int depth, size_t least) {
  Nodes nodes;
  const size_t count = *rc::gen::inRange<size_t>(least, 4);
  for (size_t i = 0; i < count; ++i) {
    Node node;
    node.kind = static_cast<Node::Kind>(*rc::gen::inRange(0, depth > 0 ? 6 : 5));
    if (node.kind == Node::kCharacter) node.text = *TextOf(kPlain, 1, 1);
    if (node.kind == Node::kQuoted) node.text = *TextOf(kAll, 1, 3);
    if (node.kind == Node::kClass) node.text = *TextOf(kPlain + U".*?()|+{}\"", 1, 3);
    if (node.kind == Node::kClass) node.negated = *rc::gen::arbitrary<bool>();
    if (node.kind == Node::kGroup) {
      const int branches = *rc::gen::inRange(1, 4);
      for (int b = 0; b < branches; ++b) node.branches.push_back(RandomNodes(depth - 1, 0));
    }
    // Without a repetition a wildcard that follows would be read as one.
    if (node.kind == Node::kClass || node.kind == Node::kGroup) RandomRepetition(&node);
    // Two quoted pieces side by side are one, with a double quote in it.
    if (!nodes.empty() && node.kind == Node::kQuoted && nodes.back().kind == Node::kQuoted) continue;
    nodes.push_back(node);
  }
  return nodes;
}

std::string Written(const Nodes& nodes) {
  std::string out;
  for (const Node& node : nodes) {
    switch (node.kind) {
      case Node::kCharacter:
        out += Utf8(node.text);
        break;
      case Node::kQuoted:
        out += Quoted(Utf8(node.text));
        break;
      case Node::kAnyRun:
        out += "*";
        break;
      case Node::kAnyOne:
        out += "?";
        break;
      case Node::kClass:
        out += std::string(node.negated ? "[^" : "[") + Utf8(node.text) + "]";
        break;
      case Node::kGroup:
        for (size_t b = 0; b < node.branches.size(); ++b)
          out += (b == 0 ? "(" : "|") + Written(node.branches[b]);
        out += ")";
        break;
    }
    out += node.repetition;
  }
  return out;
}

// The set of places where a match that started in `from` can end.
using Places = std::vector<bool>;

Places Step(const Node& node, const Text& name, const Places& from);

Places Through(const Nodes& nodes, const Text& name, Places at) {
  for (const Node& node : nodes) at = Step(node, name, at);
  return at;
}

Places Once(const Node& node, const Text& name, const Places& from) {
  Places to(from.size(), false);
  if (node.kind == Node::kGroup) {
    for (const Nodes& branch : node.branches) {
      const Places ends = Through(branch, name, from);
      for (size_t i = 0; i < to.size(); ++i) to[i] = to[i] || ends[i];
    }
    return to;
  }
  for (size_t i = 0; i < from.size(); ++i) {
    if (!from[i]) continue;
    if (node.kind == Node::kAnyRun) {
      for (size_t j = i; j < to.size(); ++j) to[j] = true;
    } else if (node.kind == Node::kQuoted || node.kind == Node::kCharacter) {
      if (name.compare(i, node.text.size(), node.text) == 0) to[i + node.text.size()] = true;
    } else if (i < name.size()) {
      const bool listed = node.text.find(name[i]) != Text::npos;
      if (node.kind == Node::kAnyOne || listed != node.negated) to[i + 1] = true;
    }
  }
  return to;
}

Places Step(const Node& node, const Text& name, const Places& from) {
  Places at = from;
  for (int i = 0; i < node.least; ++i) at = Once(node, name, at);
  Places all = at;
  const int more = node.most < 0 ? static_cast<int>(name.size()) + 1 : node.most - node.least;
  for (int i = 0; i < more; ++i) {
    at = Once(node, name, at);
    for (size_t j = 0; j < all.size(); ++j) all[j] = all[j] || at[j];
  }
  return all;
}

bool NaiveMatch(const Nodes& nodes, const Text& name) {
  Places start(name.size() + 1, false);
  start[0] = true;
  return Through(nodes, name, start).back();
}

// A name that follows the pattern (nearly: negated classes are left to luck), so that matches are not rare.
Text Sample(const Nodes& nodes) {
  Text out;
  for (const Node& node : nodes) {
    const int times = node.least + *rc::gen::inRange(0, node.most < 0 ? 2 : node.most - node.least + 1);
    for (int i = 0; i < times; ++i) {
      switch (node.kind) {
        case Node::kCharacter:
        case Node::kQuoted:
          out += node.text;
          break;
        case Node::kAnyRun:
          out += *TextOf(kAll, 0, 2);
          break;
        case Node::kAnyOne:
          out += *TextOf(kAll, 1, 1);
          break;
        case Node::kClass:
          out += *TextOf(node.negated ? kAll : node.text, 1, 1);
          break;
        case Node::kGroup:
          out += Sample(node.branches[*rc::gen::inRange<size_t>(0, node.branches.size())]);
          break;
      }
    }
  }
  return out;
}

TEST(TablePatternsProperty, AgreesWithNaiveMatcher) {
  EXPECT_TRUE(rc::check("a written pattern matches as its tree does", [] {
    const Nodes schema = RandomNodes(0, 1);
    const Nodes table = RandomNodes(2, 1);
    const std::string pattern = Written(schema) + "." + Written(table);
    RC_PRE(pattern[0] != '!');
    const auto parsed = TablePatterns::Parse({pattern});
    RC_LOG() << pattern << "\n";
    RC_ASSERT(parsed.ok());
    int matched = 0;
    int refused = 0;
    for (int i = 0; i < 20; ++i) {
      const Text schema_name = Sample(schema);
      const Text table_name = i % 2 == 0 ? Sample(table) : *TextOf(kAll, 0, 6);
      const bool expected = NaiveMatch(schema, schema_name) && NaiveMatch(table, table_name);
      RC_LOG() << Utf8(schema_name) << " / " << Utf8(table_name) << "\n";
      RC_ASSERT(parsed->Matches({Utf8(schema_name), Utf8(table_name)}) == expected);
      ++(expected ? matched : refused);
    }
    RC_CLASSIFY(matched > 0, "with matches");
    RC_CLASSIFY(refused > 0, "with non-matches");
  }));
}

TEST(TablePatternsProperty, QuotedNameMatchesItselfOnly) {
  EXPECT_TRUE(rc::check("quoted names", [] {
    const Text schema = *TextOf(kAll, 1, 5);
    const Text table = *TextOf(kAll, 1, 5);
    const auto patterns = TablePatterns::Parse({Quoted(Utf8(schema)) + "." + Quoted(Utf8(table))});
    RC_ASSERT(patterns.ok());
    RC_ASSERT(patterns->Matches({Utf8(schema), Utf8(table)}));
    const Text other =
        *rc::gen::oneOf(TextOf(kAll, 0, 5), rc::gen::just(table + U"x"), rc::gen::just(table.substr(1)));
    RC_ASSERT(patterns->Matches({Utf8(schema), Utf8(other)}) == (other == table));
    RC_ASSERT(patterns->Matches({Utf8(other), Utf8(table)}) == (other == schema));
  }));
}

TEST(TablePatternsProperty, AnyBytesParseOrFailTyped) {
  EXPECT_TRUE(rc::check("hostile patterns", [] {
    const auto text = *rc::gen::arbitrary<std::string>();
    const auto parsed = TablePatterns::Parse({text});
    RC_ASSERT(parsed.ok() || GetErrorDetail(parsed.status()) != nullptr);
  }));
}

// As the plugin writes names that have no UTF-8 form, and as they are in the catalog.
TEST(TablePatterns, NamesWithoutUtf8AreMatchedByNone) {
  const std::string kEscaped = "\xef\xbf\xbd";
  for (const char* pattern : {"*.*", "public.*", "public.\"\xef\xbf\xbd\"*"}) {
    const auto patterns = TablePatterns::Parse({pattern}).ValueOrDie();
    EXPECT_FALSE(patterns.Matches({"public", "caf\xe9"})) << pattern;
    EXPECT_FALSE(patterns.Matches({"public", kEscaped + "caf\\xe9"})) << pattern;
  }
  EXPECT_TRUE(TablePatterns::Parse({"public.*"}).ValueOrDie().Matches({"public", "caf\\xe9"}));
  for (const std::vector<std::string>& lets_all_through : {std::vector<std::string>{}, {"!public.x"}}) {
    const auto patterns = TablePatterns::Parse(lets_all_through).ValueOrDie();
    EXPECT_FALSE(patterns.Matches({"public", "caf\xe9"}));
    EXPECT_FALSE(patterns.Matches({kEscaped + "s\\xe9", "t"}));
    EXPECT_TRUE(patterns.Matches({"public", "t"}));
  }
}

}  // namespace
}  // namespace arrowcdc
