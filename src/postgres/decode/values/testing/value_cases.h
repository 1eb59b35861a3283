// Tables of values in both forms and what they are in Arrow.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <arrow/compare.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "src/postgres/decode/values/testing/bytes.h"
#include "src/postgres/decode/values/testing/read_one.h"
#include "src/postgres/decode/values/testing/test_catalog.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {

// In place of a value: it has no Arrow form; it is nothing that PostgreSQL writes; there is no such form.
inline constexpr char kNoForm[] = "!";
inline constexpr char kFault[] = "#";
inline const std::string kNone = "\1none";

struct Case {
  std::string binary;
  std::string text;
  std::string json;  // as Arrow's JSON reader takes it
};

class Values : public ::testing::Test {
 protected:
  void Check(uint32_t oid, const std::shared_ptr<arrow::DataType>& type, const std::vector<Case>& cases,
             int32_t typmod = -1, const ValueOptions& options = {}) {
    SCOPED_TRACE("type " + std::to_string(oid));
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const MappedType mapped, MapType(oid, typmod, options, &catalog_));
    for (const Case& one : cases) {
      SCOPED_TRACE(one.text + " " + one.json);
      if (one.binary != kNone) CheckOne(mapped, ValueForm::kBinary, one.binary, type, one.json);
      if (one.text != kNone) CheckOne(mapped, ValueForm::kText, one.text, type, one.json);
    }
  }

  static void CheckOne(const MappedType& mapped, ValueForm form, const std::string& bytes,
                       const std::shared_ptr<arrow::DataType>& type, const std::string& json) {
    SCOPED_TRACE(form == ValueForm::kBinary ? "binary" : "text");
    const ReadValue read = ReadOne(mapped, form, bytes);
    ASSERT_TRUE(read.array->type()->Equals(*type)) << read.array->type()->ToString();
    const ReadOutcome wanted_outcome = json == kNoForm  ? ReadOutcome::kNoForm
                                       : json == kFault ? ReadOutcome::kFault
                                                        : ReadOutcome::kValue;
    ASSERT_EQ(read.outcome, wanted_outcome) << read.fault;
    if (wanted_outcome != ReadOutcome::kValue) return;
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto wanted,
                                  arrow::json::ArrayFromJSONString(type, "[" + json + "]"));
    const auto options = arrow::EqualOptions::Defaults().nans_equal(true).signed_zeros_equal(false);
    EXPECT_TRUE(wanted->Equals(*read.array, options))
        << "wanted " << wanted->ToString() << "\ngot " << read.array->ToString();
  }

  TestCatalog catalog_;
};

}  // namespace arrowcdc::test
