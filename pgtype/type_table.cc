// The rows of the type table.
#include "pgtype/type_table.h"

#include <cstring>

namespace arrowcdc::pgtype {

namespace {

using format::ArrowTypeId;

// OIDs and names are those of pg_type.dat.
constexpr Type kTypes[] = {
    {16, "bool", Kind::kBool},
    {17, "bytea", Kind::kBytea},
    {18, "char", Kind::kChar},
    {19, "name", Kind::kName},
    {20, "int8", Kind::kInt64},
    {21, "int2", Kind::kInt16},
    // The vectors count from 0, so they would never be a list; their text is one word a value.
    {22, "int2vector", Kind::kOutput},
    {23, "int4", Kind::kInt32},
    {24, "regproc", Kind::kUint32},
    {25, "text", Kind::kText},
    {26, "oid", Kind::kUint32},
    {28, "xid", Kind::kUint32},
    {29, "cid", Kind::kUint32},
    {30, "oidvector", Kind::kOutput},
    {114, "json", Kind::kJson},
    {142, "xml", Kind::kXml},
    {700, "float4", Kind::kFloat32},
    {701, "float8", Kind::kFloat64},
    {790, "money", Kind::kMoney},
    {1042, "bpchar", Kind::kText},
    {1043, "varchar", Kind::kText},
    {1082, "date", Kind::kDate},
    {1083, "time", Kind::kTime},
    {1114, "timestamp", Kind::kTimestamp},
    {1184, "timestamptz", Kind::kTimestampTz},
    {1186, "interval", Kind::kInterval},
    {1266, "timetz", Kind::kTimeTz},
    {1700, "numeric", Kind::kNumeric},
    {2202, "regprocedure", Kind::kUint32},
    {2203, "regoper", Kind::kUint32},
    {2204, "regoperator", Kind::kUint32},
    {2205, "regclass", Kind::kUint32},
    {2206, "regtype", Kind::kUint32},
    {2950, "uuid", Kind::kUuid},
    {3220, "pg_lsn", Kind::kUint64},
    {3734, "regconfig", Kind::kUint32},
    {3769, "regdictionary", Kind::kUint32},
    {3802, "jsonb", Kind::kJsonb},
    {4089, "regnamespace", Kind::kUint32},
    {4096, "regrole", Kind::kUint32},
    {4191, "regcollation", Kind::kUint32},
    {5069, "xid8", Kind::kUint64},
};

constexpr ExtensionType kExtensionTypes[] = {
    {"hstore", "hstore", Kind::kHstore},        {"vector", "vector", Kind::kVector},
    {"halfvec", "vector", Kind::kHalfvec},      {"geometry", "postgis", Kind::kGeometry},
    {"geography", "postgis", Kind::kGeography},
};

struct KindRow {
  Kind kind;
  ArrowTypeId type;  // kNumeric: without a precision
  int32_t width;
  int32_t send_bytes;
  const char* extension;
};

// In the order of Kind.
constexpr KindRow kKinds[] = {
    {Kind::kBool, ArrowTypeId::kBool, 0, 1, nullptr},
    {Kind::kChar, ArrowTypeId::kUint8, 1, 1, nullptr},
    {Kind::kInt16, ArrowTypeId::kInt16, 2, 2, nullptr},
    {Kind::kInt32, ArrowTypeId::kInt32, 4, 4, nullptr},
    {Kind::kInt64, ArrowTypeId::kInt64, 8, 8, nullptr},
    {Kind::kUint32, ArrowTypeId::kUint32, 4, 4, nullptr},
    {Kind::kUint64, ArrowTypeId::kUint64, 8, 8, nullptr},
    {Kind::kFloat32, ArrowTypeId::kFloat32, 4, 4, nullptr},
    {Kind::kFloat64, ArrowTypeId::kFloat64, 8, 8, nullptr},
    {Kind::kNumeric, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kMoney, ArrowTypeId::kDecimal128, 16, 8, nullptr},
    {Kind::kDate, ArrowTypeId::kDate32, 4, 4, nullptr},
    {Kind::kTime, ArrowTypeId::kTime64Us, 8, 8, nullptr},
    {Kind::kTimeTz, ArrowTypeId::kStruct, 0, 12, nullptr},
    {Kind::kTimestamp, ArrowTypeId::kTimestampUs, 8, 8, nullptr},
    {Kind::kTimestampTz, ArrowTypeId::kTimestampUs, 8, 8, nullptr},
    {Kind::kInterval, ArrowTypeId::kMonthDayNano, 16, 16, nullptr},
    {Kind::kUuid, ArrowTypeId::kFixedSizeBinary, 16, 16, "arrow.uuid"},
    {Kind::kBytea, ArrowTypeId::kBinary, 0, 0, nullptr},
    {Kind::kText, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kName, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kJson, ArrowTypeId::kUtf8, 0, 0, "arrow.json"},
    {Kind::kJsonb, ArrowTypeId::kUtf8, 0, 0, "arrow.json"},
    {Kind::kXml, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kEnum, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kStoredText, ArrowTypeId::kUtf8, 0, 0, nullptr},
    {Kind::kArray, ArrowTypeId::kList, 0, 0, nullptr},
    {Kind::kRange, ArrowTypeId::kStruct, 0, 0, nullptr},
    {Kind::kMultirange, ArrowTypeId::kList, 0, 0, nullptr},
    {Kind::kComposite, ArrowTypeId::kStruct, 0, 0, nullptr},
    {Kind::kHstore, ArrowTypeId::kMap, 0, 0, nullptr},
    {Kind::kVector, ArrowTypeId::kList, 0, 0, nullptr},
    {Kind::kHalfvec, ArrowTypeId::kList, 0, 0, nullptr},
    {Kind::kGeometry, ArrowTypeId::kBinary, 0, 0, "geoarrow.wkb"},
    {Kind::kGeography, ArrowTypeId::kBinary, 0, 0, "geoarrow.wkb"},
    {Kind::kOutput, ArrowTypeId::kUtf8, 0, 0, nullptr},
};

constexpr bool IsInOrder() {
  uint8_t place = 0;
  for (const KindRow& row : kKinds) {
    if (row.kind != static_cast<Kind>(place++)) return false;
  }
  return place == static_cast<uint8_t>(Kind::kOutput) + 1;
}
static_assert(IsInOrder());

const KindRow& RowOf(Kind kind) { return kKinds[static_cast<uint8_t>(kind)]; }

void SetDecimal(int32_t precision, int32_t scale, ArrowForm* form) {
  const bool small = precision <= kDecimal128Digits;
  form->type = small ? ArrowTypeId::kDecimal128 : ArrowTypeId::kDecimal256;
  form->width = small ? 16 : 32;
  form->precision = precision;
  form->scale = scale;
}

// A modifier is precision << 16 | scale, the scale in eleven bits with a sign, and 4 more: as long as a
// varlena's header. Less than that: there is none. No server has one without digits, but bytes may.
void SetNumeric(int32_t modifier, const NumericChoice& choice, ArrowForm* form) {
  constexpr int32_t kHeaderBytes = 4;
  if (modifier >= kHeaderBytes) {
    const int32_t precision = ((modifier - kHeaderBytes) >> 16) & 0xffff;
    const int32_t scale = (((modifier - kHeaderBytes) & 0x7ff) ^ 1024) - 1024;
    if (precision >= 1 && precision <= kDecimal256Digits) SetDecimal(precision, scale, form);
  } else if (choice.as == NumericAs::kDouble) {
    form->type = ArrowTypeId::kFloat64;
    form->width = 8;
  } else if (choice.as == NumericAs::kDecimal) {
    SetDecimal(choice.precision, choice.scale, form);
  }
}

// Decimal digits only, at most 100; *text moves behind them.
bool TakeNumber(const char** text, int32_t* number) {
  const char* p = *text;
  *number = 0;
  for (; *p >= '0' && *p <= '9'; ++p) {
    if (*number < 100) *number = *number * 10 + (*p - '0');
  }
  const bool any = p != *text;
  *text = p;
  return any;
}

bool TakeWord(const char** text, const char* word) {
  const size_t size = strlen(word);
  if (strncmp(*text, word, size) != 0) return false;
  *text += size;
  return true;
}

}  // namespace

bool ParseNumericChoice(const char* text, NumericChoice* choice) {
  *choice = {NumericAs::kText, 0, 0};
  if (strcmp(text, "text") == 0) return true;
  if (strcmp(text, "double") == 0) {
    choice->as = NumericAs::kDouble;
    return true;
  }
  choice->as = NumericAs::kDecimal;
  return TakeWord(&text, "decimal(") && TakeNumber(&text, &choice->precision) && TakeWord(&text, ",") &&
         TakeNumber(&text, &choice->scale) && strcmp(text, ")") == 0 && choice->precision >= 1 &&
         choice->precision <= kDecimal256Digits && choice->scale <= choice->precision;
}

const Type* FindType(uint32_t oid) {
  for (const Type& known : kTypes) {
    if (known.oid == oid) return &known;
  }
  return nullptr;
}

const ExtensionType* FindExtensionType(const char* name) {
  for (const ExtensionType& known : kExtensionTypes) {
    if (strcmp(known.name, name) == 0) return &known;
  }
  return nullptr;
}

Kind ChooseKind(const TypeFacts& facts) {
  constexpr char kBase = 'b';
  constexpr char kComposite = 'c';
  constexpr char kEnum = 'e';
  constexpr char kMultirange = 'm';
  constexpr char kRange = 'r';
  constexpr int16_t kVarlena = -1;
  if (const Type* const known = FindType(facts.oid)) return known->kind;
  if (facts.is_array) return Kind::kArray;
  switch (facts.type) {
    case kEnum:
      return Kind::kEnum;
    case kRange:
      return Kind::kRange;
    case kMultirange:
      return Kind::kMultirange;
    case kComposite:
      return Kind::kComposite;
    default:
      break;
  }
  const bool is_text = facts.type == kBase && facts.length == kVarlena && facts.output_is_textout;
  return is_text ? Kind::kStoredText : Kind::kOutput;
}

int32_t SendBytes(Kind kind) { return RowOf(kind).send_bytes; }

ArrowForm ChooseForm(Kind kind, int32_t modifier, const NumericChoice& numeric, int32_t money_scale) {
  constexpr int32_t kMoneyDigits = 19;  // an int64
  const KindRow& row = RowOf(kind);
  ArrowForm form{row.type, row.width, 0, 0, 0, kind == Kind::kTimestampTz, row.extension};
  if (kind == Kind::kNumeric) SetNumeric(modifier, numeric, &form);
  // The modifier of a vector is its dimension, up to pgvector's own limit: each row, a null too, takes room
  // for all of it.
  constexpr int32_t kDimensionsMax = 16000;
  if ((kind == Kind::kVector || kind == Kind::kHalfvec) && modifier > 0 && modifier <= kDimensionsMax) {
    form.type = ArrowTypeId::kFixedSizeList;
    form.list_size = modifier;
  }
  if (kind == Kind::kMoney) SetDecimal(kMoneyDigits, money_scale, &form);
  return form;
}

bool IsNamed(uint32_t oid) {
  const Type* const known = FindType(oid);
  return known != nullptr && strncmp(known->name, "reg", 3) == 0;
}

bool AlwaysHasForm(Kind kind, uint32_t oid, const ArrowForm& form) {
  switch (kind) {
    case Kind::kNumeric:
      return form.type == ArrowTypeId::kUtf8;
    case Kind::kUint32:
      return !IsNamed(oid);
    case Kind::kVector:
    case Kind::kHalfvec:
      return form.type == ArrowTypeId::kList;
    case Kind::kDate:
    case Kind::kTime:
    case Kind::kTimeTz:
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
    case Kind::kInterval:
    case Kind::kArray:      // lists have one dimension
    case Kind::kComposite:  // it may be of another version of the row type
      return false;
    default:
      return true;
  }
}

int32_t MoneyScale(int frac_digits) { return frac_digits < 0 || frac_digits > 10 ? 2 : frac_digits; }

}  // namespace arrowcdc::pgtype
