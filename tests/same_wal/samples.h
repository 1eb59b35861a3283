// The types of the generated tables, and values of each: ordinary ones, extremes, and those that Arrow lacks.
#pragma once

#include <string>
#include <vector>

namespace arrowcdc::test {

struct SampleType {
  const char* sql;
  std::vector<std::string> values;  // as its input function takes them
  bool toasted = false;             // long values of it are easily made
};

// What must be there before a column of them: types, domains, extensions.
extern const char* const kSampleTypesSql;
const std::vector<SampleType>& SampleTypes();

}  // namespace arrowcdc::test
