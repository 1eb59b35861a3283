// MariaDB's compressed events (log_bin_compress): what is compressed in them, zlib, and how long it is.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::mysql {

// A compressed piece of an event: a byte of algorithm and width, the length, the zlib stream. Errors:
// kProtocol.
arrow::Result<std::vector<uint8_t>> Inflate(std::span<const uint8_t> compressed);

// The body of a QUERY_COMPRESSED_EVENT (165) as that of the QUERY_EVENT (2) it stands for. Errors: kProtocol.
arrow::Result<std::vector<uint8_t>> InflateQuery(std::span<const uint8_t> body);

}  // namespace arrowcdc::mysql
