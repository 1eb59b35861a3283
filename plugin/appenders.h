// One function a PostgreSQL type: a value that is not NULL straight into its column. Chosen once per column
// when a table's schema is made (type_map.h). None of them looks anything up in a catalog or calls an output
// function.
#pragma once

#include "plugin/append_context.h"

namespace arrowcdc::plugin {

bool AppendBoolValue(AppendContext* append, Column* column, Datum value);
bool AppendCharValue(AppendContext* append, Column* column, Datum value);
bool AppendInt16Value(AppendContext* append, Column* column, Datum value);
bool AppendInt32Value(AppendContext* append, Column* column, Datum value);  // int4, oid and its kin, float4
bool AppendInt64Value(AppendContext* append, Column* column, Datum value);  // int8, float8, xid8, pg_lsn
bool AppendMoneyValue(AppendContext* append, Column* column, Datum value);
bool AppendDateValue(AppendContext* append, Column* column, Datum value);
bool AppendTimestampValue(AppendContext* append, Column* column, Datum value);
bool AppendTimeValue(AppendContext* append, Column* column, Datum value);
bool AppendTimeTzValue(AppendContext* append, Column* column, Datum value);
bool AppendIntervalValue(AppendContext* append, Column* column, Datum value);
bool AppendUuidValue(AppendContext* append, Column* column, Datum value);
bool AppendByteaValue(AppendContext* append, Column* column, Datum value);
bool AppendTextValue(AppendContext* append, Column* column, Datum value);
// A user type that stores text: its bytes need not be valid in the database's encoding.
bool AppendStoredTextValue(AppendContext* append, Column* column, Datum value);
bool AppendNameValue(AppendContext* append, Column* column, Datum value);
bool AppendJsonbValue(AppendContext* append, Column* column, Datum value);
bool AppendDecimalValue(AppendContext* append, Column* column, Datum value);  // decimal128 or decimal256
bool AppendNumericTextValue(AppendContext* append, Column* column, Datum value);
bool AppendNumericDoubleValue(AppendContext* append, Column* column, Datum value);

// Content of a varlena, plain or compressed, in line or reassembled in memory. Never reads a TOAST table: the
// caller has sorted out values that only point there. May allocate in the current context.
struct Slice {
  const uint8_t* data;
  size_t size;
};
Slice OpenVarlena(Datum value);

// Likewise, with an aligned header of four bytes. A short one is copied, into room for the column's depth:
// the value stays while its parts are appended.
struct varlena* AlignVarlena(AppendContext* append, const Column* column, Datum value);

}  // namespace arrowcdc::plugin
