// What the pgoutput decoder asks of relations: its messages say nothing of attribute numbers, the order of a
// key's columns, or which table a partition belongs to. A source answers by SQL; no I/O of its own here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <arrow/result.h>

#include "src/postgres/decode/values/type_catalog.h"

namespace arrowcdc {

// A relation as the catalog has it when it is asked, which may be later than the rows.
struct RelationFacts {
  struct Column {
    Attribute attribute = {};
    int16_t attnum = 0;
  };
  std::vector<Column> columns = {};      // those that are not dropped, in order
  std::vector<std::string> key = {};     // the columns of the replica identity's index, in its order
  std::vector<uint32_t> ancestors = {};  // of a partition, from its parent to the root
};

class RelationCatalog : public TypeCatalog {
 public:
  // nullopt: there is no such relation (any more). Errors: what asking gave.
  virtual arrow::Result<std::optional<RelationFacts>> FindRelation(uint32_t oid) = 0;

  // Types may have changed: they are asked for again.
  virtual void Forget() = 0;
};

}  // namespace arrowcdc
