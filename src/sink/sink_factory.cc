// Sinks by URI: the part before the first ':' names the kind, the rest says where.
#include <memory>
#include <string>
#include <string_view>

#include "arrowcdc/error.h"
#include "arrowcdc/sink.h"
#include "parquet_sink.h"

namespace arrowcdc {
namespace {

arrow::Status BadUri(std::string_view uri, const std::string& why) {
  return MakeError(ErrorKind::kInvalidOption, "sink \"" + std::string(uri) + "\": " + why, "--sink", "use parquet:DIR");
}

}  // namespace

arrow::Result<std::unique_ptr<Sink>> MakeSink(std::string_view uri, const SinkOptions& options) {
  const size_t colon = uri.find(':');
  const std::string_view kind = uri.substr(0, colon);
  const std::string_view where = colon == std::string_view::npos ? std::string_view() : uri.substr(colon + 1);
  if (kind == "parquet") {
    if (where.empty()) return BadUri(uri, "the directory is missing");
    return std::make_unique<ParquetSink>(std::string(where), options);
  }
  return BadUri(uri, "there is no sink of this kind");
}

}  // namespace arrowcdc
