// A COPY laid out by hand, cut and damaged in every way.
#include "src/postgres/decode/copy/copy_decoder.h"

#include <arrow/array.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "src/change/table_schema.h"
#include "src/postgres/decode/copy/testing/copy_stream.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::test {
namespace {

using std::string;

arrow::Result<std::vector<ChangeBatch>> DecodeIn(const std::vector<string>& chunks,
                                                 const CopyOptions& options = kOptions) {
  CopyDecoder decoder = MakeDecoder(options);
  std::vector<ChangeBatch> batches;
  for (const string& chunk : chunks) ARROW_RETURN_NOT_OK(decoder.Decode(chunk, &batches));
  ARROW_RETURN_NOT_OK(decoder.Finish(&batches));
  return batches;
}

void CheckRows(const ChangeBatch& batch) {
  ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
  ASSERT_TRUE(batch.rows->schema()->Equals(*batch.table->schema));
  const auto check = [&](const string& name, const string& json) {
    const auto column = batch.rows->GetColumnByName(name);
    const auto wanted = arrow::json::ArrayFromJSONString(column->type(), json).ValueOrDie();
    EXPECT_TRUE(wanted->Equals(*column)) << name << ": " << column->ToString();
  };
  check("id", "[1, 2, null]");
  check("name", R"(["one", null, ""])");
  check("day", "[0, null, null]");
  check("tags", R"([["a", null], [], null])");
  check("spot", R"x(["(1,2)", null, null])x");
  check("_commit_lsn", "[4095, 4095, 4095]");
  check("_lsn", "[5, 6, 7]");
  check("_ord", "[0, 0, 0]");
  check("_xid", "[null, null, null]");
  check("_commit_ts",
        R"(["1970-01-01 00:00:00.000077", "1970-01-01 00:00:00.000077", "1970-01-01 00:00:00.000077"])");
  check("_unchanged", "[null, null, null]");
  check("_unrepresentable", R"([null, ["day"], null])");
  const auto& op = static_cast<const arrow::DictionaryArray&>(*batch.rows->GetColumnByName("_op"));
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(static_cast<const arrow::StringArray&>(*op.dictionary()).GetView(op.GetValueIndex(row)),
              "snapshot");
  }
}

void ExpectProtocolError(const arrow::Status& status) {
  ASSERT_NE(GetErrorDetail(status), nullptr) << status.ToString();
  EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kProtocol) << status.ToString();
}

TEST(Copy, WholeStream) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, DecodeIn({CopyStream()}));
  ASSERT_EQ(batches.size(), 1u);
  CheckRows(batches[0]);
}

TEST(Copy, CutAnywhere) {
  const string stream = CopyStream();
  for (size_t at = 0; at <= stream.size(); ++at) {
    SCOPED_TRACE(at);
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches,
                                  DecodeIn({stream.substr(0, at), "", stream.substr(at)}));
    ASSERT_EQ(batches.size(), 1u);
    ASSERT_NO_FATAL_FAILURE(CheckRows(batches[0]));
  }
  std::vector<string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, DecodeIn(bytes));
  ASSERT_EQ(batches.size(), 1u);
  CheckRows(batches[0]);
}

TEST(Copy, EndBeforeTheTrailerIsRefused) {
  const string stream = CopyStream();
  for (size_t size = 0; size < stream.size(); ++size) {
    SCOPED_TRACE(size);
    ExpectProtocolError(DecodeIn({stream.substr(0, size)}).status());
  }
  ExpectProtocolError(DecodeIn({stream + "x"}).status());
}

// An error, or rows that are valid.
TEST(Copy, EachByteChanged) {
  const string stream = CopyStream();
  for (size_t at = 0; at < stream.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      SCOPED_TRACE(at * 10 + static_cast<size_t>(bit));
      string damaged = stream;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      const auto batches =
          DecodeIn({damaged.substr(0, stream.size() / 2), damaged.substr(stream.size() / 2)});
      if (!batches.ok()) {
        ExpectProtocolError(batches.status());
        continue;
      }
      for (const ChangeBatch& batch : *batches) ARROWCDC_ASSERT_OK(batch.rows->ValidateFull());
    }
  }
}

TEST(Copy, HeaderIsHeldAgainstTheFormat) {
  const auto with_header = [](uint32_t flags, const string& extension) {
    return Signature() + Be(flags) + Sized(extension) + Be16(-1);
  };
  // The lower flags may be passed over, and so is the extension.
  for (const string& stream : {with_header(0, ""), with_header(0xffff, ""), with_header(0, "more to come")}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, DecodeIn({stream}));
    EXPECT_TRUE(batches.empty());
  }
  ExpectProtocolError(DecodeIn({with_header(0x10000, "")}).status());
  ExpectProtocolError(DecodeIn({Signature() + Be32(0) + Be32(-1) + Be16(-1)}).status());
  ExpectProtocolError(DecodeIn({"id\tname\n1\tone\n2\ttwo\n"}).status());
}

TEST(Copy, TuplesAreHeldAgainstTheTable) {
  const string header = Signature() + Be32(0) + Be32(0);
  for (const string& tuple : {Be16(4), Be16(6), Be16(-2), Be16(5) + Be32(-2), Be16(5) + Sized("short"),
                              Be16(5) + Sized(Be32(1)) + Be32(-2)}) {
    const arrow::Status status = DecodeIn({header + tuple}).status();
    ExpectProtocolError(status);
    EXPECT_NE(status.message().find("at byte"), string::npos) << status.message();
  }
  // The place of a fault within a value is one in the stream: of the second of two elements.
  const string tags = ArrayBytes(kText, {"a"});
  const string damaged =
      header + Be16(5) + Sized(Be32(1)) + Sized(std::nullopt) + Sized(std::nullopt) + Sized(tags + "x");
  const arrow::Status status = DecodeIn({damaged}).status();
  EXPECT_NE(status.message().find("at byte " + std::to_string(damaged.size() - 1)), string::npos)
      << status.message();
  EXPECT_NE(GetErrorDetail(status)->object().find("column tags of table public.items"), string::npos)
      << status.ToString();
}

// What a field says of its length is no reason to take memory for it.
TEST(Copy, LongFields) {
  const string header = Signature() + Be32(0) + Be32(0);
  const string front = header + Be16(5) + Sized(std::nullopt);
  ExpectProtocolError(DecodeIn({front + Be32(INT32_MAX) + "x", "y"}).status());

  CopyDecoder decoder = MakeDecoder(kOptions);
  std::vector<ChangeBatch> batches;
  constexpr int64_t kChunk = 8000;
  constexpr int64_t kChunks = 4000;
  ARROWCDC_ASSERT_OK(decoder.Decode(front + Be32(kChunk * kChunks), &batches));
  const string chunk(kChunk, 'x');
  for (int64_t i = 0; i < kChunks; ++i) ARROWCDC_ASSERT_OK(decoder.Decode(chunk, &batches));
  ARROWCDC_ASSERT_OK(
      decoder.Decode(Sized(std::nullopt) + Sized(std::nullopt) + Sized(std::nullopt) + Be16(-1), &batches));
  ARROWCDC_ASSERT_OK(decoder.Finish(&batches));
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(static_cast<const arrow::StringArray&>(*batches[0].rows->column(1)).GetView(0).size(),
            size_t{kChunk * kChunks});
}

TEST(Copy, BatchesBySize) {
  CopyOptions options = kOptions;
  options.batch_bytes_max = 10000;
  const string header = Signature() + Be32(0) + Be32(0);
  string stream = header;
  constexpr int kRows = 1000;
  for (int i = 0; i < kRows; ++i) stream += Tuple(i, string(100, 'x'));
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto batches, DecodeIn({stream + Be16(-1)}, options));
  EXPECT_GT(batches.size(), 12u);
  EXPECT_LT(batches.size(), 30u);
  int64_t next = 0;
  for (const ChangeBatch& batch : batches) {
    const auto& ids = static_cast<const arrow::Int32Array&>(*batch.rows->column(0));
    for (int64_t row = 0; row < ids.length(); ++row) ASSERT_EQ(ids.Value(row), next++);
  }
  EXPECT_EQ(next, kRows);
}

}  // namespace
}  // namespace arrowcdc::test
