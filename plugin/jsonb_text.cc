// Walks a jsonb value as it is stored and writes its text. The server's own iterator allocates for every
// container.
#include "plugin/jsonb_text.h"

#include "pgtype/numeric.h"

namespace arrowcdc::plugin {

namespace {

constexpr uint32_t kValuesBetweenChecks = 1024;
constexpr int32_t kLevelsInPlace = 32;

struct Writer {
  MemoryContext context;
  Buffer* out;

  void Put(const char* bytes, size_t size) { Append(context, out, bytes, size); }
  void PutChar(char c) { Append(context, out, &c, 1); }
};

// The letter behind the backslash, 'u' for \u00XX.
char FindEscape(uint8_t byte) {
  switch (byte) {
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '"':
      return '"';
    case '\\':
      return '\\';
    default:
      return 'u';
  }
}

bool NeedsEscape(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

// Whether one of eight bytes needs an escape.
bool AnyNeedsEscape(uint64_t bytes) {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  const uint64_t quote = bytes ^ (kOnes * '"');
  const uint64_t backslash = bytes ^ (kOnes * '\\');
  const uint64_t found =
      ((bytes - kOnes * 0x20) & ~bytes) | ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash);
  return (found & (kOnes * 0x80)) != 0;
}

// How many bytes at the start stand for themselves.
size_t CountPlainBytes(const char* text, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, text + i, sizeof(word));
    if (AnyNeedsEscape(word)) break;
  }
  while (i < size && !NeedsEscape(static_cast<uint8_t>(text[i]))) ++i;
  return i;
}

void PutEscaped(Writer* writer, uint8_t byte) {
  const char escape = FindEscape(byte);
  if (escape == 'u') {
    const char code[6] = {'\\', 'u', '0', '0', "01"[byte >> 4], "0123456789abcdef"[byte & 15]};
    writer->Put(code, sizeof(code));
  } else {
    const char code[2] = {'\\', escape};
    writer->Put(code, sizeof(code));
  }
}

void PutString(Writer* writer, const char* text, size_t size) {
  writer->PutChar('"');
  for (size_t i = 0; i < size;) {
    const size_t plain = CountPlainBytes(text + i, size - i);
    writer->Put(text + i, plain);
    i += plain;
    if (i < size) PutEscaped(writer, static_cast<uint8_t>(text[i++]));
  }
  writer->PutChar('"');
}

void PutNumeric(Writer* writer, const char* number) {
  pgtype::NumericValue value;
  if (!pgtype::ReadNumeric(reinterpret_cast<const uint8_t*>(VARDATA_ANY(number)), VARSIZE_ANY_EXHDR(number),
                           &value)) {
    writer->Put("null", 4);
    return;
  }
  Reserve(writer->context, writer->out, pgtype::NumericTextBytesMax(value));
  writer->out->size +=
      pgtype::NumericToText(value, reinterpret_cast<char*>(writer->out->data + writer->out->size));
}

// A container being written: entries of its keys, then of its values (an array has only these), then their
// bytes.
struct Level {
  const JEntry* keys;
  const JEntry* values;
  const char* bytes;
  uint32_t key_offset;  // where the next one's bytes lie
  uint32_t value_offset;
  uint32_t count;
  uint32_t next;
  bool is_object;
  bool is_scalar;  // the array that wraps a lone scalar
};

Level OpenContainer(const JsonbContainer* container) {
  Level level{};
  level.count = JsonContainerSize(container);
  level.is_object = (container->header & JB_FOBJECT) != 0;
  level.is_scalar = JsonContainerIsScalar(container);
  level.keys = container->children;
  level.values = container->children + (level.is_object ? level.count : 0);
  level.bytes = reinterpret_cast<const char*>(level.values + level.count);
  if (level.is_object) level.value_offset = getJsonbOffset(container, static_cast<int>(level.count));
  return level;
}

// An entry has the length of its bytes or, now and then, where they end.
uint32_t FindEnd(JEntry entry, uint32_t offset) {
  return JBE_HAS_OFF(entry) ? JBE_OFFLENFLD(entry) : offset + JBE_OFFLENFLD(entry);
}

void PutScalar(Writer* writer, JEntry entry, const char* bytes, uint32_t offset, uint32_t end) {
  if (JBE_ISSTRING(entry)) {
    PutString(writer, bytes + offset, end - offset);
  } else if (JBE_ISNUMERIC(entry)) {
    PutNumeric(writer, bytes + INTALIGN(offset));
  } else if (JBE_ISBOOL_TRUE(entry)) {
    writer->Put("true", 4);
  } else if (JBE_ISBOOL_FALSE(entry)) {
    writer->Put("false", 5);
  } else {
    writer->Put("null", 4);
  }
}

// Levels of nesting, in place while there are few.
struct LevelStack {
  Level in_place[kLevelsInPlace];
  Level* levels = in_place;
  int32_t capacity = kLevelsInPlace;
  int32_t depth = 0;

  void Push(MemoryContext context, const JsonbContainer* container) {
    if (depth == capacity) {
      const size_t bytes = sizeof(Level) * static_cast<size_t>(capacity);
      auto* const larger = static_cast<Level*>(MemoryContextAllocHuge(context, 2 * bytes));
      memcpy(larger, levels, bytes);
      if (levels != in_place) pfree(levels);
      levels = larger;
      capacity *= 2;
    }
    levels[depth++] = OpenContainer(container);
  }

  void Free() {
    if (levels != in_place) pfree(levels);
  }
};

void PutBegin(Writer* writer, const Level& level) {
  if (!level.is_scalar) writer->PutChar(level.is_object ? '{' : '[');
}

void PutEnd(Writer* writer, const Level& level) {
  if (!level.is_scalar) writer->PutChar(level.is_object ? '}' : ']');
}

void PutKey(Writer* writer, Level* level) {
  const uint32_t end = FindEnd(level->keys[level->next], level->key_offset);
  PutString(writer, level->bytes + level->key_offset, end - level->key_offset);
  writer->Put(": ", 2);
  level->key_offset = end;
}

}  // namespace

bool JsonbToText(const JsonbContainer* root, MemoryContext context, Buffer* out, size_t bytes_max) {
  Writer writer{context, out};
  LevelStack stack;
  stack.Push(CurrentMemoryContext, root);
  PutBegin(&writer, stack.levels[0]);
  uint32_t values = 0;
  while (stack.depth > 0 && out->size <= bytes_max) {
    Level* const level = &stack.levels[stack.depth - 1];
    if (level->next == level->count) {
      PutEnd(&writer, *level);
      --stack.depth;
      continue;
    }
    if (++values % kValuesBetweenChecks == 0) CHECK_FOR_INTERRUPTS();
    if (level->next > 0) writer.Put(", ", 2);
    if (level->is_object) PutKey(&writer, level);
    const JEntry entry = level->values[level->next++];
    const uint32_t offset = level->value_offset;
    level->value_offset = FindEnd(entry, offset);
    if (JBE_ISCONTAINER(entry)) {
      stack.Push(CurrentMemoryContext,
                 reinterpret_cast<const JsonbContainer*>(level->bytes + INTALIGN(offset)));
      PutBegin(&writer, stack.levels[stack.depth - 1]);
    } else {
      PutScalar(&writer, entry, level->bytes, offset, level->value_offset);
    }
  }
  stack.Free();
  return out->size <= bytes_max;
}

}  // namespace arrowcdc::plugin
