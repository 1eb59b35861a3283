// PostgreSQL types to Arrow columns.
#include "plugin/type_map.h"

#include <iterator>

#include "pgtype/datetime.h"
#include "pgtype/ewkb.h"
#include "pgtype/type_table.h"
#include "plugin/appenders.h"
#include "plugin/nested_appenders.h"
#include "plugin/text_output.h"

extern "C" {
#include "access/transam.h"
#include "catalog/dependency.h"
#include "catalog/pg_range.h"
#include "commands/extension.h"
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
  for (int32_t i = 0; i < count; ++i) {
    column->children[i].context = column->context;
    column->children[i].depth = static_cast<uint8_t>(column->depth + 1);
  }
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
    case ArrowTypeId::kMap:
      return Layout::kList;
    case ArrowTypeId::kFixedSizeList:
      return Layout::kFixedSizeList;
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
    case Kind::kRange:
      return AppendRangeValue;
    case Kind::kMultirange:
      return AppendMultirangeValue;
    case Kind::kComposite:
      return AppendCompositeValue;
    case Kind::kHstore:
      return AppendHstoreValue;
    case Kind::kVector:
      return AppendVectorValue;
    case Kind::kHalfvec:
      return AppendHalfvecValue;
    case Kind::kGeometry:
    case Kind::kGeography:
      return AppendGeometryValue;
    case Kind::kOutput:
      return AppendOutputValue;
  }
  pg_unreachable();
}

// What pg_type says; all that is needed of it, copied.
struct TypeRow {
  bool found;
  pgtype::TypeFacts facts;
  pgtype::Kind kind;
  Oid base;
  int32 base_typmod;
  Oid output;
  Oid send;  // invalid: it has none
  Oid element;
  Oid relation;  // composites: whose attributes are theirs
  bool by_value;
  char align;
};

// One column that is being planned.
struct Planning {
  TypeMap* map;
  MemoryContext context;
  int types_left;
  bool always_has_form;  // all that was planned of it
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

bool IsMember(Oid type, const char* extension) {
  const Oid owner = getExtensionOfObject(TypeRelationId, type);
  const char* const name = OidIsValid(owner) ? get_extension_name(owner) : nullptr;
  return name != nullptr && strcmp(name, extension) == 0;
}

TypeRow ReadType(TypeMap* map, Oid type) {
  TypeRow row{};
  row.facts.oid = type;
  row.kind = Kind::kOutput;
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
  row.send = form->typsend;
  row.element = form->typelem;
  row.relation = form->typrelid;
  row.by_value = form->typbyval;
  row.align = form->typalign;
  const pgtype::ExtensionType* const namesake = pgtype::FindExtensionType(NameStr(form->typname));
  ReleaseSysCache(tuple);
  if (pgtype::ChooseKind(row.facts) == Kind::kOutput) row.facts.output_is_textout = IsTextOut(row.output);
  row.kind = pgtype::ChooseKind(row.facts);
  if (row.kind == Kind::kOutput && namesake != nullptr && IsMember(type, namesake->extension)) {
    row.kind = namesake->kind;
  }
  if (type >= FirstUnpinnedObjectId) WatchCatalogRow(map->marks, TYPEOID, type);
  return row;
}

// Follows domains to their base type; the last modifier on the way is the one in force.
TypeRow ResolveDomains(Planning* plan, Oid* type, int32* typmod) {
  TypeRow row = ReadType(plan->map, *type);
  --plan->types_left;
  while (row.found && row.facts.type == TYPTYPE_DOMAIN) {
    *type = row.base;
    *typmod = row.base_typmod;
    row = ReadType(plan->map, *type);
    --plan->types_left;
  }
  return row;
}

// Names of what the reg types stand for are looked up in the catalog: as much can go wrong as with a user's
// function.
bool LooksUpNames(const TypeRow& row) {
  return pgtype::IsNamed(row.facts.oid) || pgtype::IsNamed(row.element);
}

void SetOutput(const TypeRow& row, MemoryContext context, Column* column) {
  const char type = row.facts.type;
  auto* output = static_cast<TextOutput*>(MemoryContextAllocZero(context, sizeof(TextOutput)));
  output->function = row.output;
  output->context = context;
  output->varlena = column->varlena;
  output->builtin = row.found && row.facts.oid < FirstUnpinnedObjectId &&
                    row.output < FirstUnpinnedObjectId && !LooksUpNames(row) &&
                    (type == TYPTYPE_BASE || type == TYPTYPE_RANGE || type == TYPTYPE_MULTIRANGE);
  column->output = output;
}

// PostGIS's own send function reads its values, whatever version of their layout they are in.
void SetGeometry(const TypeRow& row, Kind kind, int32 typmod, MemoryContext context, Column* column) {
  auto* send = static_cast<TextOutput*>(MemoryContextAllocZero(context, sizeof(TextOutput)));
  send->function = row.send;
  send->binary = true;
  send->context = context;
  column->output = send;
  column->srid = pgtype::GeometrySrid(typmod);
  char metadata[pgtype::kGeometryMetadataBytes];
  pgtype::WriteGeometryMetadata(column->srid, kind == Kind::kGeography, metadata);
  column->extension_metadata = MemoryContextStrdup(context, metadata);
}

void SetForm(TypeMap* map, Kind kind, int32 typmod, Column* column) {
  const ArrowForm form =
      pgtype::ChooseForm(kind, typmod, map->numeric, kind == Kind::kMoney ? AskMoneyDigits(map) : 0);
  column->layout = ChooseLayout(form.type);
  column->type = form.type;
  column->width = form.width;
  column->list_size = form.list_size;
  column->precision = form.precision;
  column->scale = form.scale;
  column->utc = form.utc;
  column->extension = form.extension;
  column->extension_metadata = "";
  column->append = ChooseAppendFunction(kind, form.type);
}

void SetTimeTzMembers(Planning* plan, Column* column) {
  constexpr auto kCount = static_cast<int32_t>(std::size(pgtype::kTimeTzMembers));
  Column* const members = NewChildren(plan->context, column, kCount);
  for (int32_t i = 0; i < kCount; ++i) {
    SetForm(plan->map, pgtype::kTimeTzMembers[i].kind, -1, &members[i]);
    members[i].name = pgtype::kTimeTzMembers[i].name;
  }
}

// False: there is no such type (any more), the column is text.
bool PlanType(Planning* plan, Oid type, int32 typmod, Column* column);

bool PlanElements(Planning* plan, Oid type, int32 typmod, Column* column) {
  Column* const element = NewChildren(plan->context, column, 1);
  element->name = pgtype::kListMember;
  return PlanType(plan, type, typmod, element);
}

// Another column of the same kind, empty as the first is.
void CopyColumn(MemoryContext context, const Column& from, Column* to) {
  *to = from;
  if (from.children_count == 0) return;
  NewChildren(context, to, from.children_count);
  for (int32_t i = 0; i < from.children_count; ++i) CopyColumn(context, from.children[i], &to->children[i]);
}

void PlanBounds(Planning* plan, Oid subtype, Column* range) {
  constexpr auto kCount = static_cast<int32_t>(std::size(pgtype::kRangeMembers));
  Column* const members = NewChildren(plan->context, range, kCount);
  PlanType(plan, subtype, -1, &members[0]);
  CopyColumn(plan->context, members[0], &members[1]);
  for (int32_t i = 2; i < kCount; ++i) SetForm(plan->map, Kind::kBool, -1, &members[i]);
  for (int32_t i = 0; i < kCount; ++i) members[i].name = pgtype::kRangeMembers[i];
}

// The type of a range's bounds; `cache` says by which of its keys pg_range is asked.
Oid FindSubtype(int cache, Oid type) {
  const HeapTuple tuple = SearchSysCache1(cache, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) return InvalidOid;
  const Oid subtype = reinterpret_cast<Form_pg_range>(GETSTRUCT(tuple))->rngsubtype;
  ReleaseSysCache(tuple);
  return subtype;
}

bool PlanRange(Planning* plan, Oid type, Column* column) {
  const Oid subtype = FindSubtype(RANGETYPE, type);
  if (!OidIsValid(subtype)) return false;
  PlanBounds(plan, subtype, column);
  return true;
}

bool PlanMultirange(Planning* plan, Oid type, Column* column) {
  const Oid subtype = FindSubtype(RANGEMULTIRANGE, type);
  if (!OidIsValid(subtype)) return false;
  Column* const range = NewChildren(plan->context, column, 1);
  range->name = pgtype::kListMember;
  SetForm(plan->map, Kind::kRange, -1, range);
  PlanBounds(plan, subtype, range);
  return true;
}

RowType* NewRowType(MemoryContext context, Oid type, TupleDesc tupdesc) {
  const MemoryContext previous = MemoryContextSwitchTo(context);
  const size_t count = static_cast<size_t>(tupdesc->natts);
  auto* row_type = static_cast<RowType*>(palloc0(sizeof(RowType)));
  row_type->type = type;
  row_type->tupdesc = CreateTupleDescCopyConstr(tupdesc);
  row_type->attnums = static_cast<int16*>(palloc0(sizeof(int16) * count));
  row_type->values = static_cast<Datum*>(palloc0(sizeof(Datum) * count));
  row_type->nulls = static_cast<bool*>(palloc0(sizeof(bool) * count));
  MemoryContextSwitchTo(previous);
  return row_type;
}

bool PlanComposite(Planning* plan, const TypeRow& row, Column* column) {
  WatchRelation(plan->map->marks, row.relation);
  const Relation relation = RelationIdGetRelation(row.relation);
  if (!RelationIsValid(relation)) return false;
  column->row_type = NewRowType(plan->context, row.facts.oid, RelationGetDescr(relation));
  RelationClose(relation);

  const TupleDesc tupdesc = column->row_type->tupdesc;
  int32_t count = 0;
  for (int i = 0; i < tupdesc->natts; ++i) {
    if (!TupleDescAttr(tupdesc, i)->attisdropped)
      column->row_type->attnums[count++] = static_cast<int16>(i + 1);
  }
  if (count == 0) return true;
  Column* const children = NewChildren(plan->context, column, count);
  for (int32_t i = 0; i < count; ++i) {
    const Form_pg_attribute attribute = TupleDescAttr(tupdesc, column->row_type->attnums[i] - 1);
    PlanType(plan, attribute->atttypid, attribute->atttypmod, &children[i]);
    children[i].name =
        MemoryContextStrdup(plan->context, ConvertName(plan->map->text, NameStr(attribute->attname)));
    children[i].attnum = attribute->attnum;
  }
  return true;
}

void PlanPairs(Planning* plan, Column* column) {
  Column* const entries = NewChildren(plan->context, column, 1);
  entries->layout = Layout::kStruct;
  entries->type = ArrowTypeId::kStruct;
  entries->name = pgtype::kMapEntries;
  Column* const members = NewChildren(plan->context, entries, 2);
  for (int32_t i = 0; i < 2; ++i) {
    SetForm(plan->map, Kind::kText, -1, &members[i]);
    members[i].name = pgtype::kMapMembers[i];
  }
  entries->required = members[0].required = true;
}

void PlanVector(Planning* plan, Column* column) {
  Column* const element = NewChildren(plan->context, column, 1);
  element->name = pgtype::kListMember;
  SetForm(plan->map, Kind::kFloat32, -1, element);
}

// What the column's children are, where its kind has some. False: the catalog has not all of it.
bool PlanChildren(Planning* plan, Kind kind, const TypeRow& row, int32 typmod, Column* column) {
  switch (kind) {
    case Kind::kTimeTz:
      SetTimeTzMembers(plan, column);
      return true;
    case Kind::kArray:
      return PlanElements(plan, row.element, typmod, column);
    case Kind::kRange:
      return PlanRange(plan, row.facts.oid, column);
    case Kind::kMultirange:
      return PlanMultirange(plan, row.facts.oid, column);
    case Kind::kComposite:
      return PlanComposite(plan, row, column);
    case Kind::kHstore:
      PlanPairs(plan, column);
      return true;
    case Kind::kVector:
    case Kind::kHalfvec:
      PlanVector(plan, column);
      return true;
    default:
      return true;
  }
}

// How a value lies within another, and what it becomes.
void SetKind(Planning* plan, const TypeRow& row, Kind kind, int32 typmod, Column* column) {
  column->varlena = row.facts.length == -1;
  column->typlen = row.facts.length;
  column->typbyval = row.by_value;
  column->typalign = row.align;
  SetForm(plan->map, kind, typmod, column);
  if (kind == Kind::kOutput || kind == Kind::kXml) SetOutput(row, plan->context, column);
  if (kind == Kind::kGeometry || kind == Kind::kGeography) {
    SetGeometry(row, kind, typmod, plan->context, column);
  }
}

bool PlanType(Planning* plan, Oid type, int32 typmod, Column* column) {
  const TypeRow row = ResolveDomains(plan, &type, &typmod);
  const bool too_much = column->depth > pgtype::kNestingMax || plan->types_left < 0;
  Kind kind = too_much ? Kind::kOutput : row.kind;
  if (!PlanChildren(plan, kind, row, typmod, column)) {
    kind = Kind::kOutput;
    column->children = nullptr;
    column->children_count = 0;
  }
  SetKind(plan, row, kind, typmod, column);
  const ArrowForm form = pgtype::ChooseForm(kind, typmod, plan->map->numeric, 0);
  plan->always_has_form = plan->always_has_form && pgtype::AlwaysHasForm(kind, row.facts.oid, form);
  return row.found;
}

void PlanAsText(Planning* plan, Oid type, int32 typmod, Column* column) {
  const TypeRow row = ResolveDomains(plan, &type, &typmod);
  column->children = nullptr;
  column->children_count = 0;
  column->row_type = nullptr;
  SetKind(plan, row, Kind::kOutput, typmod, column);
}

}  // namespace

void PlanColumn(TypeMap* map, Oid type, int32 typmod, MemoryContext context, Column* column) {
  Planning plan{map, context, pgtype::kTypesMax, true};
  PlanType(&plan, type, typmod, column);
  if (map->unrepresentable_as_text && !plan.always_has_form) PlanAsText(&plan, type, typmod, column);
}

}  // namespace arrowcdc::plugin
