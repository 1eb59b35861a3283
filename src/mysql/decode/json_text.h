// MySQL's binary JSON ("json_binary.h" in the documentation of its sources) as the text that MySQL itself
// makes of it, so that a value read by SQL is the same. Pure; the bytes may be anything.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace arrowcdc::mysql {

// Deeper than this is not followed; MySQL's own bound is 100.
inline constexpr int kJsonDepthMax = 128;

// A value: what it is, and its bytes from where it begins to the end of the document. Containers count their
// offsets from there.
struct JsonValue {
  uint8_t type = 0;
  std::span<const uint8_t> bytes = {};
};

// What a member or an element of a container is. Inlined values are copied to where `bytes` can point.
struct JsonEntry {
  std::span<const uint8_t> key = {};
  JsonValue value = {};
};

// A container's header.
struct JsonContainer {
  bool is_object = false;
  bool is_large = false;
  uint32_t count = 0;
  std::span<const uint8_t> bytes = {};
};

// A whole document; an empty one is null, as in MySQL.
JsonValue JsonDocument(std::span<const uint8_t> document);
inline bool IsJsonContainer(const JsonValue& value) { return value.type <= 3; }

// False: the bytes are unsound.
bool OpenJsonContainer(const JsonValue& value, JsonContainer* container);
bool ReadJsonEntry(const JsonContainer& container, uint32_t index, JsonEntry* entry);

// Appends the text. False: the bytes are unsound, deeper than kJsonDepthMax, or the text would get longer
// than text_bytes_max; what was appended then is of no use. Whether strings are UTF-8 is not looked at.
bool AppendJsonText(const JsonValue& value, int depth, size_t text_bytes_max, std::string* text);
void AppendJsonString(std::span<const uint8_t> string, std::string* text);

// No document of so many bytes has more text; one whose offsets share what they point at could go on without
// end. A control character takes six bytes for one, no value more.
constexpr size_t JsonTextBytesMax(size_t document_bytes) { return 64 + 8 * document_bytes; }

}  // namespace arrowcdc::mysql
