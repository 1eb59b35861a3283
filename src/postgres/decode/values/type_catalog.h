// What the type table has to know of a type that is not built in: the catalog's rows, asked for by OID. A
// source answers by SQL, ahead or when asked; no I/O of its own here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc {

enum class TypeKind : char {  // pg_type.typtype
  kBase = 'b',
  kComposite = 'c',
  kDomain = 'd',
  kEnum = 'e',
  kMultirange = 'm',
  kPseudo = 'p',
  kRange = 'r',
};

// A column of a table, or an attribute of a composite type.
struct Attribute {
  std::string name = {};  // UTF-8; what has no such form is escaped (docs/types.md, "Names")
  uint32_t type = 0;
  int32_t typmod = -1;
  int16_t attnum = 0;  // 0: not known
};

// One row of pg_type, and what belongs to it.
struct TypeDescription {
  uint32_t oid = 0;
  std::string name = {};  // typname, UTF-8 as of an attribute
  TypeKind kind = TypeKind::kBase;
  int16_t length = -1;         // typlen
  std::string extension = {};  // that it is a member of, or empty
  // Arrays: typelem, where typsubscript is array_subscript_handler; otherwise 0. The vectors of the catalog
  // (int2vector, oidvector) are none.
  uint32_t element = 0;
  char delimiter = ',';                    // typdelim, of an array's element type
  uint32_t base = 0;                       // domains: typbasetype, with
  int32_t base_typmod = -1;                // typtypmod
  std::vector<Attribute> attributes = {};  // composites: those that are not dropped, in order
  uint32_t subtype = 0;                    // ranges: rngsubtype; multiranges: the range type
  bool output_is_textout = false;          // typoutput is internal code of that name, under whatever name
  bool has_send = true;                    // typsend is set
  bool send_is_textsend = false;           // and internal code of that name
};

class TypeCatalog {
 public:
  virtual ~TypeCatalog() = default;

  // nullopt: there is no such type (any more). Errors: what asking gave.
  virtual arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) = 0;

  // frac_digits of the database's lc_monetary as money's output function takes them: 0 to 10.
  virtual arrow::Result<int> MoneyDigits() = 0;
};

}  // namespace arrowcdc
