// Types without an Arrow form of their own: the text of their output function; PostGIS's: the bytes of their
// send function. Functions outside the server's own may raise errors; those are caught in a subtransaction,
// so that no value can stop the stream.
#pragma once

#include "plugin/append_context.h"

namespace arrowcdc::plugin {

struct TextOutput {
  Oid function;  // output function
  bool binary;   // it is the send function
  FmgrInfo info;
  MemoryContext context;  // of info and what the function caches
  bool ready;             // info is filled in
  bool builtin;           // the server's own type and function
  bool varlena;
};

// Null where the value has no text. The text is in the database's encoding and in the current context.
char* GetOutputText(TextOutput* output, Datum value);

bool AppendOutputValue(AppendContext* append, Column* column, Datum value);
bool AppendGeometryValue(AppendContext* append, Column* column, Datum value);
bool AppendEnumValue(AppendContext* append, Column* column, Datum value);
// As stored, unless it has an XML declaration, from which xml_out takes the encoding.
bool AppendXmlValue(AppendContext* append, Column* column, Datum value);

}  // namespace arrowcdc::plugin
