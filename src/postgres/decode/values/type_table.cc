// pgtype says what a built-in type is; here is what its values are read by, and what the types are that are
// made of others.
#include "src/postgres/decode/values/type_table.h"

#include <string>
#include <utility>

#include <arrow/extension/json.h>
#include <arrow/extension/uuid.h>
#include <arrow/util/utf8.h>

#include "pgtype/ewkb.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/values/readers.h"

namespace arrowcdc {
namespace {

using format::ArrowTypeId;
using pgtype::ArrowForm;
using pgtype::Kind;

constexpr char kExtensionName[] = "ARROW:extension:name";
constexpr char kExtensionMetadata[] = "ARROW:extension:metadata";

// Types whose column is their output text, which is not what they are in the binary form.
struct OutputType {
  uint32_t oid;
  ReaderPointer (*make_reader)();
};
constexpr OutputType kOutputTypes[] = {
    {22, MakeInt2VectorReader},
    {27, MakeTidReader},
    {30, MakeOidVectorReader},
    {650, MakeInetReader},  // cidr
    {774, [] { return MakeMacaddrReader(8); }},
    {829, [] { return MakeMacaddrReader(6); }},
    {869, MakeInetReader},
    {1560, MakeBitReader},
    {1562, MakeBitReader},  // varbit
    {3614, MakeTsvectorReader},
    {4072, MakeVersionedTextReader},  // jsonpath
};

std::shared_ptr<arrow::DataType> ArrowType(const ArrowForm& form) {
  switch (form.type) {
    case ArrowTypeId::kBool:
      return arrow::boolean();
    case ArrowTypeId::kUint8:
      return arrow::uint8();
    case ArrowTypeId::kInt16:
      return arrow::int16();
    case ArrowTypeId::kInt32:
      return arrow::int32();
    case ArrowTypeId::kInt64:
      return arrow::int64();
    case ArrowTypeId::kUint32:
      return arrow::uint32();
    case ArrowTypeId::kUint64:
      return arrow::uint64();
    case ArrowTypeId::kFloat32:
      return arrow::float32();
    case ArrowTypeId::kFloat64:
      return arrow::float64();
    case ArrowTypeId::kDecimal128:
      return arrow::decimal128(form.precision, form.scale);
    case ArrowTypeId::kDecimal256:
      return arrow::decimal256(form.precision, form.scale);
    case ArrowTypeId::kBinary:
      return arrow::binary();
    case ArrowTypeId::kDate32:
      return arrow::date32();
    case ArrowTypeId::kTime64Us:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case ArrowTypeId::kTimestampUs:
      return arrow::timestamp(arrow::TimeUnit::MICRO, form.utc ? "UTC" : "");
    case ArrowTypeId::kMonthDayNano:
      return arrow::month_day_nano_interval();
    case ArrowTypeId::kList:
    case ArrowTypeId::kFixedSizeList: {  // vectors
      const auto element = arrow::field(pgtype::kListMember, arrow::float32());
      return form.list_size > 0 ? arrow::fixed_size_list(element, form.list_size) : arrow::list(element);
    }
    case ArrowTypeId::kMap:
      return arrow::map(arrow::utf8(), arrow::utf8());
    case ArrowTypeId::kFixedSizeBinary:
      return form.extension != nullptr ? arrow::extension::uuid() : arrow::fixed_size_binary(form.width);
    default:
      return form.extension != nullptr ? arrow::extension::json(arrow::utf8()) : arrow::utf8();
  }
}

struct Mapping : MappedType {
  bool always_has_form = true;
  bool found = true;  // false: there is no such type (any more)
};

Mapping TextOf(ReaderPointer reader, bool reads_binary) {
  Mapping mapping;
  mapping.type = arrow::utf8();
  mapping.reader = std::move(reader);
  mapping.reads_binary = reads_binary;
  return mapping;
}

// What is not in the table: its output text, which is all that is known of it.
Mapping UnknownType() { return TextOf(MakeTextReader(), /*reads_binary=*/false); }

std::shared_ptr<arrow::Field> FieldOf(const std::string& name, const Mapping& mapping) {
  return arrow::field(name, mapping.type, /*nullable=*/true, mapping.metadata);
}

ReaderPointer MakeNumericReader(const ArrowForm& form) {
  if (form.type == ArrowTypeId::kUtf8) return MakeNumericTextReader();
  if (form.type == ArrowTypeId::kFloat64) return MakeNumericDoubleReader();
  return MakeDecimalReader(form.precision, form.scale);
}

ReaderPointer MakeUint32ReaderOf(uint32_t oid) {
  return pgtype::IsNamed(oid) ? MakeRegReader() : MakeUint32Reader();
}

ReaderPointer MakeUint64ReaderOf(uint32_t oid) {
  constexpr uint32_t kPgLsn = 3220;
  return oid == kPgLsn ? MakeLsnReader() : MakeUint64Reader();
}

// Of types that are not made of others.
ReaderPointer MakeReader(Kind kind, uint32_t oid, int32_t typmod, const ArrowForm& form) {
  switch (kind) {
    case Kind::kBool:
      return MakeBoolReader();
    case Kind::kChar:
      return MakeCharReader();
    case Kind::kInt16:
      return MakeInt16Reader();
    case Kind::kInt32:
      return MakeInt32Reader();
    case Kind::kInt64:
      return MakeInt64Reader();
    case Kind::kUint32:
      return MakeUint32ReaderOf(oid);
    case Kind::kUint64:
      return MakeUint64ReaderOf(oid);
    case Kind::kFloat32:
      return MakeFloat32Reader();
    case Kind::kFloat64:
      return MakeFloat64Reader();
    case Kind::kNumeric:
      return MakeNumericReader(form);
    case Kind::kMoney:
      return MakeMoneyReader();
    case Kind::kDate:
      return MakeDateReader();
    case Kind::kTime:
      return MakeTimeReader();
    case Kind::kTimeTz:
      return MakeTimeTzReader();
    case Kind::kTimestamp:
    case Kind::kTimestampTz:
      return MakeTimestampReader();
    case Kind::kInterval:
      return MakeIntervalReader();
    case Kind::kUuid:
      return MakeUuidReader();
    case Kind::kBytea:
      return MakeByteaReader();
    case Kind::kJsonb:
      return MakeVersionedTextReader();
    case Kind::kHstore:
      return MakeHstoreReader();
    case Kind::kVector:
      return MakeVectorReader();
    case Kind::kHalfvec:
      return MakeHalfvecReader();
    case Kind::kGeometry:
    case Kind::kGeography:
      return MakeGeometryReader(pgtype::GeometrySrid(typmod));
    case Kind::kText:
    case Kind::kName:
    case Kind::kJson:
    case Kind::kXml:
    case Kind::kEnum:
    case Kind::kStoredText:
    case Kind::kArray:
    case Kind::kRange:
    case Kind::kMultirange:
    case Kind::kComposite:
    case Kind::kOutput:
      break;
  }
  return MakeTextReader();
}

// One column's type; the types that it is made of are looked at once each time they occur.
class TypeMapper {
 public:
  TypeMapper(const ValueOptions& options, TypeCatalog* catalog) : options_(options), catalog_(catalog) {}

  arrow::Result<Mapping> Map(uint32_t oid, int32_t typmod, int depth = 0) {
    ARROW_ASSIGN_OR_RAISE(const auto type, FindBase(oid, &typmod));
    if (!type.has_value() || depth > pgtype::kNestingMax) {
      Mapping unknown = UnknownType();
      unknown.found = type.has_value() || types_ > pgtype::kTypesMax;
      return unknown;
    }
    const pgtype::TypeFacts facts{type->oid, static_cast<char>(type->kind), type->length, type->element != 0,
                                  type->output_is_textout};
    const Kind kind = KindOf(facts, *type);
    switch (kind) {
      case Kind::kArray:
        return MapArray(*type, typmod, depth);
      case Kind::kRange:
        return MapRange(*type, depth);
      case Kind::kMultirange:
        return MapMultirange(*type, depth);
      case Kind::kComposite:
        return MapComposite(*type, depth);
      case Kind::kOutput:
        return MapOther(*type);
      default:
        return MapPlain(kind, *type, typmod);
    }
  }

 private:
  // Members of extensions are known by the names that those gave them.
  static Kind KindOf(const pgtype::TypeFacts& facts, const TypeDescription& type) {
    const Kind kind = pgtype::ChooseKind(facts);
    if (kind != Kind::kOutput) return kind;
    const pgtype::ExtensionType* const known = pgtype::FindExtensionType(type.name.c_str());
    return known != nullptr && type.extension == known->extension ? known->kind : kind;
  }

  arrow::Result<Mapping> MapPlain(Kind kind, const TypeDescription& type, int32_t typmod) {
    int money_digits = 0;
    if (kind == Kind::kMoney) {
      ARROW_ASSIGN_OR_RAISE(money_digits, catalog_->MoneyDigits());
    }
    const ArrowForm form = pgtype::ChooseForm(kind, typmod, options_.numeric, money_digits);
    Mapping mapping;
    mapping.type = kind == Kind::kTimeTz ? TimeTzType() : ArrowType(form);
    mapping.reader = MakeReader(kind, type.oid, typmod, form);
    mapping.always_has_form = pgtype::AlwaysHasForm(kind, type.oid, form);
    mapping.reads_binary = kind != Kind::kStoredText || type.send_is_textsend;
    if (kind == Kind::kGeometry || kind == Kind::kGeography) {
      char metadata[pgtype::kGeometryMetadataBytes];
      pgtype::WriteGeometryMetadata(pgtype::GeometrySrid(typmod), kind == Kind::kGeography, metadata);
      mapping.metadata =
          arrow::key_value_metadata({kExtensionName, kExtensionMetadata}, {form.extension, metadata});
    }
    return mapping;
  }

  // Follows domains to their base type; the last modifier on the way is the one in force.
  arrow::Result<std::optional<TypeDescription>> FindBase(uint32_t oid, int32_t* typmod) {
    while (++types_ <= pgtype::kTypesMax) {
      ARROW_ASSIGN_OR_RAISE(auto type, catalog_->FindType(oid));
      if (!type.has_value() || type->kind != TypeKind::kDomain) return type;
      oid = type->base;
      *typmod = type->base_typmod;
    }
    return std::nullopt;
  }

  static std::shared_ptr<arrow::DataType> TimeTzType() {
    arrow::FieldVector fields;
    for (const pgtype::Member& member : pgtype::kTimeTzMembers) {
      fields.push_back(arrow::field(member.name, ArrowType(pgtype::ChooseForm(member.kind, -1, {}, 0))));
    }
    return arrow::struct_(fields);
  }

  // An array's modifier is that of its elements.
  arrow::Result<Mapping> MapArray(const TypeDescription& array, int32_t typmod, int depth) {
    ARROW_ASSIGN_OR_RAISE(Mapping element, Map(array.element, typmod, depth + 1));
    if (!element.found) return UnknownType();
    Mapping mapping;
    mapping.type = arrow::list(FieldOf(pgtype::kListMember, element));
    mapping.reader = MakeListReader({array.element, std::move(element.reader)}, array.delimiter);
    mapping.reads_binary = element.reads_binary;
    mapping.always_has_form = false;
    return mapping;
  }

  static Mapping MapOther(const TypeDescription& type) {
    for (const OutputType& known : kOutputTypes) {
      if (known.oid == type.oid) return TextOf(known.make_reader(), /*reads_binary=*/true);
    }
    if (type.extension == "ltree" && type.name == "ltree") {
      return TextOf(MakeVersionedTextReader(), /*reads_binary=*/type.has_send);
    }
    return UnknownType();
  }

  arrow::Result<Mapping> MapComposite(const TypeDescription& type, int depth) {
    Mapping mapping;
    mapping.always_has_form = false;  // it may come by another description of the type
    arrow::FieldVector fields;
    std::vector<ElementReader> readers;
    for (const Attribute& attribute : type.attributes) {
      ARROW_ASSIGN_OR_RAISE(Mapping part, Map(attribute.type, attribute.typmod, depth + 1));
      fields.push_back(FieldOf(attribute.name, part));
      if (attribute.attnum != 0) {  // tells an attribute that was dropped and added from the one before
        fields.back() = fields.back()->WithMergedMetadata(
            arrow::key_value_metadata({"arrowcdc:attnum"}, {std::to_string(attribute.attnum)}));
      }
      readers.push_back({attribute.type, std::move(part.reader)});
      mapping.reads_binary = mapping.reads_binary && part.reads_binary;
    }
    mapping.type = arrow::struct_(fields);
    mapping.reader = MakeCompositeReader(std::move(readers));
    return mapping;
  }

  static std::shared_ptr<arrow::DataType> RangeType(const Mapping& bound) {
    return arrow::struct_(
        {FieldOf("lower", bound), FieldOf("upper", bound), arrow::field("lower_inc", arrow::boolean()),
         arrow::field("upper_inc", arrow::boolean()), arrow::field("empty", arrow::boolean())});
  }

  arrow::Result<Mapping> MapRange(const TypeDescription& type, int depth) {
    ARROW_ASSIGN_OR_RAISE(Mapping mapping, Map(type.subtype, -1, depth + 1));
    mapping.type = RangeType(mapping);
    mapping.metadata = nullptr;
    mapping.reader = MakeRangeReader(std::move(mapping.reader));
    mapping.found = true;
    return mapping;
  }

  arrow::Result<Mapping> MapMultirange(const TypeDescription& type, int depth) {
    int32_t typmod = -1;
    ARROW_ASSIGN_OR_RAISE(const auto range, FindBase(type.subtype, &typmod));
    if (!range.has_value()) return UnknownType();
    ARROW_ASSIGN_OR_RAISE(Mapping mapping, Map(range->subtype, -1, depth + 2));
    mapping.type = arrow::list(arrow::field(pgtype::kListMember, RangeType(mapping)));
    mapping.metadata = nullptr;
    mapping.reader = MakeMultirangeReader(std::move(mapping.reader));
    mapping.found = true;
    return mapping;
  }

  const ValueOptions& options_;
  TypeCatalog* catalog_;
  int types_ = 0;
};

}  // namespace

arrow::Result<MappedType> MapType(uint32_t type, int32_t typmod, const ValueOptions& options,
                                  TypeCatalog* catalog) {
  arrow::util::InitializeUTF8();
  ARROW_ASSIGN_OR_RAISE(Mapping mapping, TypeMapper(options, catalog).Map(type, typmod));
  if (options.unrepresentable_as_text && !mapping.always_has_form) mapping = UnknownType();
  return static_cast<MappedType&&>(mapping);
}

arrow::Result<MappedColumns> MapColumns(const std::vector<ColumnDescription>& columns,
                                        const ValueOptions& options, TypeCatalog* catalog) {
  MappedColumns mapped;
  for (const ColumnDescription& column : columns) {
    const Attribute& attribute = column.attribute;
    ARROW_ASSIGN_OR_RAISE(MappedType type, MapType(attribute.type, attribute.typmod, options, catalog));
    ARROW_ASSIGN_OR_RAISE(const auto description, catalog->FindType(attribute.type));
    auto metadata = std::make_shared<arrow::KeyValueMetadata>();
    metadata->Append("ADBC:postgresql:typname", description.has_value() ? description->name : "unknown");
    metadata->Append("arrowcdc:typoid", std::to_string(attribute.type));
    metadata->Append("arrowcdc:typmod", std::to_string(attribute.typmod));
    if (column.attnum.has_value()) metadata->Append("PARQUET:field_id", std::to_string(*column.attnum));
    if (column.key_place > 0) metadata->Append(kIdentityKey, std::to_string(column.key_place));
    const auto all = type.metadata == nullptr ? metadata : metadata->Merge(*type.metadata);
    mapped.fields.push_back(arrow::field(attribute.name, type.type, /*nullable=*/true, all));
    mapped.readers.push_back(std::move(type.reader));
    mapped.forms.push_back(type.reads_binary ? ValueForm::kBinary : ValueForm::kText);
  }
  return mapped;
}

}  // namespace arrowcdc
