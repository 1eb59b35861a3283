// Text of the database's encoding to UTF-8. Reads the catalog once, for the conversion function.
#pragma once

#include "plugin/column.h"

namespace arrowcdc::plugin {

enum class TextMode : uint8_t {
  kUtf8,     // the database is UTF8: values are valid as they are
  kVerify,   // SQL_ASCII: bytes without a meaning; what is not UTF-8 has no Arrow form
  kConvert,  // converted to UTF-8
};

struct TextConversion {
  TextMode mode;
  int encoding;
  bool ready;  // `function` was looked up
  FmgrInfo function;
  MemoryContext context;  // of `function`
};

// From the database's encoding. No catalog access: the conversion is looked up when first used.
void InitText(TextConversion* conversion, MemoryContext context);

// Appends bytes, or text in the database's encoding, as one value of a kVariable column. False: the text has
// no UTF-8 form, or the column would pass 2 GiB.
bool AppendBytes(AppendContext* append, Column* column, const void* bytes, size_t size);
bool AppendText(AppendContext* append, Column* column, const char* text, size_t size);
// The same for text that nobody has validated (output functions of user types).
bool AppendUntrustedText(AppendContext* append, Column* column, const char* text, size_t size);

// An identifier in UTF-8, NUL-terminated, in the current context. One without a UTF-8 form is escaped
// (docs/types.md); two names never become the same.
char* ConvertName(TextConversion* conversion, const char* name);

// The prefix of a logical message, as a name; null where that is longer than format::MessageSection can say.
char* ConvertPrefix(TextConversion* conversion, const char* prefix);

}  // namespace arrowcdc::plugin
