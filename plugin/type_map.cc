// PostgreSQL types to Arrow columns.
#include "plugin/type_map.h"

#include <iterator>

#include "pgtype/datetime.h"
#include "pgtype/type_table.h"
#include "plugin/appenders.h"
#include "plugin/text_output.h"

extern "C" {
#include "access/transam.h"
#include "utils/fmgroids.h"
}

namespace arrowcdc::plugin {

namespace {

using format::ArrowTypeId;
using pgtype::ArrowForm;
using pgtype::Kind;

// The server's headers agree with pgtype/datetime.h.
static_assert(DATEVAL_NOBEGIN == pgtype::kDateEarliest && DATEVAL_NOEND == pgtype::kDateLatest);
static_assert(DT_NOBEGIN == pgtype::kTimestampEarliest && DT_NOEND == pgtype::kTimestampLatest);
static_assert((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) == pgtype::kEpochDays);

int AskMoneyDigits(TypeMap* map) {
  if (map->money_digits < 0) map->money_digits = pgtype::MoneyScale(PGLC_localeconv()->frac_digits);
  return map->money_digits;
}

Column* NewChildren(MemoryContext context, Column* column, int32_t count) {
  column->children = static_cast<Column*>(MemoryContextAllocZero(context, sizeof(Column) * count));
  column->children_count = count;
  for (int32_t i = 0; i < count; ++i) column->children[i].context = column->context;
  return column->children;
}

Layout ChooseLayout(ArrowTypeId type) {
  switch (type) {
    case ArrowTypeId::kBool:
      return Layout::kBits;
    case ArrowTypeId::kUtf8:
    case ArrowTypeId::kBinary:
      return Layout::kVariable;
    case ArrowTypeId::kList:
      return Layout::kList;
    case ArrowTypeId::kStruct:
      return Layout::kStruct;
    default:
      return Layout::kFixed;
  }
}

// NOLINTNEXTLINE(readability-function-size): a table
AppendFunction ChooseAppendFunction(Kind kind, ArrowTypeId type) {
  switch (kind) {
    case Kind::kBool:
      return AppendBoolValue;
    case Kind::kChar:
      return AppendCharValue;
    case Kind::kInt16:
      return AppendInt16Value;
    case Kind::kInt32:
    case Kind::kUint32:
    case Kind::kFloat32:
      return AppendInt32Value;
    case Kind::kInt64:
    case Kind::kUint64:
    case Kind::kFloat64:
      return AppendInt64Value;
    case Kind::kNumeric:
      return type == ArrowTypeId::kUtf8      ? AppendNumericTextValue
             : type == ArrowTypeId::kFloat64 ? AppendNumericDoubleValue
                                             : AppendDecimalValue;
    case Kind::kMoney:
      return AppendMoneyValue;
    case Kind::kDate:
      return AppendDateValue;
    case Kind::kTime:
      return AppendTimeValue;
    case Kind::kTimeTz:
      return AppendTimeTzValue;
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return AppendTimestampValue;
    case Kind::kInterval:
      return AppendIntervalValue;
    case Kind::kUuid:
      return AppendUuidValue;
    case Kind::kBytea:
      return AppendByteaValue;
    case Kind::kText:
    case Kind::kJson:
      return AppendTextValue;
    case Kind::kName:
      return AppendNameValue;
    case Kind::kJsonb:
      return AppendJsonbValue;
    case Kind::kXml:
      return AppendXmlValue;
    case Kind::kEnum:
      return AppendEnumValue;
    case Kind::kStoredText:
      return AppendStoredTextValue;
    case Kind::kArray:
      return AppendArrayValue;
    case Kind::kOutput:
      return AppendOutputValue;
  }
  pg_unreachable();
}

// What pg_type says; all that is needed of it, copied.
struct TypeRow {
  bool found;
  pgtype::TypeFacts facts;
  Oid base;
  int32 base_typmod;
  Oid output;
  Oid element;
  bool by_value;
  char align;
};

// Whether it is the internal textout, perhaps by another name.
bool IsTextOut(Oid function) {
  if (function == F_TEXTOUT) return true;
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
  if (!HeapTupleIsValid(tuple)) return false;
  bool is_textout = false;
  if (reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->prolang == INTERNALlanguageId) {
    bool is_null = true;
    const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &is_null);
    if (!is_null) {
      const Slice name = OpenVarlena(source);
      is_textout = name.size == 7 && memcmp(name.data, "textout", 7) == 0;
    }
  }
  ReleaseSysCache(tuple);
  return is_textout;
}

TypeRow ReadType(TypeMap* map, Oid type) {
  TypeRow row{};
  row.facts.oid = type;
  const HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return row;
  const auto* form = reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple));
  row.found = true;
  row.facts.type = form->typtype;
  row.facts.length = form->typlen;
  row.facts.is_array = IsTrueArrayType(form);
  row.base = form->typbasetype;
  row.base_typmod = form->typtypmod;
  row.output = form->typoutput;
  row.element = form->typelem;
  row.by_value = form->typbyval;
  row.align = form->typalign;
  ReleaseSysCache(tuple);
  if (pgtype::ChooseKind(row.facts) == Kind::kOutput) row.facts.output_is_textout = IsTextOut(row.output);
  if (type >= FirstUnpinnedObjectId) WatchCatalogRow(map->marks, TYPEOID, type);
  return row;
}

// Follows domains to their base type; the last modifier on the way is the one in force.
TypeRow ResolveDomains(TypeMap* map, Oid* type, int32* typmod) {
  TypeRow row = ReadType(map, *type);
  while (row.found && row.facts.type == TYPTYPE_DOMAIN) {
    *type = row.base;
    *typmod = row.base_typmod;
    row = ReadType(map, *type);
  }
  return row;
}

void SetOutput(const TypeRow& row, MemoryContext context, Column* column) {
  const char type = row.facts.type;
  auto* output = static_cast<TextOutput*>(MemoryContextAllocZero(context, sizeof(TextOutput)));
  output->function = row.output;
  output->context = context;
  output->varlena = column->varlena;
  output->builtin = row.found && row.facts.oid < FirstUnpinnedObjectId &&
                    row.output < FirstUnpinnedObjectId &&
                    (type == TYPTYPE_BASE || type == TYPTYPE_RANGE || type == TYPTYPE_MULTIRANGE);
  column->output = output;
}

void SetForm(TypeMap* map, Kind kind, int32 typmod, Column* column) {
  const ArrowForm form =
      pgtype::ChooseForm(kind, typmod, map->numeric, kind == Kind::kMoney ? AskMoneyDigits(map) : 0);
  column->layout = ChooseLayout(form.type);
  column->type = form.type;
  column->width = form.width;
  column->precision = form.precision;
  column->scale = form.scale;
  column->utc = form.utc;
  column->extension = form.extension;
  column->append = ChooseAppendFunction(kind, form.type);
}

void SetTimeTzMembers(TypeMap* map, MemoryContext context, Column* column) {
  constexpr auto kCount = static_cast<int32_t>(std::size(pgtype::kTimeTzMembers));
  Column* const members = NewChildren(context, column, kCount);
  for (int32_t i = 0; i < kCount; ++i) SetForm(map, pgtype::kTimeTzMembers[i].kind, -1, &members[i]);
}

// False: the array has no list.
bool SetElements(TypeMap* map, Oid type, int32 typmod, MemoryContext context, Column* column) {
  const TypeRow element = ResolveDomains(map, &type, &typmod);
  if (!element.found || !pgtype::HasList(pgtype::ChooseKind(element.facts))) return false;
  PlanColumn(map, type, typmod, context, NewChildren(context, column, 1));
  column->element_length = element.facts.length;
  column->element_by_value = element.by_value;
  column->element_align = element.align;
  return true;
}

}  // namespace

void PlanColumn(TypeMap* map, Oid type, int32 typmod, MemoryContext context, Column* column) {
  const TypeRow row = ResolveDomains(map, &type, &typmod);
  Kind kind = pgtype::ChooseKind(row.facts);
  if (kind == Kind::kArray && !SetElements(map, row.element, typmod, context, column)) {
    kind = Kind::kOutput;
  }
  column->varlena = row.facts.length == -1;
  SetForm(map, kind, typmod, column);
  if (kind == Kind::kTimeTz) SetTimeTzMembers(map, context, column);
  if (kind == Kind::kOutput || kind == Kind::kXml) SetOutput(row, context, column);
}

}  // namespace arrowcdc::plugin
