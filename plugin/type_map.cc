// PostgreSQL types to Arrow columns.
#include "plugin/type_map.h"

#include "plugin/appenders.h"
#include "plugin/cache_invalidation.h"
#include "plugin/text_output.h"

extern "C" {
#include "access/transam.h"
#include "catalog/pg_type_d.h"
#include "utils/fmgroids.h"
}

namespace arrowcdc::plugin {

namespace {

using format::ArrowTypeId;

struct FixedType {
  Oid oid;
  ArrowTypeId type;
  int32_t width;
  AppendFunction append;
};

// Types whose column is fixed by the type alone.
constexpr FixedType kFixedTypes[] = {
    {INT2OID, ArrowTypeId::kInt16, 2, AppendInt16Value},
    {INT4OID, ArrowTypeId::kInt32, 4, AppendInt32Value},
    {INT8OID, ArrowTypeId::kInt64, 8, AppendInt64Value},
    {FLOAT4OID, ArrowTypeId::kFloat32, 4, AppendInt32Value},
    {FLOAT8OID, ArrowTypeId::kFloat64, 8, AppendInt64Value},
    {CHAROID, ArrowTypeId::kUint8, 1, AppendCharValue},
    {OIDOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {XIDOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {CIDOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGPROCOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGPROCEDUREOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGOPEROID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGOPERATOROID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGCLASSOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGCOLLATIONOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGTYPEOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGCONFIGOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGDICTIONARYOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGNAMESPACEOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {REGROLEOID, ArrowTypeId::kUint32, 4, AppendInt32Value},
    {XID8OID, ArrowTypeId::kUint64, 8, AppendInt64Value},
    {PG_LSNOID, ArrowTypeId::kUint64, 8, AppendInt64Value},
    {DATEOID, ArrowTypeId::kDate32, 4, AppendDateValue},
    {TIMEOID, ArrowTypeId::kTime64Us, 8, AppendTimeValue},
    {TIMESTAMPOID, ArrowTypeId::kTimestampUs, 8, AppendTimestampValue},
    {TIMESTAMPTZOID, ArrowTypeId::kTimestampUs, 8, AppendTimestampValue},
    {INTERVALOID, ArrowTypeId::kMonthDayNano, 16, AppendIntervalValue},
    {UUIDOID, ArrowTypeId::kFixedSizeBinary, 16, AppendUuidValue},
};

void SetFixed(Column* column, ArrowTypeId type, int32_t width, AppendFunction append) {
  column->layout = Layout::kFixed;
  column->type = type;
  column->width = width;
  column->append = append;
}

void SetVariable(Column* column, ArrowTypeId type, AppendFunction append) {
  column->layout = Layout::kVariable;
  column->type = type;
  column->append = append;
}

void SetDecimal(Column* column, int32_t precision, int32_t scale) {
  const bool small = precision <= 38;
  SetFixed(column, small ? ArrowTypeId::kDecimal128 : ArrowTypeId::kDecimal256, small ? 16 : 32,
           AppendDecimalValue);
  column->precision = precision;
  column->scale = scale;
}

void SetNumeric(const Options& options, int32 typmod, Column* column) {
  if (typmod >= static_cast<int32>(VARHDRSZ)) {
    const int32_t modifier = typmod - static_cast<int32>(VARHDRSZ);
    const int32_t precision = (modifier >> 16) & 0xffff;
    const int32_t scale = ((modifier & 0x7ff) ^ 1024) - 1024;  // eleven bits with a sign
    if (precision <= 76) {
      SetDecimal(column, precision, scale);
      return;
    }
  } else if (options.numeric_as == NumericAs::kDouble) {
    SetFixed(column, ArrowTypeId::kFloat64, 8, AppendNumericDoubleValue);
    return;
  } else if (options.numeric_as == NumericAs::kDecimal) {
    SetDecimal(column, options.numeric_precision, options.numeric_scale);
    return;
  }
  SetVariable(column, ArrowTypeId::kUtf8, AppendNumericTextValue);
}

int MoneyDigits(Session* session) {
  if (session->money_digits < 0) {
    const int digits = PGLC_localeconv()->frac_digits;
    session->money_digits = digits < 0 || digits > 10 ? 2 : digits;  // as cash_out
  }
  return session->money_digits;
}

Column* NewChildren(MemoryContext context, Column* column, int32_t count) {
  column->children = static_cast<Column*>(MemoryContextAllocZero(context, sizeof(Column) * count));
  column->children_count = count;
  for (int32_t i = 0; i < count; ++i) column->children[i].context = column->context;
  return column->children;
}

void SetTimeTz(MemoryContext context, Column* column) {
  column->layout = Layout::kStruct;
  column->type = ArrowTypeId::kStruct;
  column->append = AppendTimeTzValue;
  Column* const children = NewChildren(context, column, 2);
  SetFixed(&children[0], ArrowTypeId::kTime64Us, 8, AppendTimeValue);
  SetFixed(&children[1], ArrowTypeId::kInt32, 4, AppendInt32Value);
}

// What pg_type says; all that is needed of it, copied.
struct TypeRow {
  bool found;
  char kind;
  Oid base;
  int32 base_typmod;
  Oid output;
  Oid element;
  bool is_array;
  int16 length;
  bool by_value;
  char align;
};

TypeRow ReadType(Session* session, Oid type) {
  TypeRow row{};
  const HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return row;
  const auto* form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
  row.found = true;
  row.kind = form->typtype;
  row.base = form->typbasetype;
  row.base_typmod = form->typtypmod;
  row.output = form->typoutput;
  row.element = form->typelem;
  row.is_array = IsTrueArrayType(form);
  row.length = form->typlen;
  row.by_value = form->typbyval;
  row.align = form->typalign;
  ReleaseSysCache(tuple);
  if (type >= FirstUnpinnedObjectId) WatchCatalogRow(session, TYPEOID, type);
  return row;
}

// Follows domains to their base type; the last modifier on the way is the one in force.
TypeRow ResolveDomains(Session* session, Oid* type, int32* typmod) {
  TypeRow row = ReadType(session, *type);
  while (row.found && row.kind == TYPTYPE_DOMAIN) {
    *type = row.base;
    *typmod = row.base_typmod;
    row = ReadType(session, *type);
  }
  return row;
}

// citext and its like: text with other operators, whose output function is the internal textout by another
// name.
bool IsStoredText(const TypeRow& row) {
  if (row.length != -1) return false;
  if (row.output == F_TEXTOUT) return true;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(row.output));
  if (!HeapTupleIsValid(tuple)) return false;
  bool stored = false;
  if (reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang == INTERNALlanguageId) {
    bool is_null = true;
    const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    if (!is_null) {
      const Slice name = OpenVarlena(source);
      stored = name.size == 7 && memcmp(name.data, "textout", 7) == 0;
    }
  }
  ReleaseSysCache(tuple);
  return stored;
}

void SetOutput(Oid type, const TypeRow& row, MemoryContext context, Column* column, AppendFunction append) {
  auto* output = static_cast<TextOutput*>(MemoryContextAllocZero(context, sizeof(TextOutput)));
  output->function = row.output;
  output->context = context;
  output->varlena = row.length == -1;
  output->builtin = row.found && type < FirstUnpinnedObjectId && row.output < FirstUnpinnedObjectId &&
                    (row.kind == TYPTYPE_BASE || row.kind == TYPTYPE_RANGE || row.kind == TYPTYPE_MULTIRANGE);
  column->output = output;
  SetVariable(column, ArrowTypeId::kUtf8, append);
}

bool SetKnownBaseType(Session* session, Oid type, int32 typmod, MemoryContext context, Column* column) {
  for (const FixedType& known : kFixedTypes) {
    if (known.oid != type) continue;
    SetFixed(column, known.type, known.width, known.append);
    column->utc = type == TIMESTAMPTZOID;
    column->extension = type == UUIDOID ? "arrow.uuid" : nullptr;
    return true;
  }
  switch (type) {
    case BOOLOID:
      column->layout = Layout::kBits;
      column->type = ArrowTypeId::kBool;
      column->append = AppendBoolValue;
      return true;
    case NUMERICOID:
      SetNumeric(session->options, typmod, column);
      return true;
    case CASHOID:
      SetFixed(column, ArrowTypeId::kDecimal128, 16, AppendMoneyValue);
      column->precision = 19;
      column->scale = MoneyDigits(session);
      return true;
    case TIMETZOID:
      SetTimeTz(context, column);
      return true;
    case TEXTOID:
    case VARCHAROID:
    case BPCHAROID:
      SetVariable(column, ArrowTypeId::kUtf8, AppendTextValue);
      return true;
    case NAMEOID:
      SetVariable(column, ArrowTypeId::kUtf8, AppendNameValue);
      return true;
    case BYTEAOID:
      SetVariable(column, ArrowTypeId::kBinary, AppendByteaValue);
      return true;
    case JSONOID:
      SetVariable(column, ArrowTypeId::kUtf8, AppendTextValue);
      column->extension = "arrow.json";
      return true;
    case JSONBOID:
      SetVariable(column, ArrowTypeId::kUtf8, AppendJsonbValue);
      column->extension = "arrow.json";
      return true;
    default:
      return false;
  }
}

// A list of a mapped element type. False: the element goes by its output function, so the array does as a
// whole.
bool SetArray(Session* session, const TypeRow& array, int32 typmod, MemoryContext context, Column* column) {
  Oid element_type = array.element;
  int32 element_typmod = typmod;
  const TypeRow element = ResolveDomains(session, &element_type, &element_typmod);
  if (!element.found || element.is_array) return false;
  Column* const child = NewChildren(context, column, 1);
  PlanColumn(session, element_type, element_typmod, context, child);
  if (child->output != nullptr && element_type != XMLOID && element.kind != TYPTYPE_ENUM) {
    column->children = nullptr;
    column->children_count = 0;
    return false;
  }
  column->layout = Layout::kList;
  column->type = ArrowTypeId::kList;
  column->append = AppendArrayValue;
  column->element_length = element.length;
  column->element_by_value = element.by_value;
  column->element_align = element.align;
  return true;
}

}  // namespace

void PlanColumn(Session* session, Oid type, int32 typmod, MemoryContext context, Column* column) {
  const TypeRow row = ResolveDomains(session, &type, &typmod);
  column->varlena = row.length == -1;
  if (SetKnownBaseType(session, type, typmod, context, column)) return;
  // The vectors count from 0, so they would never be a list; their text is one word a value.
  const bool is_vector = type == INT2VECTOROID || type == OIDVECTOROID;
  if (row.is_array && !is_vector && SetArray(session, row, typmod, context, column)) return;
  if (type == XMLOID) {
    SetOutput(type, row, context, column, AppendXmlValue);
  } else if (row.found && row.kind == TYPTYPE_ENUM) {
    SetOutput(type, row, context, column, AppendEnumValue);
    column->output->function = InvalidOid;
  } else if (row.found && row.kind == TYPTYPE_BASE && IsStoredText(row)) {
    SetVariable(column, ArrowTypeId::kUtf8, AppendStoredTextValue);
  } else {
    SetOutput(type, row, context, column, AppendOutputValue);
  }
}

}  // namespace arrowcdc::plugin
