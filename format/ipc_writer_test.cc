// What the writer wrote is read by Arrow C++ and compared with schemas and batches made through Arrow's own
// API.
#include "format/ipc_writer.h"

#include <deque>
#include <random>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/api.h>
#include <gtest/gtest.h>

#include "format/testing/batch.h"

namespace arrowcdc::format {
namespace {

using Random = std::mt19937_64;

int Pick(Random& random, int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

// Owns what the Field trees point to.
struct Arena {
  std::deque<std::string> strings;
  std::deque<std::vector<Field>> fields;
  std::deque<std::vector<KeyValue>> metadata;

  const char* Keep(std::string text) { return strings.emplace_back(std::move(text)).c_str(); }
};

std::string RandomText(Random& random, int bytes_max) {
  static const char* kPieces[] = {"a", "B", "0", "_", " ", "\"", "\n", "ä", "☃", "𝄞", "'", "."};
  std::string text;
  for (int n = Pick(random, 0, bytes_max); static_cast<int>(text.size()) < n;)
    text += kPieces[Pick(random, 0, 11)];
  return text;
}

std::shared_ptr<arrow::KeyValueMetadata> RandomMetadata(Random& random, Arena* arena, const KeyValue** out,
                                                        int32_t* count) {
  *out = nullptr;
  *count = Pick(random, 0, 2) == 0 ? Pick(random, 1, 5) : 0;
  if (*count == 0) return nullptr;
  auto result = std::make_shared<arrow::KeyValueMetadata>();
  auto& entries = arena->metadata.emplace_back();
  for (int i = 0; i < *count; ++i) {
    std::string key = "k" + std::to_string(i) + RandomText(random, 9);
    std::string value = RandomText(random, 40);
    result->Append(key, value);
    entries.push_back({arena->Keep(key), arena->Keep(value)});
  }
  *out = entries.data();
  return result;
}

constexpr int kTypeCount = static_cast<int>(ArrowTypeId::kStruct) + 1;

std::shared_ptr<arrow::Field> RandomField(Random& random, Arena* arena, int depth, Field* out);

std::shared_ptr<arrow::DataType> TypeOf(Random& random, Arena* arena, int depth, Field* out) {
  switch (out->type) {
    case ArrowTypeId::kBool:
      return arrow::boolean();
    case ArrowTypeId::kInt8:
      return arrow::int8();
    case ArrowTypeId::kInt16:
      return arrow::int16();
    case ArrowTypeId::kInt32:
      return arrow::int32();
    case ArrowTypeId::kInt64:
      return arrow::int64();
    case ArrowTypeId::kUint8:
      return arrow::uint8();
    case ArrowTypeId::kUint16:
      return arrow::uint16();
    case ArrowTypeId::kUint32:
      return arrow::uint32();
    case ArrowTypeId::kUint64:
      return arrow::uint64();
    case ArrowTypeId::kFloat32:
      return arrow::float32();
    case ArrowTypeId::kFloat64:
      return arrow::float64();
    case ArrowTypeId::kUtf8:
      return arrow::utf8();
    case ArrowTypeId::kBinary:
      return arrow::binary();
    case ArrowTypeId::kDate32:
      return arrow::date32();
    case ArrowTypeId::kTime64Us:
      return arrow::time64(arrow::TimeUnit::MICRO);
    case ArrowTypeId::kMonthDayNano:
      return arrow::month_day_nano_interval();
    case ArrowTypeId::kFixedSizeBinary:
      out->byte_width = Pick(random, 1, 40);
      return arrow::fixed_size_binary(out->byte_width);
    case ArrowTypeId::kDecimal128:
      out->precision = Pick(random, 1, 38);
      out->scale = Pick(random, -10, 45);
      return arrow::decimal128(out->precision, out->scale);
    case ArrowTypeId::kDecimal256:
      out->precision = Pick(random, 1, 76);
      out->scale = Pick(random, -10, 90);
      return arrow::decimal256(out->precision, out->scale);
    case ArrowTypeId::kTimestampUs:
      out->utc = Pick(random, 0, 1) == 1;
      return out->utc ? arrow::timestamp(arrow::TimeUnit::MICRO, "UTC")
                      : arrow::timestamp(arrow::TimeUnit::MICRO);
    case ArrowTypeId::kList: {
      auto& children = arena->fields.emplace_back(1);
      auto child = RandomField(random, arena, depth - 1, &children[0]);
      out->children = children.data();
      out->children_count = 1;
      return arrow::list(child);
    }
    case ArrowTypeId::kFixedSizeList: {
      auto& children = arena->fields.emplace_back(1);
      auto child = RandomField(random, arena, depth - 1, &children[0]);
      out->children = children.data();
      out->children_count = 1;
      out->list_size = Pick(random, 0, 3);
      return arrow::fixed_size_list(child, out->list_size);
    }
    case ArrowTypeId::kMap: {
      auto& pair = arena->fields.emplace_back(2);
      auto key = RandomField(random, arena, 0, &pair[0])->type();
      auto item = RandomField(random, arena, depth - 1, &pair[1])->type();
      // Arrow's reader gives these fields names of its own and no metadata.
      pair[0].name = "key";
      pair[1].name = "value";
      pair[0].metadata_count = pair[1].metadata_count = 0;
      pair[0].required = true;
      auto& entries = arena->fields.emplace_back(1);
      entries[0] = Field{};
      entries[0].name = "entries";
      entries[0].type = ArrowTypeId::kStruct;
      entries[0].children = pair.data();
      entries[0].children_count = 2;
      entries[0].required = true;
      out->children = entries.data();
      out->children_count = 1;
      return arrow::map(key, item);
    }
    case ArrowTypeId::kStruct: {
      auto& children = arena->fields.emplace_back(Pick(random, 0, 4));
      arrow::FieldVector fields;
      for (auto& child : children) fields.push_back(RandomField(random, arena, depth - 1, &child));
      out->children = children.data();
      out->children_count = static_cast<int32_t>(children.size());
      return arrow::struct_(fields);
    }
  }
  return nullptr;
}

std::shared_ptr<arrow::Field> RandomField(Random& random, Arena* arena, int depth, Field* out) {
  *out = {};
  std::string name = RandomText(random, 63);
  out->name = arena->Keep(name);
  out->type = static_cast<ArrowTypeId>(Pick(random, 0, depth > 0 ? kTypeCount - 1 : kTypeCount - 5));
  auto type = TypeOf(random, arena, depth, out);
  auto metadata = RandomMetadata(random, arena, &out->metadata, &out->metadata_count);
  return arrow::field(name, type, /*nullable=*/true, metadata);
}

// A schema in both forms.
struct BothSchemas {
  Arena arena;
  std::vector<Field> fields;
  const KeyValue* metadata = nullptr;
  int32_t metadata_count = 0;
  std::shared_ptr<arrow::Schema> schema;
};

std::unique_ptr<BothSchemas> RandomSchema(Random& random, int field_count) {
  auto both = std::make_unique<BothSchemas>();
  both->fields.resize(field_count);
  arrow::FieldVector fields;
  for (auto& field : both->fields) fields.push_back(RandomField(random, &both->arena, 3, &field));
  auto metadata = RandomMetadata(random, &both->arena, &both->metadata, &both->metadata_count);
  both->schema = arrow::schema(fields, metadata);
  return both;
}

void WriteSchema(const BothSchemas& both, ByteBuffer* out) {
  WriteSchemaMessage(both.fields.data(), static_cast<int32_t>(both.fields.size()), both.metadata,
                     both.metadata_count, out);
}

std::shared_ptr<arrow::Buffer> BufferOf(const TestBuffer& bytes) {
  return std::make_shared<arrow::Buffer>(bytes.data(), static_cast<int64_t>(bytes.size()));
}

arrow::Result<std::shared_ptr<arrow::Schema>> ReadBack(const TestBuffer& bytes) {
  arrow::io::BufferReader reader(BufferOf(bytes));
  arrow::ipc::DictionaryMemo memo;
  ARROW_ASSIGN_OR_RAISE(auto schema, arrow::ipc::ReadSchema(&reader, &memo));
  ARROW_ASSIGN_OR_RAISE(int64_t end, reader.Tell());
  EXPECT_EQ(end, static_cast<int64_t>(bytes.size()));
  EXPECT_EQ(bytes.size() % 8, 0u);
  return schema;
}

// One value or null, of any type the writer knows.
void AppendRandom(Random& random, arrow::ArrayBuilder* builder, bool nulls);

template <typename Builder>
void AppendNumber(Random& random, arrow::ArrayBuilder* builder) {
  using Value = typename Builder::value_type;
  ASSERT_TRUE(static_cast<Builder*>(builder)->Append(static_cast<Value>(random() % 120)).ok());
}

// NOLINTNEXTLINE(readability-function-size): a case a type
void AppendValue(Random& random, arrow::ArrayBuilder* builder, bool nulls) {
  std::shared_ptr<arrow::DataType> type = builder->type();
  switch (type->id()) {
    case arrow::Type::BOOL:
      return AppendNumber<arrow::BooleanBuilder>(random, builder);
    case arrow::Type::INT8:
      return AppendNumber<arrow::Int8Builder>(random, builder);
    case arrow::Type::INT16:
      return AppendNumber<arrow::Int16Builder>(random, builder);
    case arrow::Type::INT32:
      return AppendNumber<arrow::Int32Builder>(random, builder);
    case arrow::Type::INT64:
      return AppendNumber<arrow::Int64Builder>(random, builder);
    case arrow::Type::UINT8:
      return AppendNumber<arrow::UInt8Builder>(random, builder);
    case arrow::Type::UINT16:
      return AppendNumber<arrow::UInt16Builder>(random, builder);
    case arrow::Type::UINT32:
      return AppendNumber<arrow::UInt32Builder>(random, builder);
    case arrow::Type::UINT64:
      return AppendNumber<arrow::UInt64Builder>(random, builder);
    case arrow::Type::FLOAT:
      return AppendNumber<arrow::FloatBuilder>(random, builder);
    case arrow::Type::DOUBLE:
      return AppendNumber<arrow::DoubleBuilder>(random, builder);
    case arrow::Type::DATE32:
      return AppendNumber<arrow::Date32Builder>(random, builder);
    case arrow::Type::TIME64:
      return AppendNumber<arrow::Time64Builder>(random, builder);
    case arrow::Type::TIMESTAMP:
      return AppendNumber<arrow::TimestampBuilder>(random, builder);
    case arrow::Type::STRING:
      ASSERT_TRUE(static_cast<arrow::StringBuilder*>(builder)->Append(RandomText(random, 20)).ok());
      return;
    case arrow::Type::BINARY:
      ASSERT_TRUE(static_cast<arrow::BinaryBuilder*>(builder)->Append(RandomText(random, 20)).ok());
      return;
    case arrow::Type::FIXED_SIZE_BINARY: {
      std::string value(static_cast<const arrow::FixedSizeBinaryType&>(*type).byte_width(), 'x');
      ASSERT_TRUE(static_cast<arrow::FixedSizeBinaryBuilder*>(builder)->Append(value).ok());
      return;
    }
    case arrow::Type::DECIMAL128:
      ASSERT_TRUE(static_cast<arrow::Decimal128Builder*>(builder)
                      ->Append(arrow::Decimal128(Pick(random, -9, 9)))
                      .ok());
      return;
    case arrow::Type::DECIMAL256:
      ASSERT_TRUE(static_cast<arrow::Decimal256Builder*>(builder)
                      ->Append(arrow::Decimal256(Pick(random, -9, 9)))
                      .ok());
      return;
    case arrow::Type::INTERVAL_MONTH_DAY_NANO:
      ASSERT_TRUE(static_cast<arrow::MonthDayNanoIntervalBuilder*>(builder)
                      ->Append({Pick(random, -9, 9), Pick(random, -9, 9), Pick(random, -9, 9)})
                      .ok());
      return;
    case arrow::Type::LIST: {
      auto* list = static_cast<arrow::ListBuilder*>(builder);
      ASSERT_TRUE(list->Append().ok());
      for (int n = Pick(random, 0, 3); n > 0; --n) AppendRandom(random, list->value_builder(), nulls);
      return;
    }
    case arrow::Type::FIXED_SIZE_LIST: {
      auto* list = static_cast<arrow::FixedSizeListBuilder*>(builder);
      ASSERT_TRUE(list->Append().ok());
      const int size = static_cast<const arrow::FixedSizeListType&>(*type).list_size();
      for (int n = 0; n < size; ++n) AppendRandom(random, list->value_builder(), nulls);
      return;
    }
    case arrow::Type::MAP: {
      auto* map = static_cast<arrow::MapBuilder*>(builder);
      ASSERT_TRUE(map->Append().ok());
      for (int n = Pick(random, 0, 3); n > 0; --n) {
        AppendRandom(random, map->key_builder(), false);
        AppendRandom(random, map->item_builder(), nulls);
      }
      return;
    }
    case arrow::Type::STRUCT: {
      auto* record = static_cast<arrow::StructBuilder*>(builder);
      ASSERT_TRUE(record->Append().ok());
      for (int i = 0; i < record->num_fields(); ++i) AppendRandom(random, record->field_builder(i), nulls);
      return;
    }
    default:
      FAIL() << type->ToString();
  }
}

void AppendRandom(Random& random, arrow::ArrayBuilder* builder, bool nulls) {
  if (nulls && Pick(random, 0, 4) == 0) {
    ASSERT_TRUE(builder->AppendNull().ok());
  } else {
    AppendValue(random, builder, nulls);
  }
}

std::shared_ptr<arrow::RecordBatch> RandomBatch(Random& random, const std::shared_ptr<arrow::Schema>& schema,
                                                int64_t rows) {
  arrow::ArrayVector columns;
  for (const auto& field : schema->fields()) {
    auto builder = arrow::MakeBuilder(field->type()).ValueOrDie();
    bool nulls = Pick(random, 0, 1) == 1;
    for (int64_t i = 0; i < rows; ++i) AppendRandom(random, builder.get(), nulls);
    columns.push_back(builder->Finish().ValueOrDie());
  }
  return arrow::RecordBatch::Make(schema, rows, columns);
}

TEST(IpcWriter, RandomSchemasReadBackEqual) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    auto both = RandomSchema(random, Pick(random, 0, 12));
    TestBuffer bytes;
    WriteSchema(*both, bytes.get());
    auto read = ReadBack(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_TRUE((*read)->Equals(*both->schema, /*check_metadata=*/true))
        << (*read)->ToString(true) << "\nwanted\n"
        << both->schema->ToString(true);
  }
}

TEST(IpcWriter, EveryTypeAlone) {
  for (int id = 0; id < kTypeCount; ++id) {
    SCOPED_TRACE(id);
    Random random(id);
    BothSchemas both;
    Field field = {};
    field.name = "c";
    field.type = static_cast<ArrowTypeId>(id);
    both.schema = arrow::schema({arrow::field("c", TypeOf(random, &both.arena, 2, &field))});
    both.fields.push_back(field);
    TestBuffer bytes;
    WriteSchema(both, bytes.get());
    auto read = ReadBack(bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE((*read)->Equals(*both.schema, true)) << (*read)->ToString(true);
  }
}

TEST(IpcWriter, WidestTable) {
  Random random(1600);
  auto both = RandomSchema(random, 1600);
  TestBuffer bytes;
  WriteSchema(*both, bytes.get());
  auto read = ReadBack(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE((*read)->Equals(*both->schema, true));
}

TEST(IpcWriter, NestedAsDeepAsReadersGo) {
  constexpr int kDepth = 60;
  std::vector<Field> fields(kDepth);
  auto type = arrow::int32();
  for (int i = 0; i < kDepth; ++i) {
    fields[i] = {};
    fields[i].name = "item";
    fields[i].type = i == 0 ? ArrowTypeId::kInt32 : ArrowTypeId::kList;
    if (i > 0) {
      fields[i].children = &fields[i - 1];
      fields[i].children_count = 1;
      type = arrow::list(arrow::field("item", type));
    }
  }
  TestBuffer bytes;
  WriteSchemaMessage(&fields[kDepth - 1], 1, nullptr, 0, bytes.get());
  auto read = ReadBack(bytes);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE((*read)->Equals(*arrow::schema({arrow::field("item", type)})));
}

TEST(IpcWriter, BytesDoNotDependOnWhatIsInFront) {
  Random random(7);
  auto both = RandomSchema(random, 5);
  TestBuffer alone, behind;
  WriteSchema(*both, alone.get());
  AppendZeros(behind.get(), 31);
  WriteSchema(*both, behind.get());
  EXPECT_EQ(behind.view().substr(31), alone.view());
}

TEST(IpcWriter, RandomBatchesReadBackEqual) {
  constexpr BodyCodec kCodecs[] = {BodyCodec::kNone, BodyCodec::kLz4Frame, BodyCodec::kZstd};
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const BodyCodec codec = kCodecs[seed % 3];
    auto both = RandomSchema(random, seed <= 3 ? 1600 : Pick(random, 0, 8));
    int64_t rows = std::vector<int64_t>{0, 1, 7, 8, 9, 63, 64, 65, 200}[random() % 9];
    auto batch = RandomBatch(random, both->schema, rows);
    const FlatBatch flat(*batch, codec);
    const std::string bytes = flat.Message(rows);
    const size_t metadata_bytes = RecordBatchMetadataBytes(static_cast<int32_t>(flat.nodes.size()),
                                                           static_cast<int32_t>(flat.buffers.size()), codec);
    ASSERT_EQ(bytes.size(), metadata_bytes + flat.body.size());
    ASSERT_EQ(metadata_bytes % 8, 0u);

    arrow::io::BufferReader reader(arrow::Buffer::FromString(bytes));
    auto message = arrow::ipc::ReadMessage(&reader);
    ASSERT_TRUE(message.ok()) << message.status();
    EXPECT_EQ((*message)->metadata_version(), arrow::ipc::MetadataVersion::V5);
    EXPECT_EQ((*message)->body_length(), static_cast<int64_t>(flat.body.size()));
    arrow::ipc::DictionaryMemo memo;
    auto read =
        arrow::ipc::ReadRecordBatch(**message, both->schema, &memo, arrow::ipc::IpcReadOptions::Defaults());
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_TRUE((*read)->ValidateFull().ok()) << (*read)->ValidateFull();
    ASSERT_EQ((*read)->num_rows(), rows);
    ASSERT_TRUE((*read)->Equals(*batch, true)) << (*read)->ToString() << "\nwanted\n" << batch->ToString();
  }
}

TEST(IpcWriter, MetadataBytesForEveryCount) {
  for (int32_t nodes = 0; nodes < 5; ++nodes) {
    for (int32_t buffers = 0; buffers < 9; ++buffers) {
      for (const BodyCodec codec : {BodyCodec::kNone, BodyCodec::kLz4Frame, BodyCodec::kZstd}) {
        std::vector<FieldNode> some_nodes(nodes);
        std::vector<BufferRef> some_buffers(buffers);
        TestBuffer bytes;
        WriteRecordBatchMetadata(0, some_nodes.data(), nodes, some_buffers.data(), buffers, 0, bytes.get(),
                                 codec);
        EXPECT_EQ(bytes.size(), RecordBatchMetadataBytes(nodes, buffers, codec));
      }
    }
  }
}

}  // namespace
}  // namespace arrowcdc::format
