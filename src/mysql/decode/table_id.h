// TableSchema::table_id of MySQL's tables, whose own numbers are not the same after a restart.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "arrowcdc/change_batch.h"
#include "format/frame.h"

namespace arrowcdc::mysql {

// Of the name; never 0, which would mean none.
inline uint32_t TableIdOf(const TableName& name) {
  const std::string content = name.schema + '\0' + name.table;
  const uint64_t hash = format::Fingerprint(content.data(), content.size());
  return std::max<uint32_t>(1, static_cast<uint32_t>(hash ^ hash >> 32));
}

}  // namespace arrowcdc::mysql
