// Whose binlog it is. The two families number and encode some things in their own ways.
#pragma once

#include <cstdint>

namespace arrowcdc::mysql {

enum class Flavor : uint8_t { kMysql, kMariadb };

}  // namespace arrowcdc::mysql
