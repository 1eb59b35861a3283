// Every sample, cut at every place and with every byte changed. What comes out is a value, one without a form
// or a fault (ReadOne looks at that); the sanitizers see what is read.
#include <gtest/gtest.h>

#include "src/postgres/decode/values/testing/read_one.h"
#include "src/postgres/decode/values/testing/sample_values.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

class DamagedValues : public ::testing::TestWithParam<ValueForm> {
 protected:
  template <typename Damage>
  void ForEach(const Damage& damage) {
    TestCatalog catalog;
    for (const SampleValue& sample : SampleValues()) {
      SCOPED_TRACE("type " + std::to_string(sample.type));
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType type, MapType(sample.type, sample.typmod, {}, &catalog));
      const std::string& value = GetParam() == ValueForm::kBinary ? sample.binary : sample.text;
      ASSERT_EQ(ReadOne(type, GetParam(), value).outcome, ReadOutcome::kValue);
      damage(type, value);
    }
  }
};

TEST_P(DamagedValues, Cut) {
  ForEach([](const MappedType& type, const std::string& value) {
    for (size_t size = 0; size < value.size(); ++size) ReadOne(type, GetParam(), value.substr(0, size));
  });
}

TEST_P(DamagedValues, Longer) {
  ForEach([](const MappedType& type, const std::string& value) {
    for (const char* more : {"x", "\xff", "}", ")", "\""}) ReadOne(type, GetParam(), value + more);
  });
}

TEST_P(DamagedValues, EachByteChanged) {
  ForEach([](const MappedType& type, const std::string& value) {
    for (size_t at = 0; at < value.size(); ++at) {
      std::string damaged = value;
      for (const char byte : std::string_view("\0\1\x7f\x80\xff\"\\{}(),09", 14)) {
        damaged[at] = byte;
        ReadOne(type, GetParam(), damaged);
      }
      for (int bit = 0; bit < 8; ++bit) {
        damaged[at] = static_cast<char>(value[at] ^ (1 << bit));
        ReadOne(type, GetParam(), damaged);
      }
    }
  });
}

// A value that is cut in the middle of what has a length is never taken for a shorter one.
TEST(DamagedBinaryValues, CutIsNoValue) {
  TestCatalog catalog;
  for (const SampleValue& sample : SampleValues()) {
    const bool has_lengths = sample.type != kText && sample.type != kBytea && sample.type != kJsonb;
    if (!has_lengths) continue;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType type, MapType(sample.type, sample.typmod, {}, &catalog));
    for (size_t size = 0; size < sample.binary.size(); ++size) {
      EXPECT_NE(ReadOne(type, ValueForm::kBinary, sample.binary.substr(0, size)).outcome, ReadOutcome::kValue)
          << "type " << sample.type << ", " << size << " bytes";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, DamagedValues, ::testing::Values(ValueForm::kText, ValueForm::kBinary),
                         [](const auto& form) { return form.param == ValueForm::kText ? "Text" : "Binary"; });

}  // namespace
}  // namespace arrowcdc::test
