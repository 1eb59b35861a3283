// Text of the database's encoding to UTF-8.
#pragma once

#include "plugin/session.h"

namespace arrowcdc::plugin {

// Sets session->text_mode from the database's encoding. No catalog access: the conversion is looked up when
// first used.
void InitText(Session* session);

// Appends bytes, or text in the database's encoding, as one value of a kVariable column. False: the text has
// no UTF-8 form, or the column would pass 2 GiB.
bool AppendBytes(Session* session, Column* column, const void* bytes, size_t size);
bool AppendText(Session* session, Column* column, const char* text, size_t size);
// The same for text that nobody has validated (output functions of user types).
bool AppendUntrustedText(Session* session, Column* column, const char* text, size_t size);

// An identifier in UTF-8, NUL-terminated, in the current context. One without a UTF-8 form is escaped
// (docs/types.md); two names never become the same.
char* NameToUtf8(Session* session, const char* name);

}  // namespace arrowcdc::plugin
