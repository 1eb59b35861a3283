// Binary JSON by its bytes: what a recording cannot show, and documents that mean harm. Differences between
// documents as MySQL applies them (apply_json_diffs in its sources).
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "src/mysql/decode/json_diff.h"
#include "src/mysql/decode/json_text.h"
#include "src/mysql/decode/testing/event_bytes.h"

namespace arrowcdc::mysql {
namespace {

using test::Bytes;
using test::EventBytes;

std::string Text(const Bytes& document) {
  std::string text;
  return AppendJsonText(JsonDocument(document), 0, JsonTextBytesMax(document.size()), &text) ? text
                                                                                             : "unsound";
}

Bytes Double(uint64_t bits) { return EventBytes().Byte(11).Number(bits, 8).bytes(); }

TEST(JsonText, Scalars) {
  EXPECT_EQ(Text({}), "null");  // as MySQL reads a document without a byte
  EXPECT_EQ(Text({4, 0}), "null");
  EXPECT_EQ(Text({4, 1}), "true");
  EXPECT_EQ(Text({4, 2}), "false");
  EXPECT_EQ(Text({5, 0xff, 0xff}), "-1");
  EXPECT_EQ(Text({6, 0xff, 0xff}), "65535");
  EXPECT_EQ(Text({7, 0xff, 0xff, 0xff, 0xff}), "-1");
  EXPECT_EQ(Text({8, 0xff, 0xff, 0xff, 0xff}), "4294967295");
  EXPECT_EQ(Text({9, 0, 0, 0, 0, 0, 0, 0, 0x80}), "-9223372036854775808");
  EXPECT_EQ(Text({10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), "18446744073709551615");
  EXPECT_EQ(Text({12, 1, 'x'}), "\"x\"");
  EXPECT_EQ(Text({12, 5, '"', '\\', '\n', 0, 0x1f}), R"("\"\\\n\u0000\u001f")");
}

TEST(JsonText, Doubles) {
  EXPECT_EQ(Text(Double(0)), "0.0");
  EXPECT_EQ(Text(Double(0x8000000000000000)), "-0.0");
  EXPECT_EQ(Text(Double(0x3ff0000000000000)), "1.0");
  EXPECT_EQ(Text(Double(0xbff8000000000000)), "-1.5");
  EXPECT_EQ(Text(Double(0x0000000000000001)), "5e-324");
  EXPECT_EQ(Text(Double(0x7fefffffffffffff)), "1.7976931348623157e308");
  EXPECT_EQ(Text(Double(0x3fb999999999999a)), "0.1");
  EXPECT_EQ(Text(Double(0x430c6bf526340000)), "1e15");
  EXPECT_EQ(Text(Double(0x42d6bcc41e900000)), "100000000000000.0");
  EXPECT_EQ(Text(Double(0x43120b0515b832ef)), "1269666511981755.8");
  EXPECT_EQ(Text(Double(0x7ff0000000000000)), "null");
}

TEST(JsonText, Containers) {
  EXPECT_EQ(Text({2, 0, 0, 4, 0}), "[]");
  EXPECT_EQ(Text({0, 0, 0, 4, 0}), "{}");
  // Two elements in the header: true, -2.
  EXPECT_EQ(Text({2, 2, 0, 10, 0, 4, 1, 0, 5, 0xfe, 0xff}), "[true, -2]");
  // {"a": "x"}: the key at 11, the value at 12.
  EXPECT_EQ(Text({0, 1, 0, 14, 0, 11, 0, 1, 0, 12, 12, 0, 'a', 1, 'x'}), R"({"a": "x"})");
  // The same with offsets of four bytes, and a number of 32 bits in the header.
  EventBytes large;
  large.Byte(1).Number(1, 4).Number(20, 4).Number(19, 4).Number(1, 2).Byte(7).Number(0xffffffff, 4).Text("a");
  EXPECT_EQ(Text(large.bytes()), R"({"a": -1})");
}

TEST(JsonText, UnsoundDocuments) {
  const std::vector<Bytes> documents = {
      {1},                                          // a header that is not there
      {13, 0},                                      // no such type
      {4, 3},                                       // no such literal
      {5, 0},                                       // half a number
      {12, 2, 'x'},                                 // a string over the end
      {12, 0xff, 0xff, 0xff, 0xff, 0xff, 1},        // a length of too many bytes
      {2, 1, 0, 7, 0},                              // a header over the end
      {2, 0xff, 0xff, 4, 0},                        // more elements than bytes
      {2, 1, 0, 7, 0, 12, 7, 0},                    // a value at the end
      {2, 1, 0, 7, 0, 12, 0xff, 0xff},              // a value behind it
      {0, 1, 0, 11, 0, 0xff, 0xff, 1, 0, 4, 1, 0},  // a key behind it
      {15, 246, 2, 65, 30},                         // a decimal without digits
      {15, 246, 3, 66, 0, 0x80},                    // of more digits than there are
      {15, 10, 1, 0},                               // a date of one byte
      {2, 1, 0, 9, 0, 2, 0, 0, 0, 0},               // an array that is its own element
  };
  for (size_t i = 0; i < documents.size(); ++i) EXPECT_EQ(Text(documents[i]), "unsound") << i;
}

// Each level is two elements that are the same next one: 2^30 values in 300 bytes.
TEST(JsonText, SharedElements) {
  constexpr size_t kLevels = 30;
  constexpr size_t kLevelBytes = 10;
  EventBytes document;
  document.Byte(2);
  for (size_t i = 0; i < kLevels; ++i) {
    const size_t left = (kLevels - i) * kLevelBytes + 4;
    document.Number(2, 2).Number(left, 2);
    for (int element = 0; element < 2; ++element) document.Byte(2).Number(kLevelBytes, 2);
  }
  document.Number(0, 2).Number(4, 2);
  EXPECT_EQ(Text(document.bytes()), "unsound");
}

Bytes Nested(int depth) {
  EventBytes document;
  document.Byte(2);
  for (int i = depth - 1; i > 0; --i)
    document.Number(1, 2).Number(7 * static_cast<uint64_t>(i) + 4, 2).Byte(2).Number(7, 2);
  return document.Number(0, 2).Number(4, 2).bytes();
}

TEST(JsonText, Depth) {
  EXPECT_EQ(Text(Nested(3)), "[[[]]]");
  EXPECT_EQ(Text(Nested(100)), std::string(100, '[') + std::string(100, ']'));  // as deep as MySQL goes
  EXPECT_EQ(Text(Nested(1000)), "unsound");
}

// --- differences -------------------------------------------------------------------------------------------

enum Operation : uint8_t { kReplace, kInsert, kRemove };

Bytes Diff(Operation operation, std::string_view path, const Bytes& value = {}) {
  EventBytes diff;
  diff.Byte(operation).Packed(path);
  if (operation != kRemove) diff.Packed(value);
  return diff.bytes();
}

std::string Apply(const Bytes& document, const std::vector<Bytes>& diffs) {
  EventBytes all;
  for (const Bytes& diff : diffs) all.Add(diff);
  std::string text = "what was there before";
  switch (ApplyJsonDiffs(document, all.bytes(), &text)) {
    case JsonDiffOutcome::kApplied:
      return text;
    case JsonDiffOutcome::kFault:
      return "fault";
    case JsonDiffOutcome::kUnfit:
      return "unfit";
  }
  return "";
}

const Bytes kObject = {0, 1, 0, 14, 0, 11, 0, 1, 0, 12, 12, 0, 'a', 1, 'x'};  // {"a": "x"}
const Bytes kArray = {2, 2, 0, 10, 0, 4, 1, 0, 5, 0xfe, 0xff};                // [true, -2]
const Bytes kOne = {5, 1, 0};

TEST(JsonDiff, Applied) {
  EXPECT_EQ(Apply(kObject, {}), R"({"a": "x"})");
  EXPECT_EQ(Apply(kObject, {Diff(kReplace, "$.a", kOne)}), R"({"a": 1})");
  EXPECT_EQ(Apply(kObject, {Diff(kRemove, "$.a")}), "{}");
  // Shorter names come first, as MySQL keeps them.
  EXPECT_EQ(Apply(kObject,
                  {Diff(kInsert, "$.bb", kOne), Diff(kInsert, R"($."")", kOne), Diff(kInsert, "$.b", kOne)}),
            R"({"": 1, "a": "x", "b": 1, "bb": 1})");
  EXPECT_EQ(Apply(kArray, {Diff(kInsert, "$[1]", kOne)}), "[true, 1, -2]");
  EXPECT_EQ(Apply(kArray, {Diff(kInsert, "$[9]", kOne)}), "[true, -2, 1]");
  EXPECT_EQ(Apply(kArray, {Diff(kRemove, "$[0]"), Diff(kReplace, "$[0]", kObject)}), R"([{"a": "x"}])");
  EXPECT_EQ(Apply(kArray, {Diff(kReplace, "$[1]", kObject), Diff(kReplace, "$[1].a", kArray),
                           Diff(kRemove, "$[1].a[0]")}),
            R"([true, {"a": [-2]}])");
}

TEST(JsonDiff, NamesInQuotes) {
  EXPECT_EQ(Apply({0, 0, 0, 4, 0}, {Diff(kInsert, R"($."a.b[\"\\\u0001é")", kOne)}),
            R"({"a.b[\"\\\u0001é": 1})");
}

TEST(JsonDiff, NotOfThisDocument) {
  EXPECT_EQ(Apply(kObject, {Diff(kReplace, "$.b", kOne)}), "unfit");
  EXPECT_EQ(Apply(kObject, {Diff(kRemove, "$.b")}), "unfit");
  EXPECT_EQ(Apply(kObject, {Diff(kInsert, "$.a", kOne)}), "unfit");
  EXPECT_EQ(Apply(kObject, {Diff(kInsert, "$[0]", kOne)}), "unfit");
  EXPECT_EQ(Apply(kObject, {Diff(kReplace, "$.a.b", kOne)}), "unfit");
  EXPECT_EQ(Apply(kArray, {Diff(kRemove, "$[2]")}), "unfit");
  EXPECT_EQ(Apply(kOne, {Diff(kRemove, "$.a")}), "unfit");
}

TEST(JsonDiff, Unsound) {
  for (const std::string_view path :
       {"", "$", "a", "$a", "$.", "$[", "$[x]", "$[1", "$.\"a", "$.a..b", "$[-1]", "$[99999999999999999999]",
        "$.\"\\q\"", "$.\"\\u00\"", "$.\"\\u4e2d\""}) {
    EXPECT_EQ(Apply(kObject, {Diff(kRemove, path)}), "fault") << path;
  }
  EXPECT_EQ(Apply(kObject, {{3, 3, '$', '.', 'a'}}), "fault");
  EXPECT_EQ(Apply(kObject, {{0, 3, '$', '.', 'a'}}), "fault");
  EXPECT_EQ(Apply(kObject, {{0, 3, '$', '.', 'a', 9, 5}}), "fault");
  EXPECT_EQ(Apply(kObject, {Diff(kReplace, "$.a", {13, 0})}), "fault");
  EXPECT_EQ(Apply({2, 1}, {Diff(kRemove, "$[0]")}), "fault");
}

}  // namespace
}  // namespace arrowcdc::mysql
