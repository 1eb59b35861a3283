// The Parquet sink's promises one by one, on a file system in memory.
#include "src/sink/parquet_sink.h"

#include <strings.h>

#include <algorithm>

#include <arrow/json/from_string.h>
#include <arrow/io/memory.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "src/sink/testing/memory_file_system.h"
#include "src/sink/testing/parquet_rows.h"
#include "src/change/testing/change_batches.h"
#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"
#include "tests/testing/assert_ok.h"
#include "src/sink/storage_names.h"

namespace arrowcdc::test {
namespace {

const TableName kOrders{"public", "orders"};
const TableName kUsers{"public", "users"};
constexpr char kOrdersDirectory[] = "/d/public.orders";

class ParquetSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    orders_ = MakeTable(kOrders, {arrow::field("id", arrow::int64())});
    users_ = MakeTable(kUsers, {arrow::field("id", arrow::int64())});
  }

  std::unique_ptr<ParquetSink> Make(const ParquetLimits& limits = {}) {
    return std::make_unique<ParquetSink>(
        "/d", options_, &files_, [this] { return now_; }, limits);
  }

  std::unique_ptr<ParquetSink> MakeOpen() {
    auto sink = Make();
    const auto state = sink->Open(TestStream());
    EXPECT_TRUE(state.ok()) << state.status().ToString();
    if (state.ok()) state_ = *state;
    return sink;
  }

  // One transaction: a row an id, the id being its place too.
  ChangeBatch Rows(const std::shared_ptr<const TableSchema>& table, const std::vector<int64_t>& ids) {
    std::vector<RowMeta> rows;
    for (const int64_t id : ids) rows.push_back({Place(id)});
    return MakeBatch(table, rows, {Ids(ids)});
  }
  static RowPosition Place(int64_t id) {
    return {static_cast<uint64_t>(id) * 100 + 50, static_cast<uint64_t>(id) * 100, 0};
  }

  std::vector<std::string> DataFiles(const std::string& directory) {
    std::vector<std::string> out;
    for (const auto& path : files_.Files(directory)) {
      if (path.ends_with(".parquet")) out.push_back(path);
    }
    return out;
  }

  std::vector<int64_t> StoredIds(const std::string& directory) {
    std::vector<int64_t> ids;
    for (const auto& path : DataFiles(directory)) {
      const auto column = ReadParquet(files_, path)->GetColumnByName("id");
      for (const auto& chunk : column->chunks()) {
        for (int64_t i = 0; i < chunk->length(); ++i)
          ids.push_back(static_cast<arrow::Int64Array&>(*chunk).Value(i));
      }
    }
    return ids;
  }

  MemoryFileSystem files_;
  SinkOptions options_;
  std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
  SinkState state_;
  std::shared_ptr<const TableSchema> orders_;
  std::shared_ptr<const TableSchema> users_;
};

TEST_F(ParquetSinkTest, ANewDirectoryHasNoPosition) {
  auto sink = MakeOpen();
  EXPECT_FALSE(state_.position);
  EXPECT_TRUE(state_.last_rows.empty());
  EXPECT_FALSE(sink->durable());
  EXPECT_FALSE(sink->has_pending_rows());
  EXPECT_TRUE(sink->keeps_data());
  ARROWCDC_ASSERT_OK(sink->Close());
  ARROWCDC_ASSERT_OK(sink->Close());
}

TEST_F(ParquetSinkTest, RefusesABatchThatIsNotOfItsSchema) {
  auto sink = MakeOpen();
  const ChangeBatch good = Rows(orders_, {1});
  arrow::ArrayVector columns = good.rows->columns();
  columns[static_cast<size_t>(orders_->metadata_field(MetadataColumn::kOrd))] = Ids({0});
  const ChangeBatch bad{orders_, arrow::RecordBatch::Make(orders_->schema, 1, columns), {}};
  EXPECT_EQ(KindOf(sink->Write(bad)), ErrorKind::kInternal);
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_TRUE(DataFiles("/d").empty());
}

TEST_F(ParquetSinkTest, ADirectoryThatIsGoneIsNotMadeAnew) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(200)));
  ARROWCDC_ASSERT_OK(sink->Flush());
  ARROWCDC_ASSERT_OK(files_.Remove("/d/_arrowcdc_manifest.json"));
  ARROWCDC_ASSERT_OK(sink->Advance(At(300)));
  EXPECT_FALSE(sink->Flush().ok());
  EXPECT_EQ(sink->durable()->order, 200u);
  EXPECT_FALSE(sink->Write(Rows(users_, {4})).ok());
}

TEST_F(ParquetSinkTest, ATablesDirectoryThatIsGoneIsNotMadeAnew) {
  for (const bool fresh_start : {false, true}) {
    auto sink = MakeOpen();
    const int64_t id = fresh_start ? 11 : 1;
    ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {id})));
    ARROWCDC_ASSERT_OK(sink->Flush());
    if (fresh_start) {
      ARROWCDC_ASSERT_OK(sink->Close());
      sink = MakeOpen();
    }
    ARROWCDC_ASSERT_OK(files_.Remove(kOrdersDirectory));
    ARROWCDC_ASSERT_OK(sink->Write(Rows(users_, {id + 1})));
    const auto status = sink->Write(Rows(orders_, {id + 2}));
    EXPECT_EQ(KindOf(status), ErrorKind::kSink);
    EXPECT_NE(status.message().find("public.orders"), std::string::npos) << status.message();
    ARROWCDC_ASSERT_OK(sink->Close());
    EXPECT_EQ(*files_.Kind(kOrdersDirectory), PathKind::kAbsent);
  }
}

TEST_F(ParquetSinkTest, RowsAreDurableAfterFlushAndNotBefore) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 2, 3})));
  EXPECT_TRUE(sink->has_pending_rows());
  ARROWCDC_ASSERT_OK(sink->Advance(At(400)));
  EXPECT_FALSE(sink->durable());
  EXPECT_TRUE(DataFiles("/d").empty());
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_FALSE(sink->has_pending_rows());
  ASSERT_TRUE(sink->durable());
  EXPECT_EQ(sink->durable()->order, 400u);
  EXPECT_EQ(DataFiles("/d"),
            std::vector<std::string>{"/d/public.orders/000000000000015e-000000000000012c-00000.parquet"});
  EXPECT_EQ(StoredIds(kOrdersDirectory), (std::vector<int64_t>{1, 2, 3}));

  sink.reset();
  files_.KillProcess();
  MakeOpen();
  EXPECT_EQ(state_.position, At(400, 1));
  EXPECT_EQ(state_.last_rows, (std::map<TableName, RowPosition>{{kOrders, Place(3)}}));
}

TEST_F(ParquetSinkTest, OrderOfOperationsThatMakesRowsDurable) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(200)));
  files_.log.clear();
  ARROWCDC_ASSERT_OK(sink->Flush());
  std::vector<std::string> steps;
  for (const auto& step : files_.log) {
    if (!step.starts_with("write") && !step.starts_with("create") && !step.starts_with("close"))
      steps.push_back(step);
  }
  const std::string temporary = "/d/public.orders/.0000000000000096-0000000000000064-00000.inprogress";
  const std::string final_name = "/d/public.orders/0000000000000096-0000000000000064-00000.parquet";
  const std::string manifest = "/d/_arrowcdc_manifest.json";
  EXPECT_EQ(steps, (std::vector<std::string>{
                       "sync " + temporary,
                       "rename " + temporary + " " + final_name,
                       "sync directory /d/public.orders",
                       "sync " + manifest + ".inprogress",
                       "rename " + manifest + ".inprogress " + manifest,
                       "sync directory /d",
                   }));
}

TEST_F(ParquetSinkTest, AdvanceDoesNotCloseFilesAndGroupsAreMerged) {
  auto sink = MakeOpen();
  for (int64_t id = 1; id <= 100; ++id) {
    ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {id})));
    ARROWCDC_ASSERT_OK(sink->Advance(At(static_cast<uint64_t>(id) * 100 + 60)));
  }
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(DataFiles("/d").size(), 1u);
  EXPECT_EQ(StoredIds(kOrdersDirectory).size(), 100u);
  EXPECT_EQ(OpenParquet(files_, DataFiles("/d")[0])->num_row_groups(), 1);
}

TEST_F(ParquetSinkTest, RollsByRowsExactlyAndStoresTheFloor) {
  options_.roll_rows = 4;
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 2})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(260)));
  EXPECT_FALSE(sink->durable());
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {3, 4, 5, 6, 7, 8, 9, 10, 11})));
  ARROWCDC_ASSERT_OK(sink->Settle());
  // 8 rows in two files; the third began before anything after 260 was advanced to.
  EXPECT_EQ(StoredIds(kOrdersDirectory), (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8}));
  EXPECT_EQ(DataFiles(kOrdersDirectory).size(), 2u);
  ASSERT_TRUE(sink->durable());
  EXPECT_EQ(sink->durable()->order, 260u);
  ARROWCDC_ASSERT_OK(sink->Advance(At(1200)));
  EXPECT_EQ(sink->durable()->order, 260u);
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(sink->durable()->order, 1200u);
  EXPECT_EQ(StoredIds(kOrdersDirectory).size(), 11u);
}

TEST_F(ParquetSinkTest, TellsOfEachFileOnceItIsDurable) {
  std::vector<ClosedFile> closed;
  options_.on_file_closed = [&](const ClosedFile& file) {
    const auto named = DataFiles("/d");
    EXPECT_NE(std::find(named.begin(), named.end(), file.path), named.end()) << "it has its name by then";
    closed.push_back(file);
  };
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 2})));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(users_, {3})));
  EXPECT_TRUE(closed.empty());
  ARROWCDC_ASSERT_OK(sink->Close());
  ASSERT_EQ(closed.size(), 2u);
  std::sort(closed.begin(), closed.end(), [](const auto& a, const auto& b) { return a.table < b.table; });
  const int64_t rows[] = {2, 1};
  const int64_t last[] = {2, 3};
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(closed[i].table, i == 0 ? kOrders : kUsers);
    EXPECT_EQ(closed[i].rows, rows[i]);
    EXPECT_EQ(closed[i].last_row, Place(last[i]));
    EXPECT_EQ(closed[i].bytes, static_cast<int64_t>(ReadFile(files_, closed[i].path).ValueOrDie().size()));
  }
}

TEST_F(ParquetSinkTest, RollsByBytesAsWritten) {
  options_.roll_bytes = 20'000;
  auto sink = MakeOpen();
  std::mt19937_64 random(7);
  int64_t id = 1;
  for (int batch = 0; batch < 200; ++batch) {
    std::vector<RowMeta> rows;
    std::vector<int64_t> values;
    for (int i = 0; i < 50; ++i) {
      rows.push_back({Place(id++)});
      values.push_back(static_cast<int64_t>(random()));
    }
    ARROWCDC_ASSERT_OK(sink->Write(MakeBatch(orders_, rows, {Ids(values)})));
  }
  ARROWCDC_ASSERT_OK(sink->Close());
  const auto paths = DataFiles("/d");
  ASSERT_GT(paths.size(), 3u);
  EXPECT_EQ(StoredIds(kOrdersDirectory).size(), 10'000u);
  for (size_t i = 0; i + 1 < paths.size(); ++i) {
    const auto bytes = static_cast<int64_t>(ReadFile(files_, paths[i])->size());
    EXPECT_GT(bytes, options_.roll_bytes / 2) << paths[i];
    EXPECT_LT(bytes, options_.roll_bytes * 2) << paths[i];
  }
}

TEST_F(ParquetSinkTest, TickClosesWhatIsOldAndKeepsWhatIsYoung) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(160)));
  now_ += options_.roll_age / 2;
  ARROWCDC_ASSERT_OK(sink->Write(Rows(users_, {2})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(260)));
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_TRUE(DataFiles("/d").empty());
  now_ += options_.roll_age / 2;
  ARROWCDC_ASSERT_OK(sink->Tick());
  ARROWCDC_ASSERT_OK(sink->Settle());
  EXPECT_EQ(DataFiles("/d").size(), 1u);
  ASSERT_TRUE(sink->durable());
  EXPECT_EQ(sink->durable()->order, 160u);
  EXPECT_TRUE(sink->has_pending_rows());
  now_ += options_.roll_age / 2;
  ARROWCDC_ASSERT_OK(sink->Tick());
  ARROWCDC_ASSERT_OK(sink->Settle());
  EXPECT_EQ(sink->durable()->order, 260u);
  EXPECT_FALSE(sink->has_pending_rows());
}

TEST_F(ParquetSinkTest, IdleAdvanceIsStoredByFlushOnceAndByTickWhenOld) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(sink->durable()->order, 100u);
  const int64_t operations = files_.operations();
  ARROWCDC_ASSERT_OK(sink->Flush());
  ARROWCDC_ASSERT_OK(sink->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink->Flush());
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_EQ(files_.operations(), operations);
  ARROWCDC_ASSERT_OK(sink->Advance(At(200)));
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_EQ(sink->durable()->order, 100u);
  now_ += options_.roll_age;
  ARROWCDC_ASSERT_OK(sink->Tick());
  EXPECT_EQ(sink->durable()->order, 200u);
}

TEST_F(ParquetSinkTest, FlushBeforeTheFirstAdvanceStoresRowsOnly) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_FALSE(sink->durable());
  ARROWCDC_ASSERT_OK(sink->Close());
  MakeOpen();
  EXPECT_FALSE(state_.position);
  EXPECT_EQ(state_.last_rows.at(kOrders), Place(1));
}

TEST_F(ParquetSinkTest, RowsOfAnUnfinishedTransactionMayLieBeyondThePosition) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 2})));
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(sink->durable()->order, 100u);
  sink.reset();
  files_.KillProcess();
  MakeOpen();
  EXPECT_EQ(state_.position->order, 100u);
  EXPECT_EQ(state_.last_rows.at(kOrders), Place(2));
}

TEST_F(ParquetSinkTest, ASchemaChangeClosesTheTablesFile) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  const auto wider =
      MakeTable(kOrders, {arrow::field("id", arrow::int64()), arrow::field("note", arrow::utf8())}, 2);
  const auto notes = arrow::json::ArrayFromJSONString(arrow::utf8(), R"(["x"])").ValueOrDie();
  ARROWCDC_ASSERT_OK(sink->Write(MakeBatch(wider, {{Place(2)}}, {Ids({2}), notes})));
  ARROWCDC_ASSERT_OK(sink->Close());
  const auto paths = DataFiles(kOrdersDirectory);
  ASSERT_EQ(paths.size(), 2u);
  EXPECT_EQ(ReadParquet(files_, paths[0])->num_columns(), 1 + kMetadataColumnCount);
  EXPECT_EQ(ReadParquet(files_, paths[1])->num_columns(), 2 + kMetadataColumnCount);
}

TEST_F(ParquetSinkTest, ATableWithoutColumnsHasItsMetadata) {
  auto sink = MakeOpen();
  const auto bare = MakeTable({"public", "bare"}, {});
  ARROWCDC_ASSERT_OK(sink->Write(MakeBatch(bare, {{Place(1)}, {Place(2), Op::kDelete}}, {})));
  ARROWCDC_ASSERT_OK(sink->Close());
  const auto table = ReadParquet(files_, DataFiles("/d/public.bare").at(0));
  EXPECT_EQ(table->num_rows(), 2);
  EXPECT_EQ(table->schema()->field_names()[0], "_op");
}

TEST_F(ParquetSinkTest, FooterTellsWhatIsInside) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {3, 4, 5})));
  ARROWCDC_ASSERT_OK(sink->Close());
  const auto reader = OpenParquet(files_, DataFiles("/d").at(0));
  const auto metadata = reader->parquet_reader()->metadata()->key_value_metadata();
  EXPECT_EQ(metadata->Get("arrowcdc:schema").ValueOr(""), "public");
  EXPECT_EQ(metadata->Get("arrowcdc:table").ValueOr(""), "orders");
  EXPECT_EQ(metadata->Get("arrowcdc:oid").ValueOr(""), "16384");
  EXPECT_EQ(metadata->Get("arrowcdc:fingerprint").ValueOr(""), "0000000000000001");
  EXPECT_EQ(metadata->Get("arrowcdc:first_row").ValueOr(""), "0/15E 0/12C 0");
  EXPECT_EQ(metadata->Get("arrowcdc:last_row").ValueOr(""), "0/226 0/1F4 0");
  EXPECT_EQ(metadata->Get("arrowcdc:version").ValueOr(""), "2");
  EXPECT_TRUE(metadata->Contains("ARROW:schema"));
  EXPECT_FALSE(metadata->Contains("arrowcdc:emptied"));
}

TEST_F(ParquetSinkTest, RefusesAForeignDirectory) {
  ARROWCDC_ASSERT_OK(files_.MakeDirectory("/d"));
  ASSERT_TRUE(files_.Create("/d/precious.txt").ok());
  const auto status = Make()->Open(TestStream()).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kSink);
  EXPECT_NE(status.message().find("precious.txt"), std::string::npos) << status.message();
  EXPECT_EQ(files_.Files("/d"), std::vector<std::string>{"/d/precious.txt"});
}

TEST_F(ParquetSinkTest, AStartThatWasRefusedClaimsNothing) {
  ARROWCDC_ASSERT_OK(MakeOpen()->Close());
  StreamIdentity other = TestStream();
  other.slot = "other";
  auto next = Make();
  ARROWCDC_ASSERT_OK(next->Open(other).status());
  ARROWCDC_ASSERT_OK(next->Advance(At(10)));
  ARROWCDC_ASSERT_OK(next->Close());
  EXPECT_EQ(KindOf(Make()->Open(TestStream()).status()), ErrorKind::kPositionGap);
}

TEST_F(ParquetSinkTest, RefusesAnotherStream) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(100, 1)));
  ARROWCDC_ASSERT_OK(sink->Close());
  const auto refused = [&](const StreamIdentity& stream, const std::string& now) {
    const auto status = Make()->Open(stream).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kPositionGap);
    EXPECT_NE(status.message().find(now), std::string::npos) << status.message();
    EXPECT_FALSE(GetErrorDetail(status)->remedy().empty());
  };
  StreamIdentity other = TestStream();
  other.source.id = "999";
  refused(other, "999");
  other = TestStream();
  other.slot = "other_slot";
  refused(other, "other_slot");
}

TEST_F(ParquetSinkTest, AnEpochComesBehindTheOneBeforeItHoweverLowItsOrders) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(900, 1)));
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(20, 2)));
  ARROWCDC_ASSERT_OK(sink->Advance(At(950, 1)));  // nothing goes backwards
  EXPECT_EQ(sink->durable(), std::nullopt) << "the row is not in a complete file";
  ARROWCDC_ASSERT_OK(sink->Flush());
  EXPECT_EQ(sink->durable(), At(20, 2));
  ARROWCDC_ASSERT_OK(sink->Close());
  MakeOpen();
  EXPECT_EQ(state_.position, At(20, 2));
}

// ALTER DATABASE ... RENAME: system and slot are the same, so are the rows.
TEST_F(ParquetSinkTest, GoesOnUnderAnotherDatabaseName) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Advance(At(100)));
  ARROWCDC_ASSERT_OK(sink->Close());
  StreamIdentity renamed = TestStream();
  renamed.database = "shop_old";
  sink = Make();
  const auto state = sink->Open(renamed).ValueOrDie();
  EXPECT_EQ(state.position->order, 100u);
  EXPECT_EQ(state.stream->database, "shop");
  ARROWCDC_ASSERT_OK(sink->Advance(At(200)));
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(Make()->Open(renamed).ValueOrDie().stream->database, "shop_old");
}

TEST_F(ParquetSinkTest, RemembersWhatItsRowsCameFrom) {
  auto sink = MakeOpen();
  EXPECT_FALSE(state_.stream);
  EXPECT_TRUE(state_.table_ids.empty());
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(200)));
  ARROWCDC_ASSERT_OK(sink->Close());
  StreamIdentity other = TestStream();
  other.publications = {"q", "r"};
  other.patterns = {"public.*"};
  sink = Make();
  auto state = sink->Open(other).ValueOrDie();
  EXPECT_EQ(state.stream->publications, std::vector<std::string>{"p"});
  EXPECT_TRUE(state.stream->patterns.empty());
  EXPECT_EQ(state.table_ids, (std::map<TableName, uint32_t>{{kOrders, 16384}}));
  // The name comes back as another relation, whose rows are durable before any position is.
  const auto again = MakeTable(kOrders, {arrow::field("id", arrow::int64())}, 9, 20000);
  ARROWCDC_ASSERT_OK(sink->Write(Rows(again, {5})));
  ARROWCDC_ASSERT_OK(sink->Flush());
  sink.reset();
  files_.KillProcess();
  sink = Make();
  state = sink->Open(other).ValueOrDie();
  EXPECT_EQ(state.position->order, 200u);
  EXPECT_EQ(state.table_ids, (std::map<TableName, uint32_t>{{kOrders, 20000}}));
  ARROWCDC_ASSERT_OK(sink->Advance(At(600)));
  ARROWCDC_ASSERT_OK(sink->Close());
  // Without any file of the table left, the manifest knows.
  for (const auto& path : DataFiles("/d")) ARROWCDC_ASSERT_OK(files_.Remove(path));
  state = Make()->Open(other).ValueOrDie();
  EXPECT_EQ(state.table_ids, (std::map<TableName, uint32_t>{{kOrders, 20000}}));
  EXPECT_EQ(state.stream->publications, (std::vector<std::string>{"q", "r"}));
  EXPECT_EQ(state.stream->patterns, std::vector<std::string>{"public.*"});
}

// One file of a table in the directory as version 1 wrote it; `version` is what its footer says.
void WriteFileOfVersion(MemoryFileSystem& files, const std::string& path, const std::string& version) {
  const auto schema = arrow::schema(
      {arrow::field("id", arrow::int64()), arrow::field("_unchanged", arrow::list(arrow::int16()))},
      arrow::key_value_metadata({{"arrowcdc:schema", "public"},
                                 {"arrowcdc:table", "orders"},
                                 {"arrowcdc:oid", "16384"},
                                 {"arrowcdc:first_row", "0/96 0/64 0"},
                                 {"arrowcdc:last_row", "0/96 0/64 0"},
                                 {"arrowcdc:version", version}}));
  const auto rows = arrow::Table::FromRecordBatches({arrow::RecordBatch::Make(
      schema, 1, {Ids({1}), arrow::MakeArrayOfNull(schema->field(1)->type(), 1).ValueOrDie()})});
  const auto out = arrow::io::BufferOutputStream::Create().ValueOrDie();
  ARROWCDC_ASSERT_OK(parquet::arrow::WriteTable(
      **rows, arrow::default_memory_pool(), out, 1 << 20, parquet::default_writer_properties(),
      parquet::ArrowWriterProperties::Builder().store_schema()->build()));
  ARROWCDC_ASSERT_OK(ReplaceFile(files, path, out->Finish().ValueOrDie()->ToString()));
}

TEST_F(ParquetSinkTest, ADirectoryOfAnotherVersionIsRefusedAndLeftAsItIs) {
  const std::string old_file = "/d/public.orders/0000000000000096-0000000000000064-00000.parquet";
  const auto refused = [&](const std::string& about) {
    const auto before = files_.Files("/d");
    const auto status = Make()->Open(TestStream()).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kSink) << status;
    EXPECT_EQ(GetErrorDetail(status)->object(), "/d");
    EXPECT_NE(status.message().find(about), std::string::npos) << status;
    EXPECT_FALSE(GetErrorDetail(status)->remedy().empty());
    EXPECT_EQ(files_.Files("/d"), before);
  };
  // Its data files without its manifest.
  ARROWCDC_ASSERT_OK(files_.MakeDirectory("/d"));
  ARROWCDC_ASSERT_OK(files_.MakeDirectory("/d/public.orders"));
  WriteFileOfVersion(files_, old_file, "0.1.0");
  refused("has no manifest");
  ARROWCDC_ASSERT_OK(files_.Remove(old_file));
  ARROWCDC_ASSERT_OK(files_.Remove("/d/public.orders"));

  // Its data files beside a manifest of ours, alone or older than ours.
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 5})));
  ARROWCDC_ASSERT_OK(sink->Advance(At(600)));
  ARROWCDC_ASSERT_OK(sink->Close());
  for (const char* version : {"0.1.0", "1", "3"}) {
    WriteFileOfVersion(files_, old_file, version);
    refused(std::string("/d holds version ") + (version[0] == '3' ? "3" : "1"));
  }
  const std::string manifest = ReadFile(files_, "/d/_arrowcdc_manifest.json").ValueOrDie();
  for (const auto& path : DataFiles("/d")) {
    if (path != old_file) ARROWCDC_ASSERT_OK(files_.Remove(path));
  }
  refused("/d holds version 3");
  ARROWCDC_ASSERT_OK(files_.Remove(old_file));

  // Its manifest.
  for (const std::string version : {"1", "3"}) {
    std::string other = manifest;
    other.replace(other.find("\"arrowcdc_manifest\": 2"), 22, "\"arrowcdc_manifest\": " + version);
    ARROWCDC_ASSERT_OK(ReplaceFile(files_, "/d/_arrowcdc_manifest.json", other));
    refused("/d holds version " + version);
  }
}

TEST_F(ParquetSinkTest, TwoWritersInOneDirectory) {
  auto first = MakeOpen();
  const auto status = Make()->Open(TestStream()).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kSink);
  first.reset();
  MakeOpen();
}

TEST_F(ParquetSinkTest, LeftoversAreRemovedAndNotRead) {
  auto sink = std::make_unique<ParquetSink>(
      "/d", options_, &files_, [this] { return now_; }, ParquetLimits{.buffered_bytes = 1});
  ARROWCDC_ASSERT_OK(sink->Open(TestStream()).status());
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  const auto in_progress = files_.Files(kOrdersDirectory);
  ASSERT_EQ(in_progress.size(), 1u);
  EXPECT_FALSE(in_progress[0].ends_with(".parquet"));
  sink.reset();
  files_.KillProcess();
  MakeOpen();
  EXPECT_TRUE(files_.Files(kOrdersDirectory).empty());
  EXPECT_TRUE(state_.last_rows.empty());
}

TEST_F(ParquetSinkTest, ABrokenLastFileIsNamed) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Close());
  const std::string path = DataFiles("/d").at(0);
  const auto content = ReadFile(files_, path).ValueOrDie();
  for (const size_t keep : {size_t{0}, size_t{3}, content.size() / 2, content.size() - 1}) {
    ARROWCDC_ASSERT_OK(ReplaceFile(files_, path, content.substr(0, keep)));
    const auto status = Make()->Open(TestStream()).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kSink);
    EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
  }
  ARROWCDC_ASSERT_OK(ReplaceFile(files_, path, content));
  MakeOpen();
  EXPECT_EQ(state_.last_rows.at(kOrders), Place(1));
}

TEST_F(ParquetSinkTest, AFileThatIsNotInItsPlaceIsNamed) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1})));
  ARROWCDC_ASSERT_OK(sink->Close());
  const std::string path = DataFiles("/d").at(0);
  const std::string later = JoinPath(kOrdersDirectory, DataFileName(Place(9)));
  ARROWCDC_ASSERT_OK(files_.Rename(path, later));
  EXPECT_NE(Make()->Open(TestStream()).status().message().find(later), std::string::npos);
  const std::string unknown = JoinPath(kOrdersDirectory, "compacted.parquet");
  ARROWCDC_ASSERT_OK(files_.Rename(later, unknown));
  EXPECT_NE(Make()->Open(TestStream()).status().message().find(unknown), std::string::npos);
}

TEST_F(ParquetSinkTest, RowsThatComeTwiceAreRefused) {
  auto sink = MakeOpen();
  ARROWCDC_ASSERT_OK(sink->Write(Rows(orders_, {1, 2})));
  EXPECT_EQ(KindOf(sink->Write(Rows(orders_, {2, 3}))), ErrorKind::kInternal);
  // After a failed call only Close does anything, and it claims nothing.
  EXPECT_FALSE(sink->Write(Rows(orders_, {7})).ok());
  EXPECT_FALSE(sink->Flush().ok());
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_FALSE(sink->durable());
  EXPECT_TRUE(DataFiles("/d").empty());
}

TEST_F(ParquetSinkTest, FewFilesAreWrittenAtTheSameTimeWhateverTheLimitsAre) {
  options_.roll_bytes = 3000;  // reached by the first rows in memory, before any is written
  auto sink = Make({.files_on_disk = 2});
  ARROWCDC_ASSERT_OK(sink->Open(TestStream()).status());
  for (int i = 0; i < 6; ++i) {
    const auto table = MakeTable({"public", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64())});
    ARROWCDC_ASSERT_OK(sink->Write(Rows(table, {i + 1})));
    ARROWCDC_ASSERT_OK(sink->Settle());
    const auto paths = files_.Files("/d");
    EXPECT_LE(std::count_if(paths.begin(), paths.end(),
                            [](const auto& path) { return path.ends_with(".inprogress"); }),
              2);
  }
  ARROWCDC_ASSERT_OK(sink->Close());
  EXPECT_EQ(DataFiles("/d").size(), 6u);
}

TEST_F(ParquetSinkTest, MemoryIsBoundedOverAllTables) {
  ParquetLimits limits;
  limits.buffered_bytes = 200'000;
  limits.files_on_disk = 3;
  auto sink = Make(limits);
  ARROWCDC_ASSERT_OK(sink->Open(TestStream()).status());
  std::vector<std::shared_ptr<const TableSchema>> tables;
  for (int i = 0; i < 8; ++i) {
    tables.push_back(MakeTable({"public", "t" + std::to_string(i)}, {arrow::field("id", arrow::int64())}));
  }
  const int64_t before = arrow::default_memory_pool()->bytes_allocated();
  int64_t id = 0;
  for (int round = 0; round < 100; ++round) {
    for (const auto& table : tables) {
      std::vector<int64_t> ids;
      for (int i = 0; i < 100; ++i) ids.push_back(++id);
      ARROWCDC_ASSERT_OK(sink->Write(Rows(table, ids)));
    }
    EXPECT_LT(arrow::default_memory_pool()->bytes_allocated() - before, 4 << 20);
  }
  ARROWCDC_ASSERT_OK(sink->Close());
  size_t rows = 0;
  for (int i = 0; i < 8; ++i) rows += StoredIds("/d/public.t" + std::to_string(i)).size();
  EXPECT_EQ(rows, static_cast<size_t>(id));
}

// As vfat, or a share that another system serves.
class CaseFoldingFileSystem : public MemoryFileSystem {
 public:
  arrow::Result<PathKind> Kind(const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(const PathKind kind, MemoryFileSystem::Kind(path));
    const std::string parent = ParentDirectory(path);
    if (kind != PathKind::kAbsent || MemoryFileSystem::Kind(parent).ValueOr(kind) != PathKind::kDirectory)
      return kind;
    ARROW_ASSIGN_OR_RAISE(const auto names, List(parent));
    for (const auto& name : names) {
      const std::string there = JoinPath(parent, name);
      if (strcasecmp(there.c_str(), path.c_str()) == 0) return MemoryFileSystem::Kind(there);
    }
    return PathKind::kAbsent;
  }
};

TEST(ParquetSinkCaseTest, TwoTablesNeverShareADirectory) {
  const auto lower = MakeTable({"public", "orders"}, {arrow::field("id", arrow::int64())});
  const auto upper = MakeTable({"public", "Orders"}, {arrow::field("id", arrow::int64())});
  const auto row = [](const auto& table, uint64_t place) {
    return MakeBatch(table, {{{place, place, 0}}}, {Ids({1})});
  };
  for (const bool fresh_start : {false, true}) {
    CaseFoldingFileSystem files;
    auto sink = std::make_unique<ParquetSink>("/d", SinkOptions{}, &files);
    ASSERT_TRUE(sink->Open(TestStream()).ok());
    ARROWCDC_ASSERT_OK(sink->Write(row(lower, 100)));
    ARROWCDC_ASSERT_OK(sink->Flush());
    ARROWCDC_ASSERT_OK(sink->Write(row(lower, 200)));
    if (fresh_start) {
      ARROWCDC_ASSERT_OK(sink->Close());
      sink = std::make_unique<ParquetSink>("/d", SinkOptions{}, &files);
      ASSERT_TRUE(sink->Open(TestStream()).ok());
    }
    const auto status = sink->Write(row(upper, 300));
    EXPECT_EQ(KindOf(status), ErrorKind::kSink);
    EXPECT_NE(status.message().find("public.\"Orders\""), std::string::npos) << status.message();
  }
  MemoryFileSystem files;  // where they differ, both are stored
  ParquetSink sink("/d", SinkOptions{}, &files);
  ASSERT_TRUE(sink.Open(TestStream()).ok());
  ARROWCDC_ASSERT_OK(sink.Write(row(lower, 100)));
  ARROWCDC_ASSERT_OK(sink.Write(row(upper, 200)));
  ARROWCDC_ASSERT_OK(sink.Close());
  EXPECT_EQ(files.Files("/d/public.Orders").size() + files.Files("/d/public.orders").size(), 2u);
}

}  // namespace
}  // namespace arrowcdc::test
