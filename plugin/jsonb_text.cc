// Walks a jsonb value and writes its text.
#include "plugin/jsonb_text.h"

#include "plugin/numeric.h"

namespace arrowcdc::plugin {

namespace {

constexpr uint32_t kTokensBetweenChecks = 1024;

struct Writer {
  MemoryContext context;
  Buffer* out;

  void Put(const char* bytes, size_t size) { Append(context, out, bytes, size); }
  void PutChar(char c) { Append(context, out, &c, 1); }
};

// The letter behind the backslash, 'u' for \u00XX, or 0 where the byte stands for itself.
char EscapeOf(uint8_t byte) {
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
      return byte < 0x20 ? 'u' : '\0';
  }
}

void PutString(Writer* writer, const char* text, size_t size) {
  writer->PutChar('"');
  size_t run = 0;  // start of the bytes that need no escape
  for (size_t i = 0; i < size; ++i) {
    const uint8_t byte = static_cast<uint8_t>(text[i]);
    const char escape = EscapeOf(byte);
    if (escape == '\0') continue;
    writer->Put(text + run, i - run);
    run = i + 1;
    if (escape == 'u') {
      const char code[6] = {'\\', 'u', '0', '0', "01"[byte >> 4], "0123456789abcdef"[byte & 15]};
      writer->Put(code, sizeof(code));
    } else {
      const char code[2] = {'\\', escape};
      writer->Put(code, sizeof(code));
    }
  }
  writer->Put(text + run, size - run);
  writer->PutChar('"');
}

void PutNumeric(Writer* writer, Numeric number) {
  const auto* varlena = reinterpret_cast<const struct varlena*>(number);
  NumericValue value;
  if (!ReadNumeric(reinterpret_cast<const uint8_t*>(VARDATA_ANY(varlena)), VARSIZE_ANY_EXHDR(varlena),
                   &value)) {
    writer->Put("null", 4);
    return;
  }
  Reserve(writer->context, writer->out, NumericTextBytesMax(value));
  writer->out->size += NumericToText(value, reinterpret_cast<char*>(writer->out->data + writer->out->size));
}

void PutScalar(Writer* writer, const JsonbValue& value) {
  switch (value.type) {
    case jbvString:
      PutString(writer, value.val.string.val, static_cast<size_t>(value.val.string.len));
      break;
    case jbvNumeric:
      PutNumeric(writer, value.val.numeric);
      break;
    case jbvBool:
      if (value.val.boolean) {
        writer->Put("true", 4);
      } else {
        writer->Put("false", 5);
      }
      break;
    default:
      writer->Put("null", 4);
      break;
  }
}

}  // namespace

bool JsonbToText(JsonbContainer* root, MemoryContext context, Buffer* out, size_t bytes_max) {
  Writer writer{context, out};
  JsonbIterator* iterator = JsonbIteratorInit(root);
  JsonbValue value;
  bool comma = false;       // a value stands in front of the next one
  bool raw_scalar = false;  // the root is the array that wraps a lone scalar
  uint32_t tokens = 0;

  for (;;) {
    const JsonbIteratorToken token = JsonbIteratorNext(&iterator, &value, false);
    if (token == WJB_DONE) return true;
    if (++tokens % kTokensBetweenChecks == 0) CHECK_FOR_INTERRUPTS();
    if (out->size > bytes_max) return false;

    const bool ends = token == WJB_END_ARRAY || token == WJB_END_OBJECT;
    if (comma && !ends) writer.Put(", ", 2);
    switch (token) {
      case WJB_BEGIN_ARRAY:
        raw_scalar = value.val.array.rawScalar;
        if (!raw_scalar) writer.PutChar('[');
        comma = false;
        break;
      case WJB_BEGIN_OBJECT:
        writer.PutChar('{');
        comma = false;
        break;
      case WJB_KEY:
        PutString(&writer, value.val.string.val, static_cast<size_t>(value.val.string.len));
        writer.Put(": ", 2);
        comma = false;
        break;
      case WJB_ELEM:
      case WJB_VALUE:
        PutScalar(&writer, value);
        comma = true;
        break;
      case WJB_END_ARRAY:
        if (!raw_scalar) writer.PutChar(']');
        comma = true;
        break;
      case WJB_END_OBJECT:
        writer.PutChar('}');
        comma = true;
        break;
      default:
        break;
    }
  }
}

}  // namespace arrowcdc::plugin
