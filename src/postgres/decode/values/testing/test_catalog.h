// A catalog in memory: built-in types, and one or two of each kind of others.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "pgtype/type_table.h"
#include "src/postgres/decode/values/type_catalog.h"

namespace arrowcdc::test {

// OIDs of pg_type.dat.
inline constexpr uint32_t kBool = 16;
inline constexpr uint32_t kBytea = 17;
inline constexpr uint32_t kChar = 18;
inline constexpr uint32_t kName = 19;
inline constexpr uint32_t kInt8 = 20;
inline constexpr uint32_t kInt2 = 21;
inline constexpr uint32_t kInt2Vector = 22;
inline constexpr uint32_t kInt4 = 23;
inline constexpr uint32_t kText = 25;
inline constexpr uint32_t kOid = 26;
inline constexpr uint32_t kTid = 27;
inline constexpr uint32_t kOidVector = 30;
inline constexpr uint32_t kJson = 114;
inline constexpr uint32_t kXml = 142;
inline constexpr uint32_t kCidr = 650;
inline constexpr uint32_t kFloat4 = 700;
inline constexpr uint32_t kFloat8 = 701;
inline constexpr uint32_t kMacaddr8 = 774;
inline constexpr uint32_t kMoney = 790;
inline constexpr uint32_t kMacaddr = 829;
inline constexpr uint32_t kInet = 869;
inline constexpr uint32_t kBpchar = 1042;
inline constexpr uint32_t kDate = 1082;
inline constexpr uint32_t kTime = 1083;
inline constexpr uint32_t kTimestamp = 1114;
inline constexpr uint32_t kTimestampTz = 1184;
inline constexpr uint32_t kInterval = 1186;
inline constexpr uint32_t kTimeTz = 1266;
inline constexpr uint32_t kBit = 1560;
inline constexpr uint32_t kVarbit = 1562;
inline constexpr uint32_t kNumeric = 1700;
inline constexpr uint32_t kRegclass = 2205;
inline constexpr uint32_t kUuid = 2950;
inline constexpr uint32_t kPgLsn = 3220;
inline constexpr uint32_t kTsvector = 3614;
inline constexpr uint32_t kJsonb = 3802;
inline constexpr uint32_t kJsonpath = 4072;
inline constexpr uint32_t kXid8 = 5069;

// Arrays and ranges are built in, those from 20000 on are made up.
inline constexpr uint32_t kInt4Array = 1007;
inline constexpr uint32_t kTextArray = 1009;
inline constexpr uint32_t kNumericArray = 1231;
inline constexpr uint32_t kMood = 20001;
inline constexpr uint32_t kMoodArray = 20002;
inline constexpr uint32_t kPair = 20003;
inline constexpr uint32_t kPairArray = 20004;
inline constexpr uint32_t kOuter = 20005;
inline constexpr uint32_t kPrice = 20006;
inline constexpr uint32_t kPriceArray = 20007;
inline constexpr uint32_t kInt4Range = 3904;
inline constexpr uint32_t kInt4Multirange = 4451;
inline constexpr uint32_t kTsRange = 3908;
inline constexpr uint32_t kPoint = 600;
inline constexpr uint32_t kPointArray = 1017;
inline constexpr uint32_t kHstore = 20010;
inline constexpr uint32_t kVector = 20011;
inline constexpr uint32_t kHalfvec = 20012;
inline constexpr uint32_t kGeometry = 20013;
inline constexpr uint32_t kGeography = 20014;
inline constexpr uint32_t kCitext = 20015;
inline constexpr uint32_t kNothing = 20016;

// The modifier of numeric(precision, scale).
inline int32_t NumericTypmod(int precision, int scale) { return ((precision << 16) | (scale & 0x7ff)) + 4; }

class TestCatalog : public TypeCatalog {
 public:
  TestCatalog() {
    for (const uint32_t oid :
         {kTid, kCidr, kMacaddr8, kMacaddr, kInet, kBit, kVarbit, kTsvector, kJsonpath}) {
      Add(oid, {.name = "type " + std::to_string(oid)});
    }

    AddArray(kInt4Array, kInt4);
    AddArray(kTextArray, kText);
    AddArray(kNumericArray, kNumeric);
    Add(kMood, {.name = "mood", .kind = TypeKind::kEnum, .length = 4});
    AddArray(kMoodArray, kMood);
    Add(kPair,
        {.name = "pair", .kind = TypeKind::kComposite, .attributes = {{"a", kInt4, -1}, {"b", kText, -1}}});
    AddArray(kPairArray, kPair);
    Add(kOuter, {.name = "outer",
                 .kind = TypeKind::kComposite,
                 .attributes = {{"pairs", kPairArray, -1}, {"at", kDate, -1}}});
    Add(kPrice,
        {.name = "price", .kind = TypeKind::kDomain, .base = kNumeric, .base_typmod = NumericTypmod(8, 3)});
    AddArray(kPriceArray, kPrice);
    Add(kInt4Range, {.name = "int4range", .kind = TypeKind::kRange, .subtype = kInt4});
    Add(kInt4Multirange, {.name = "int4multirange", .kind = TypeKind::kMultirange, .subtype = kInt4Range});
    Add(kTsRange, {.name = "tsrange", .kind = TypeKind::kRange, .subtype = kTimestamp});
    Add(kPoint, {.name = "point", .length = 16});
    AddArray(kPointArray, kPoint);
    Add(kHstore, {.name = "hstore", .extension = "hstore"});
    Add(kVector, {.name = "vector", .extension = "vector"});
    Add(kHalfvec, {.name = "halfvec", .extension = "vector"});
    Add(kGeometry, {.name = "geometry", .extension = "postgis"});
    Add(kGeography, {.name = "geography", .extension = "postgis"});
    Add(kCitext,
        {.name = "citext", .extension = "citext", .output_is_textout = true, .send_is_textsend = true});
  }

  arrow::Result<std::optional<TypeDescription>> FindType(uint32_t oid) override {
    if (const auto found = types_.find(oid); found != types_.end()) return found->second;
    if (const pgtype::Type* const known = pgtype::FindType(oid)) {
      return TypeDescription{.oid = oid, .name = known->name};
    }
    return std::nullopt;
  }
  arrow::Result<int> MoneyDigits() override { return money_digits_; }

  // Gives the type its OID.
  void Add(uint32_t oid, TypeDescription type) {
    type.oid = oid;
    types_[oid] = std::move(type);
  }
  void AddArray(uint32_t oid, uint32_t element, char delimiter = ',') {
    Add(oid, {.name = "_" + std::to_string(element), .element = element, .delimiter = delimiter});
  }

  int money_digits_ = 2;

 private:
  std::map<uint32_t, TypeDescription> types_;
};

}  // namespace arrowcdc::test
