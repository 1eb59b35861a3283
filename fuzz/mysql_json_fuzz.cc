// Fuzz target: MySQL's binary JSON -> text, and the differences that change a document. Text is what a JSON
// parser takes, where the strings are UTF-8; what is unsound is said, and never takes more room than the
// bytes may have.
//
// Input: the length of the document (2 bytes, little-endian), it, and the differences.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "fuzz/require.h"
#include "src/mysql/decode/byte_cursor.h"
#include "src/mysql/decode/json_diff.h"
#include "src/mysql/decode/json_text.h"

namespace {

using namespace arrowcdc::mysql;  // NOLINT

// Brackets and quotes match, and no control character stands bare.
void CheckText(const std::string& text) {
  std::string open;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    Require(static_cast<uint8_t>(c) >= 0x20);
    if (in_string) {
      if (c == '\\') Require(++i < text.size());
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') open += c;
    if (c != '}' && c != ']') continue;
    Require(!open.empty() && open.back() == (c == '}' ? '{' : '['));
    open.pop_back();
  }
  Require(open.empty() && !in_string && !text.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  ByteCursor cursor({data, bytes});
  uint16_t size;
  if (!cursor.Read<2>(&size)) return 0;
  std::span<const uint8_t> taken;
  cursor.ReadBytes(std::min<uint64_t>(size, cursor.left()), &taken);
  // On the heap at their exact sizes, so that a read beyond them is seen.
  const std::vector<uint8_t> document(taken.begin(), taken.end());
  const std::vector<uint8_t> diffs(cursor.rest().begin(), cursor.rest().end());
  std::string text;
  const size_t most = JsonTextBytesMax(document.size());
  if (AppendJsonText(JsonDocument(document), 0, most, &text)) {
    Require(text.size() <= 2 * most);  // the bound is looked at before each value
    CheckText(text);
  }
  text.clear();
  if (ApplyJsonDiffs(document, diffs, &text) == JsonDiffOutcome::kApplied) CheckText(text);
  return 0;
}
