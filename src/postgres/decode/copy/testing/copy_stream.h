// The stream of a COPY by hand, and a decoder of it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "src/change/table_schema.h"
#include "src/postgres/decode/copy/copy_decoder.h"
#include "src/postgres/decode/values/testing/bytes.h"
#include "src/postgres/decode/values/testing/test_catalog.h"

namespace arrowcdc::test {

inline constexpr CopyOptions kOptions{.commit_lsn = 4095, .commit_ts = 77, .first_lsn = 5};

inline std::string Signature() { return {"PGCOPY\n\377\r\n\0", 11}; }

// A row of the table below, of which only id and name have values.
inline std::string Tuple(const std::optional<int32_t>& id, const Part& name) {
  return Be16(5) + Sized(id.has_value() ? Part(Be32(*id)) : std::nullopt) + Sized(name) +
         Sized(std::nullopt) + Sized(std::nullopt) + Sized(std::nullopt);
}

// Three rows; the second has a day that has no Arrow form.
inline std::string CopyStream() {
  return Signature() + Be32(0) + Sized("an extension") + Be16(5) + Sized(Be32(1)) + Sized("one") +
         Sized(Be32(-10957)) + Sized(ArrayBytes(kText, {"a", std::nullopt})) + Sized("(1,2)") + Be16(5) +
         Sized(Be32(2)) + Sized(std::nullopt) + Sized(Be32(INT32_MAX)) + Sized(ArrayBytes(kText, {})) +
         Sized(std::nullopt) + Tuple(std::nullopt, "") + Be16(-1);
}

inline CopyDecoder MakeDecoder(const CopyOptions& options) {
  TestCatalog catalog;
  MappedColumns columns = MapColumns({{.attribute = {"id", kInt4, -1}, .attnum = 1, .key_place = 1},
                                      {.attribute = {"name", kText, -1}},
                                      {.attribute = {"day", kDate, -1}},
                                      {.attribute = {"tags", kTextArray, -1}},
                                      {.attribute = {"spot", kPoint, -1}}},
                                     {}, &catalog)
                              .ValueOrDie();
  auto table = MakeTableSchema({"public", "items"}, 1, 2, ReplicaIdentity::kDefault, columns.fields, nullptr)
                   .ValueOrDie();
  auto rows = RowReader::Make(std::move(table), std::move(columns), arrow::system_memory_pool()).ValueOrDie();
  return {std::move(rows), options};
}

}  // namespace arrowcdc::test
