// Fuzz target: a value of one of PostgreSQL's types, in one of its forms -> an Arrow column. What comes out
// is a value, none, or a fault that lies in the value; the column is valid, and what was in it before still
// is.
//
// Input: which type (by its place among the samples), form (odd: binary), then the value.
#include <cstdint>
#include <string_view>
#include <vector>

#include "src/postgres/decode/values/testing/read_one.h"
#include "src/postgres/decode/values/testing/sample_values.h"

namespace {

using namespace arrowcdc;        // NOLINT
using namespace arrowcdc::test;  // NOLINT

std::vector<MappedType> MapSamples() {
  TestCatalog catalog;
  std::vector<MappedType> types;
  for (const SampleValue& sample : SampleValues()) {
    types.push_back(MapType(sample.type, sample.typmod, {}, &catalog).ValueOrDie());
  }
  return types;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes) {
  static const std::vector<MappedType> types = MapSamples();
  if (bytes < 2) return 0;
  const MappedType& type = types[data[0] % types.size()];
  const ValueForm form = data[1] % 2 == 1 ? ValueForm::kBinary : ValueForm::kText;
  ReadOne(type, form, std::string_view(reinterpret_cast<const char*>(data) + 2, bytes - 2));
  return 0;
}
