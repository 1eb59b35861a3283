// One function a PostgreSQL type: a value that is not NULL straight into its column. Chosen once per column
// when a table's schema is made (type_map.h). None of them looks anything up in a catalog or calls an output
// function.
#pragma once

#include "plugin/column.h"
#include "plugin/session.h"

namespace arrowcdc::plugin {

bool AppendBoolValue(Session* session, Column* column, Datum value);
bool AppendCharValue(Session* session, Column* column, Datum value);
bool AppendInt16Value(Session* session, Column* column, Datum value);
bool AppendInt32Value(Session* session, Column* column, Datum value);  // int4, oid and its kin, float4
bool AppendInt64Value(Session* session, Column* column, Datum value);  // int8, float8, xid8, pg_lsn
bool AppendMoneyValue(Session* session, Column* column, Datum value);
bool AppendDateValue(Session* session, Column* column, Datum value);
bool AppendTimestampValue(Session* session, Column* column, Datum value);
bool AppendTimeValue(Session* session, Column* column, Datum value);
bool AppendTimeTzValue(Session* session, Column* column, Datum value);
bool AppendIntervalValue(Session* session, Column* column, Datum value);
bool AppendUuidValue(Session* session, Column* column, Datum value);
bool AppendByteaValue(Session* session, Column* column, Datum value);
bool AppendTextValue(Session* session, Column* column, Datum value);
// A user type that stores text: its bytes need not be valid in the database's encoding.
bool AppendStoredTextValue(Session* session, Column* column, Datum value);
bool AppendNameValue(Session* session, Column* column, Datum value);
bool AppendJsonbValue(Session* session, Column* column, Datum value);
bool AppendDecimalValue(Session* session, Column* column, Datum value);  // decimal128 or decimal256
bool AppendNumericTextValue(Session* session, Column* column, Datum value);
bool AppendNumericDoubleValue(Session* session, Column* column, Datum value);
bool AppendArrayValue(Session* session, Column* column, Datum value);

// Content of a varlena, plain or compressed, in line or reassembled in memory. Never reads a TOAST table: the
// caller has sorted out values that only point there. May allocate in the current context.
struct Slice {
  const uint8_t* data;
  size_t size;
};
Slice OpenVarlena(Datum value);

}  // namespace arrowcdc::plugin
