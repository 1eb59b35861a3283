// Text of the database's encoding to UTF-8.
#include "plugin/text.h"

namespace arrowcdc::plugin {

namespace {

constexpr size_t kConversionChunk = 32 << 10;

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
void PrepareConversion(Session* session) {
  if (session->conversion_ready) return;
  const Oid function = FindDefaultConversionProc(session->encoding, PG_UTF8);
  if (OidIsValid(function)) {
    fmgr_info_cxt(function, &session->conversion, session->context);
  } else {
    session->text_mode = TextMode::kVerify;
  }
  session->conversion_ready = true;
}

// Appends the UTF-8 form to *out. False: some character has none; *out may have grown.
bool Convert(Session* session, MemoryContext context, Buffer* out, const char* text, size_t size) {
  while (size > 0) {
    const size_t chunk = size < kConversionChunk ? size : kConversionChunk;
    Reserve(context, out, chunk * MAX_CONVERSION_GROWTH + 1);
    char* const to = reinterpret_cast<char*>(out->data + out->size);
    // Without errors the function stops at what it cannot convert, also at a character that the chunk cuts.
    const Datum result = FunctionCall6(&session->conversion, Int32GetDatum(session->encoding),
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

bool AppendConverted(Session* session, Column* column, const char* text, size_t size) {
  const size_t before = column->data.size;
  if (!Convert(session, column->context, &column->data, text, size) || column->data.size > kColumnBytesMax) {
    column->data.size = before;
    return false;
  }
  session->row_bytes += column->data.size - before;
  EndValue(column, static_cast<int64_t>(column->data.size));
  return true;
}

}  // namespace

void InitText(Session* session) {
  session->encoding = GetDatabaseEncoding();
  session->conversion_ready = false;
  session->text_mode = session->encoding == PG_UTF8        ? TextMode::kUtf8
                       : session->encoding == PG_SQL_ASCII ? TextMode::kVerify
                                                           : TextMode::kConvert;
}

bool AppendBytes(Session* session, Column* column, const void* bytes, size_t size) {
  if (size > kColumnBytesMax - column->data.size) return false;
  Append(column->context, &column->data, bytes, size);
  session->row_bytes += size;
  EndValue(column, static_cast<int64_t>(column->data.size));
  return true;
}

bool AppendText(Session* session, Column* column, const char* text, size_t size) {
  if (session->text_mode == TextMode::kUtf8 || IsAscii(reinterpret_cast<const uint8_t*>(text), size)) {
    return AppendBytes(session, column, text, size);
  }
  PrepareConversion(session);
  if (session->text_mode == TextMode::kConvert) return AppendConverted(session, column, text, size);
  return IsUtf8(text, size) && AppendBytes(session, column, text, size);
}

bool AppendUntrustedText(Session* session, Column* column, const char* text, size_t size) {
  if (session->text_mode == TextMode::kUtf8 && !IsUtf8(text, size)) return false;
  return AppendText(session, column, text, size);
}

char* NameToUtf8(Session* session, const char* name) {
  const size_t size = strlen(name);
  if (IsAscii(reinterpret_cast<const uint8_t*>(name), size)) return pstrdup(name);
  if (session->text_mode != TextMode::kUtf8) PrepareConversion(session);
  if (session->text_mode == TextMode::kConvert) {
    Buffer converted{nullptr, 0, 0};
    if (Convert(session, CurrentMemoryContext, &converted, name, size)) {
      Append(CurrentMemoryContext, &converted, "", 1);
      return reinterpret_cast<char*>(converted.data);
    }
  } else if (IsUtf8(name, size)) {
    return pstrdup(name);
  }
  char* const escaped = static_cast<char*>(palloc(4 * size + 1));
  char* out = escaped;
  for (const char* p = name; *p != '\0'; ++p) {
    const uint8_t byte = static_cast<uint8_t>(*p);
    if (byte < 0x80) {
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

}  // namespace arrowcdc::plugin
