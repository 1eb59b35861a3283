// Types without an Arrow form of their own: the text of their output function. Functions outside the server's
// own may raise errors; those are caught in a subtransaction, so that no value can stop the stream.
#pragma once

#include "plugin/column.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

struct TextOutput {
  Oid function;
  FmgrInfo info;
  MemoryContext context;  // of info and what the function caches
  bool ready;             // info is filled in
  bool builtin;           // the server's own type and function
  bool varlena;
};

// Null where the value has no text. The text is in the database's encoding and in the current context.
char* OutputText(TextOutput* output, Datum value);

bool AppendOutputValue(Session* session, Column* column, Datum value);
bool AppendEnumValue(Session* session, Column* column, Datum value);
// As stored, unless it has an XML declaration, from which xml_out takes the encoding.
bool AppendXmlValue(Session* session, Column* column, Datum value);

}  // namespace arrowcdc::plugin
