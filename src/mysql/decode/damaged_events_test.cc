// Recorded events cut off and changed at every byte: a typed error that leaves nothing of the event, or
// batches that are sound.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/change_rows.h"
#include "arrowcdc/error.h"
#include "src/mysql/decode/inflate.h"
#include "src/mysql/decode/testing/binlog_file.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

using test::RecordedEvent;
using Bytes = std::vector<uint8_t>;

constexpr uint8_t kCompressedQueryEvent = 165;

// Calls use(damaged) with copies at their exact sizes, so that a read beyond one is seen. Large events are
// not damaged at every byte.
template <typename Use>
void ForDamaged(const Bytes& whole, Use use) {
  const size_t step = whole.size() > 4000 ? 89 : 1;
  for (size_t at = 0; at < whole.size(); at += step) {
    use(Bytes(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(at)));
    for (const uint8_t bits : {0x01, 0x80, 0xff}) {
      Bytes changed = whole;
      changed[at] = static_cast<uint8_t>(changed[at] ^ bits);
      changed.shrink_to_fit();
      use(changed);
    }
  }
}

void CheckError(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  ASSERT_NE(detail, nullptr) << status.ToString();
  EXPECT_TRUE(detail->kind() == ErrorKind::kProtocol || detail->kind() == ErrorKind::kUnsupported ||
              detail->kind() == ErrorKind::kServerSetting)
      << status.ToString();
  EXPECT_FALSE(status.message().empty());
}

void CheckBatches(const std::vector<ChangeBatch>& batches) {
  for (const ChangeBatch& batch : batches) {
    ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const ChangeRows rows, ChangeRows::Make(*batch.table, *batch.rows));
    for (int64_t row = 0; row < rows.num_rows(); ++row) {
      if (rows.op(row) != Op::kUpdateBefore) continue;
      ASSERT_LT(row + 1, rows.num_rows());
      EXPECT_EQ(rows.op(row + 1), Op::kUpdateAfter);
    }
  }
}

class DamagedEvents : public ::testing::TestWithParam<const char*> {
 protected:
  Flavor flavor() const {
    return std::string(GetParam()).starts_with("mysql") ? Flavor::kMysql : Flavor::kMariadb;
  }
  std::vector<RecordedEvent> Events() const { return test::ReadRecorded(GetParam()); }
};

TEST_P(DamagedEvents, Rows) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, test::Unpack(Events()));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(auto decoder, RowDecoder::Make({.flavor = flavor()}));
  int64_t errors = 0;
  for (const RecordedEvent& event : events) {
    if (event.type == test::kTableMapEvent) ARROWCDC_ASSERT_OK(decoder->AddTableMap(event.body));
    if (!RowDecoder::IsRowsEvent(event.type)) continue;
    ARROWCDC_ASSERT_OK(decoder->AddRows(event.type, event.body, {}));
    const int64_t rows = decoder->open_rows();
    ForDamaged(event.body, [&](const Bytes& damaged) {
      const auto table = decoder->TableOf(event.type, damaged);
      if (!table.ok()) CheckError(table.status());
      const arrow::Status status = decoder->AddRows(event.type, damaged, {});
      if (!status.ok()) {
        CheckError(status);
        ASSERT_EQ(decoder->open_rows(), rows);
        ++errors;
        return;
      }
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder->Flush());
      CheckBatches(batches);
      ARROWCDC_ASSERT_OK(decoder->AddRows(event.type, event.body, {}));
    });
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder->Flush());
    CheckBatches(batches);
  }
  EXPECT_GT(errors, 100);
}

TEST_P(DamagedEvents, TableMaps) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto events, test::Unpack(Events()));
  for (size_t i = 0; i < events.size(); ++i) {
    if (events[i].type != test::kTableMapEvent) continue;
    ForDamaged(events[i].body, [&](const Bytes& damaged) {
      ARROWCDC_ASSERT_OK_AND_ASSIGN(auto decoder, RowDecoder::Make({.flavor = flavor()}));
      arrow::Status status = decoder->AddTableMap(damaged);
      if (status.ok()) status = decoder->AddRows(events[i + 1].type, events[i + 1].body, {});
      if (!status.ok()) {
        CheckError(status);
        EXPECT_EQ(decoder->open_rows(), 0);
        return;
      }
      ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, decoder->Flush());
      CheckBatches(batches);
    });
  }
}

// What is compressed in one piece.
TEST_P(DamagedEvents, CompressedTransactionsAndStatements) {
  for (const RecordedEvent& event : Events()) {
    if (event.type == test::kTransactionPayloadEvent) {
      ForDamaged(event.body, [&](const Bytes& damaged) {
        const auto unpacked = test::Unpack({{event.type, damaged}});
        if (!unpacked.ok()) CheckError(unpacked.status());
      });
    } else if (event.type == kCompressedQueryEvent) {
      ForDamaged(event.body, [&](const Bytes& damaged) {
        const auto query = InflateQuery(damaged);
        if (!query.ok()) CheckError(query.status());
      });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, DamagedEvents,
                         ::testing::Values("mysql_changes", "mysql_types", "mariadb_changes",
                                           "mariadb_types"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace arrowcdc::mysql
