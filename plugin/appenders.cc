// Values into columns, type by type.
#include "plugin/appenders.h"

#include <stdlib.h>

#include "pgtype/datetime.h"
#include "pgtype/numeric.h"
#include "plugin/jsonb_text.h"
#include "plugin/text.h"

namespace arrowcdc::plugin {

namespace {

using pgtype::NumericKind;
using pgtype::NumericValue;

// Follows pointers into memory and decompresses.
struct varlena* FlattenVarlena(Datum value) {
  auto* attribute = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
  while (VARATT_IS_EXTERNAL_INDIRECT(attribute)) {
    struct varatt_indirect redirect;
    VARATT_EXTERNAL_GET_POINTER(redirect, attribute);
    attribute = redirect.pointer;
  }
  if (VARATT_IS_EXTERNAL(attribute) || VARATT_IS_COMPRESSED(attribute)) attribute = detoast_attr(attribute);
  return attribute;
}

bool ReadNumericDatum(Datum value, NumericValue* out) {
  const Slice slice = OpenVarlena(value);
  return pgtype::ReadNumeric(slice.data, slice.size, out);
}

size_t PrintNumeric(AppendContext* append, const NumericValue& value) {
  append->scratch.size = 0;
  Reserve(append->context, &append->scratch, pgtype::NumericTextBytesMax(value) + 1);
  return pgtype::NumericToText(value, reinterpret_cast<char*>(append->scratch.data));
}

}  // namespace

Slice OpenVarlena(Datum value) {
  const struct varlena* const plain = FlattenVarlena(value);
  return {reinterpret_cast<const uint8_t*>(VARDATA_ANY(plain)), VARSIZE_ANY_EXHDR(plain)};
}

struct varlena* AlignVarlena(AppendContext* append, const Column* column, Datum value) {
  struct varlena* const plain = FlattenVarlena(value);
  if (!VARATT_IS_SHORT(plain)) return plain;
  const size_t size = VARSIZE_SHORT(plain) - VARHDRSZ_SHORT;
  auto* copy = reinterpret_cast<struct varlena*>(append->aligned[column->depth]);
  SET_VARSIZE(copy, size + VARHDRSZ);
  memcpy(VARDATA(copy), VARDATA_SHORT(plain), size);
  return copy;
}

bool AppendBoolValue(AppendContext*, Column* column, Datum value) {
  AppendBit(column, DatumGetBool(value));
  return true;
}

bool AppendCharValue(AppendContext*, Column* column, Datum value) {
  AppendScalar(column, static_cast<uint8_t>(DatumGetChar(value)));
  return true;
}

bool AppendInt16Value(AppendContext*, Column* column, Datum value) {
  AppendScalar(column, DatumGetInt16(value));
  return true;
}

bool AppendInt32Value(AppendContext*, Column* column, Datum value) {
  AppendScalar(column, DatumGetInt32(value));
  return true;
}

bool AppendInt64Value(AppendContext*, Column* column, Datum value) {
  AppendScalar(column, DatumGetInt64(value));
  return true;
}

bool AppendMoneyValue(AppendContext*, Column* column, Datum value) {
  AppendScalar(column, static_cast<__int128>(DatumGetInt64(value)));
  return true;
}

bool AppendDateValue(AppendContext*, Column* column, Datum value) {
  int32_t days;
  if (!pgtype::DateToDays(DatumGetDateADT(value), &days)) return false;
  AppendScalar(column, days);
  return true;
}

bool AppendTimestampValue(AppendContext*, Column* column, Datum value) {
  int64_t us;
  if (!pgtype::TimestampToUs(DatumGetTimestamp(value), &us)) return false;
  AppendScalar(column, us);
  return true;
}

bool AppendTimeValue(AppendContext*, Column* column, Datum value) {
  const int64_t us = DatumGetTimeADT(value);
  if (!pgtype::IsTimeOfDay(us)) return false;
  AppendScalar(column, us);
  return true;
}

bool AppendTimeTzValue(AppendContext*, Column* column, Datum value) {
  const TimeTzADT* const time = DatumGetTimeTzADTP(value);
  if (!pgtype::IsTimeOfDay(time->time)) return false;
  ReserveValue(column);
  AppendScalar(&column->children[0], static_cast<int64_t>(time->time));
  AppendScalar(&column->children[1], static_cast<int32_t>(-time->zone));  // PostgreSQL counts west of UTC
  ++column->length;
  return true;
}

bool AppendIntervalValue(AppendContext*, Column* column, Datum value) {
  struct MonthDayNano {
    int32_t months;
    int32_t days;
    int64_t nanoseconds;
  };
  const Interval* const interval = DatumGetIntervalP(value);
  MonthDayNano out{interval->month, interval->day, 0};
  if (!pgtype::IntervalToNs(interval->time, &out.nanoseconds)) return false;
  AppendScalar(column, out);
  return true;
}

bool AppendUuidValue(AppendContext*, Column* column, Datum value) {
  AppendFixed(column, DatumGetPointer(value));
  return true;
}

bool AppendByteaValue(AppendContext* append, Column* column, Datum value) {
  const Slice slice = OpenVarlena(value);
  return AppendBytes(append, column, slice.data, slice.size);
}

bool AppendTextValue(AppendContext* append, Column* column, Datum value) {
  const Slice slice = OpenVarlena(value);
  return AppendText(append, column, reinterpret_cast<const char*>(slice.data), slice.size);
}

bool AppendStoredTextValue(AppendContext* append, Column* column, Datum value) {
  const Slice slice = OpenVarlena(value);
  return AppendUntrustedText(append, column, reinterpret_cast<const char*>(slice.data), slice.size);
}

bool AppendNameValue(AppendContext* append, Column* column, Datum value) {
  const char* const name = NameStr(*DatumGetName(value));
  return AppendText(append, column, name, strnlen(name, NAMEDATALEN));
}

bool AppendJsonbValue(AppendContext* append, Column* column, Datum value) {
  auto* const jsonb = reinterpret_cast<Jsonb*>(AlignVarlena(append, column, value));
  if (append->text.mode == TextMode::kUtf8) {
    const size_t before = column->data.size;
    if (!JsonbToText(&jsonb->root, column->context, &column->data, kColumnBytesMax) ||
        column->data.size > kColumnBytesMax) {
      column->data.size = before;
      return false;
    }
    append->row_bytes += column->data.size - before;
    EndValue(column, static_cast<int64_t>(column->data.size));
    return true;
  }
  append->scratch.size = 0;
  return JsonbToText(&jsonb->root, append->context, &append->scratch, kColumnBytesMax) &&
         AppendText(append, column, reinterpret_cast<const char*>(append->scratch.data),
                    append->scratch.size);
}

bool AppendDecimalValue(AppendContext*, Column* column, Datum value) {
  NumericValue numeric;
  uint8_t integer[32];
  if (!ReadNumericDatum(value, &numeric)) return false;
  const bool fits = column->type == format::ArrowTypeId::kDecimal128
                        ? pgtype::NumericToDecimal128(numeric, column->precision, column->scale, integer)
                        : pgtype::NumericToDecimal256(numeric, column->precision, column->scale, integer);
  if (!fits) return false;
  AppendFixed(column, integer);
  return true;
}

bool AppendNumericTextValue(AppendContext* append, Column* column, Datum value) {
  NumericValue numeric;
  if (!ReadNumericDatum(value, &numeric)) return false;
  const size_t size = PrintNumeric(append, numeric);
  return AppendBytes(append, column, append->scratch.data, size);
}

bool AppendNumericDoubleValue(AppendContext* append, Column* column, Datum value) {
  NumericValue numeric;
  if (!ReadNumericDatum(value, &numeric)) return false;
  const size_t size = PrintNumeric(append, numeric);
  append->scratch.data[size] = '\0';
  const double number = strtod(reinterpret_cast<const char*>(append->scratch.data), nullptr);
  if (numeric.kind == NumericKind::kFinite && __builtin_isinf(number)) return false;
  AppendScalar(column, number);
  return true;
}

}  // namespace arrowcdc::plugin
