// Text of the database's encoding to UTF-8.
#include "plugin/text.h"

#include "plugin/append_context.h"

namespace arrowcdc::plugin {

namespace {

constexpr size_t kConversionChunk = 32 << 10;
constexpr char kEscapeMark[] = "\xef\xbf\xbd";  // U+FFFD

bool IsAscii(const uint8_t* bytes, size_t size) {
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, sizeof(word));
    if ((word & 0x8080808080808080ull) != 0) return false;
  }
  for (; i < size; ++i) {
    if (bytes[i] >= 0x80) return false;
  }
  return true;
}

bool IsUtf8(const char* text, size_t size) {
  return size <= INT_MAX && pg_verify_mbstr(PG_UTF8, text, static_cast<int>(size), true);
}

// The conversion function, looked up once; needs the transaction that every change callback runs in.
void PrepareConversion(TextConversion* conversion) {
  if (conversion->ready) return;
  const Oid function = FindDefaultConversionProc(conversion->encoding, PG_UTF8);
  if (OidIsValid(function)) {
    fmgr_info_cxt(function, &conversion->function, conversion->context);
  } else {
    conversion->mode = TextMode::kVerify;
  }
  conversion->ready = true;
}

// Appends the UTF-8 form to *out. False: some character has none; *out may have grown.
bool Convert(TextConversion* conversion, MemoryContext context, Buffer* out, const char* text, size_t size) {
  while (size > 0) {
    const size_t chunk = size < kConversionChunk ? size : kConversionChunk;
    Reserve(context, out, chunk * MAX_CONVERSION_GROWTH + 1);
    char* const to = reinterpret_cast<char*>(out->data + out->size);
    // Without errors the function stops at what it cannot convert, also at a character that the chunk cuts.
    const Datum result = FunctionCall6(&conversion->function, Int32GetDatum(conversion->encoding),
                                       Int32GetDatum(PG_UTF8), CStringGetDatum(text), CStringGetDatum(to),
                                       Int32GetDatum(static_cast<int32>(chunk)), BoolGetDatum(true));
    const int32 consumed = DatumGetInt32(result);
    if (consumed <= 0) return false;
    out->size += strlen(to);
    text += consumed;
    size -= static_cast<size_t>(consumed);
    CHECK_FOR_INTERRUPTS();
  }
  return true;
}

bool AppendConverted(AppendContext* append, Column* column, const char* text, size_t size) {
  const size_t before = column->data.size;
  if (!Convert(&append->text, column->context, &column->data, text, size) ||
      column->data.size > kColumnBytesMax) {
    column->data.size = before;
    return false;
  }
  append->row_bytes += column->data.size - before;
  EndValue(column, static_cast<int64_t>(column->data.size));
  return true;
}

// The UTF-8 form of a name, or null where it has none of its own: the way back must lead to this name, since
// some encodings have several codes for one character.
char* ConvertThereAndBack(TextConversion* conversion, const char* name, size_t size) {
  Buffer converted{nullptr, 0, 0};
  if (!Convert(conversion, CurrentMemoryContext, &converted, name, size)) return nullptr;
  Append(CurrentMemoryContext, &converted, "", 1);
  char* const text = reinterpret_cast<char*>(converted.data);
  const Oid function = FindDefaultConversionProc(PG_UTF8, conversion->encoding);
  if (!OidIsValid(function)) return nullptr;
  const size_t text_size = strlen(text);
  char* const back = static_cast<char*>(palloc(text_size * MAX_CONVERSION_GROWTH + 1));
  FmgrInfo way_back;
  fmgr_info_cxt(function, &way_back, CurrentMemoryContext);
  const Datum consumed = FunctionCall6(&way_back, Int32GetDatum(PG_UTF8), Int32GetDatum(conversion->encoding),
                                       CStringGetDatum(text), CStringGetDatum(back),
                                       Int32GetDatum(static_cast<int32>(text_size)), BoolGetDatum(true));
  const bool same = static_cast<size_t>(DatumGetInt32(consumed)) == text_size && strcmp(back, name) == 0;
  return same ? text : nullptr;
}

// Two names never become the same: what is escaped begins with the mark, and what begins with the mark is
// escaped. Of an identifier of 63 bytes at most 255.
char* EscapeName(const char* name, size_t size) {
  char* const escaped = static_cast<char*>(palloc(strlen(kEscapeMark) + 4 * size + 1));
  char* out = stpcpy(escaped, kEscapeMark);
  for (const char* p = name; *p != '\0'; ++p) {
    const uint8_t byte = static_cast<uint8_t>(*p);
    if (byte < 0x80) {
      if (byte == '\\') *out++ = '\\';
      *out++ = *p;
    } else {
      *out++ = '\\';
      *out++ = 'x';
      *out++ = "0123456789abcdef"[byte >> 4];
      *out++ = "0123456789abcdef"[byte & 15];
    }
  }
  *out = '\0';
  return escaped;
}

}  // namespace

void InitText(TextConversion* conversion, MemoryContext context) {
  conversion->context = context;
  conversion->encoding = GetDatabaseEncoding();
  conversion->ready = false;
  conversion->mode = conversion->encoding == PG_UTF8        ? TextMode::kUtf8
                     : conversion->encoding == PG_SQL_ASCII ? TextMode::kVerify
                                                            : TextMode::kConvert;
}

bool AppendBytes(AppendContext* append, Column* column, const void* bytes, size_t size) {
  if (size > kColumnBytesMax - column->data.size) return false;
  Append(column->context, &column->data, bytes, size);
  append->row_bytes += size;
  EndValue(column, static_cast<int64_t>(column->data.size));
  return true;
}

bool AppendText(AppendContext* append, Column* column, const char* text, size_t size) {
  if (append->text.mode == TextMode::kUtf8 || IsAscii(reinterpret_cast<const uint8_t*>(text), size)) {
    return AppendBytes(append, column, text, size);
  }
  PrepareConversion(&append->text);
  if (append->text.mode == TextMode::kConvert) return AppendConverted(append, column, text, size);
  return IsUtf8(text, size) && AppendBytes(append, column, text, size);
}

bool AppendUntrustedText(AppendContext* append, Column* column, const char* text, size_t size) {
  if (append->text.mode == TextMode::kUtf8 && !IsUtf8(text, size)) return false;
  return AppendText(append, column, text, size);
}

char* ConvertName(TextConversion* conversion, const char* name) {
  const size_t size = strlen(name);
  if (IsAscii(reinterpret_cast<const uint8_t*>(name), size)) return pstrdup(name);
  if (conversion->mode != TextMode::kUtf8) PrepareConversion(conversion);
  char* const plain = conversion->mode == TextMode::kConvert ? ConvertThereAndBack(conversion, name, size)
                      : IsUtf8(name, size)                   ? pstrdup(name)
                                                             : nullptr;
  return plain == nullptr || strncmp(plain, kEscapeMark, strlen(kEscapeMark)) == 0 ? EscapeName(name, size)
                                                                                   : plain;
}

char* ConvertPrefix(TextConversion* conversion, const char* prefix) {
  // No character of four bytes has less than one in UTF-8.
  if (strnlen(prefix, 4 * UINT16_MAX + 1) > 4 * UINT16_MAX) return nullptr;
  char* const name = ConvertName(conversion, prefix);
  return strlen(name) <= UINT16_MAX ? name : nullptr;
}

}  // namespace arrowcdc::plugin
