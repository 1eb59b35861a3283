// The type table: which Arrow type a PostgreSQL type becomes (docs/types.md). It is the same for the plugin,
// which has values as the server keeps them, and for the client, which has the catalog's rows. Pure: libc
// only, no allocation, no state.
//
// Who reads values has one function a kind, for the form in which they come: the plugin for Datums
// (plugin/type_map.cc), a decoder of COPY or pgoutput for the binary form.
#pragma once

#include <cstdint>

#include "format/ipc_writer.h"

namespace arrowcdc::pgtype {

// What a type's values are. Types of one kind are read alike.
enum class Kind : uint8_t {
  kBool,
  kChar,  // "char": one byte
  kInt16,
  kInt32,
  kInt64,
  kUint32,  // oid and its kin
  kUint64,
  kFloat32,
  kFloat64,
  kNumeric,
  kMoney,
  kDate,
  kTime,
  kTimeTz,
  kTimestamp,
  kTimestampTz,
  kInterval,
  kUuid,
  kBytea,
  kText,
  kName,
  kJson,
  kJsonb,
  kXml,
  // Of types that are not in the table, by what pg_type says of them.
  kEnum,
  kStoredText,  // citext, refcursor: text with other operators, whose bytes nobody need have validated
  kArray,
  kRange,
  kMultirange,
  kComposite,
  // Of extensions: FindExtensionType.
  kHstore,
  kVector,
  kHalfvec,
  kGeometry,
  kGeography,
  kOutput,  // all others: the text of the type's output function
};

struct Type {
  uint32_t oid;
  const char* name;  // pg_type.typname
  Kind kind;
};

// The built-in types that have a row of their own; null: it has none.
const Type* FindType(uint32_t oid);

// Types of extensions have an OID of their own in every database: what tells them is their name, and that
// they are members of the extension. Null: no type of that name has a row.
struct ExtensionType {
  const char* name;
  const char* extension;
  Kind kind;
};
const ExtensionType* FindExtensionType(const char* name);

// What pg_type says of a type that is no domain: whoever asks has followed those to their base type.
struct TypeFacts {
  uint32_t oid;
  char type;               // typtype
  int16_t length;          // typlen
  bool is_array;           // typelem is set and typsubscript is array_subscript_handler
  bool output_is_textout;  // typoutput is internal code of that name, under whatever name
};

Kind ChooseKind(const TypeFacts& facts);

// Bytes of a value in the binary form (typsend); 0: they vary, or the type is not read in that form.
int32_t SendBytes(Kind kind);

inline constexpr int32_t kDecimal128Digits = 38;
inline constexpr int32_t kDecimal256Digits = 76;

// What `numeric` without a precision becomes.
enum class NumericAs : uint8_t { kText, kDouble, kDecimal };
struct NumericChoice {
  NumericAs as;
  int32_t precision;  // kDecimal, up to kDecimal256Digits
  int32_t scale;
};
// "text", "double" or "decimal(P,S)" with 1 <= P <= 76 and 0 <= S <= P. False: the text is none of these.
bool ParseNumericChoice(const char* text, NumericChoice* choice);

// An Arrow type, and how its values lie in the buffers.
struct ArrowForm {
  format::ArrowTypeId type;
  int32_t width;      // bytes of a value where all have the same; 0: bits, variable length, or children
  int32_t list_size;  // kFixedSizeList
  int32_t precision;  // decimals
  int32_t scale;
  bool utc;               // timestamps
  const char* extension;  // Arrow extension type, or null
};

// `modifier` is the column's atttypmod, or that of the domain; money_scale is asked for kMoney only.
ArrowForm ChooseForm(Kind kind, int32_t modifier, const NumericChoice& numeric, int32_t money_scale);

// The reg types: numbers, whose output text is the name of what they stand for.
bool IsNamed(uint32_t oid);

// Whether every value of the type has a place in its Arrow form, whichever plugin sends it (the reg types
// come from pgoutput as names). Of ranges and multiranges it is to be asked of their bounds.
bool AlwaysHasForm(Kind kind, uint32_t oid, const ArrowForm& form);

// lc_monetary's frac_digits as money's output function takes them.
int32_t MoneyScale(int frac_digits);

// What a struct consists of, and the name of a list's child.
struct Member {
  const char* name;
  Kind kind;
};
inline constexpr Member kTimeTzMembers[] = {{"time", Kind::kTime}, {"offset_s", Kind::kInt32}};
inline constexpr const char* kListMember = "item";
inline constexpr const char* kMapEntries = "entries";
inline constexpr const char* kMapMembers[] = {"key", "value"};
// A bound that is infinite, or of an empty range, is null and not inclusive.
inline constexpr const char* kRangeMembers[] = {"lower", "upper", "lower_inc", "upper_inc", "empty"};

// What is nested deeper, or what is found in a column behind so many types, is text by its output function:
// types that consist of types can multiply without end. Arrow's readers take 64 levels, and one of these can
// be two of theirs, the last one three.
inline constexpr int kNestingMax = 30;
inline constexpr int kTypesMax = 2000;

}  // namespace arrowcdc::pgtype
