// The manifest: what goes in comes out, and what is damaged is refused by name.
#include "src/sink/manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::test {
namespace {

constexpr char kPartFile[] = "00000000000000c7-0000000000000005-00000-snapshot.parquet";

StoredPart StoredPartOf(uint64_t order, const std::string& range, const std::string& file, bool voids) {
  StoredPart stored;
  stored.part.table = {"s\"", "t"};
  stored.part.table_id = UINT32_MAX;
  stored.part.point = {8, order};
  stored.part.seen = std::to_string(order) + ":7:";
  stored.part.layout = "l" + std::to_string(order);
  stored.part.range = range;
  stored.part.voids_earlier = voids;
  stored.file = file;
  return stored;
}

TEST(ManifestTest, ComesBackAsItWas) {
  Manifest manifest{"ipc", TestStream()};
  manifest.stream.database = "sh\"op\n";
  manifest.position = Position{7, UINT64_MAX, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n\"x\""};
  manifest.bytes = 123;
  manifest.stream_open = true;
  manifest.stream.publications = {"shop", "shop_insert_only"};
  manifest.stream.patterns = {"public.*", "!public.\"lo g\""};
  manifest.stream.plugin = "pgoutput";
  manifest.table_ids = {{{"public", "a.b"}, 16384}, {{"s\"", "t"}, UINT32_MAX}};
  manifest.snapshot =
      SnapshotState{{{{"public", "a.b"}, 16384, {7, 200}}, {{"s\"", "t"}, 1, {8, UINT64_MAX}}},
                    /*complete=*/false,
                    std::vector<TableName>{{"public", "a.b"}, {"s\"", "t"}}};
  manifest.snapshot->copied[0].later_points = {{7, 300}, {8, UINT64_MAX}};
  manifest.snapshot->copied[1].has_files = true;
  manifest.parts = {StoredPartOf(200, "0 5", "", true), StoredPartOf(200, "5 9", kPartFile, false),
                    StoredPartOf(300, "0 5", kPartFile, false)};
  const auto back = ParseManifest(ToJson(manifest), "m", "d").ValueOrDie();
  EXPECT_EQ(back.sink, "ipc");
  EXPECT_EQ(back.stream.source, manifest.stream.source);
  EXPECT_EQ(back.stream.database, manifest.stream.database);
  EXPECT_EQ(back.stream.slot, "arrowcdc");
  EXPECT_EQ(back.position, (Position{7, UINT64_MAX}));
  EXPECT_EQ(back.position->token, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n\"x\"");
  EXPECT_EQ(back.bytes, 123);
  EXPECT_TRUE(back.stream_open);
  EXPECT_EQ(back.stream.publications, manifest.stream.publications);
  EXPECT_EQ(back.stream.patterns, manifest.stream.patterns);
  EXPECT_EQ(back.stream.plugin, "pgoutput");
  EXPECT_EQ(back.table_ids, manifest.table_ids);
  ASSERT_TRUE(back.snapshot.has_value());
  EXPECT_FALSE(back.snapshot->complete);
  EXPECT_EQ(back.snapshot->only, manifest.snapshot->only);
  ASSERT_EQ(back.snapshot->copied.size(), 2u);
  EXPECT_EQ(back.snapshot->copied[0].name, (TableName{"public", "a.b"}));
  EXPECT_EQ(back.snapshot->copied[0].table_id, 16384u);
  EXPECT_EQ(back.snapshot->copied[0].point, (Position{7, 200}));
  EXPECT_EQ(back.snapshot->copied[1].point, (Position{8, UINT64_MAX}));
  EXPECT_EQ(back.snapshot->copied[0].later_points, (std::vector<Position>{{7, 300}, {8, UINT64_MAX}}));
  EXPECT_TRUE(back.snapshot->copied[1].later_points.empty());
  EXPECT_FALSE(back.snapshot->copied[0].has_files);
  EXPECT_TRUE(back.snapshot->copied[1].has_files);
  ASSERT_EQ(back.parts.size(), 3u);
  for (size_t i = 0; i < back.parts.size(); ++i) {
    const SnapshotPart& part = back.parts[i].part;
    const SnapshotPart& wanted = manifest.parts[i].part;
    EXPECT_EQ(part.table, wanted.table);
    EXPECT_EQ(part.table_id, wanted.table_id);
    EXPECT_EQ(part.point, wanted.point);
    EXPECT_EQ(part.seen, wanted.seen);
    EXPECT_EQ(part.layout, wanted.layout);
    EXPECT_EQ(part.range, wanted.range);
    EXPECT_EQ(part.voids_earlier, wanted.voids_earlier);
    EXPECT_EQ(back.parts[i].file, manifest.parts[i].file);
  }
}

// One of before parts were kept.
TEST(ManifestTest, NeedNotKnowOfParts) {
  Manifest manifest{"parquet", TestStream()};
  manifest.snapshot = SnapshotState{{{{"public", "t"}, 7, {1, 200}}}, /*complete=*/false, std::nullopt};
  const std::string json = ToJson(manifest);
  EXPECT_EQ(json.find("parts"), std::string::npos);
  EXPECT_EQ(json.find("later_points"), std::string::npos);
  EXPECT_TRUE(ParseManifest(json, "m", "d").ValueOrDie().parts.empty());
}

TEST(ManifestTest, DamagedPartsAreRefused) {
  Manifest manifest{"parquet", TestStream()};
  manifest.snapshot = SnapshotState{{{{"public", "t"}, 7, {1, 200}, {{1, 300}}}}, false, std::nullopt};
  manifest.parts = {StoredPartOf(200, "0 5", kPartFile, false)};
  const auto json = nlohmann::json::parse(ToJson(manifest));
  ASSERT_TRUE(ParseManifest(json.dump(), "m", "d").ok());
  for (const char* name :
       {"/parts", "/parts/0", "/parts/0/schema", "/parts/0/name", "/parts/0/id", "/parts/0/seen",
        "/parts/0/layout", "/parts/0/point", "/parts/0/point/order", "/parts/0/parts", "/parts/0/parts/0",
        "/parts/0/parts/0/range", "/parts/0/parts/0/file", "/parts/0/parts/0/voids_earlier",
        "/tables/0/later_points", "/tables/0/later_points/0/epoch"}) {
    auto damaged = json;
    damaged["snapshot"][nlohmann::json::json_pointer(name)] = 7.5;
    EXPECT_EQ(KindOf(ParseManifest(damaged.dump(), "m", "d").status()), ErrorKind::kSink) << name;
  }
  for (const char* file :
       {"../x", "/etc/passwd", "a/00000000000000c7-0000000000000005-00000-snapshot.parquet",
        "00000000000000c7-0000000000000005-00000.parquet"}) {
    auto damaged = json;
    damaged["snapshot"]["parts"][0]["parts"][0]["file"] = file;
    EXPECT_EQ(KindOf(ParseManifest(damaged.dump(), "m", "d").status()), ErrorKind::kSink) << file;
  }
}

// One of before plugins were noted.
TEST(ManifestTest, NeedNotKnowThePlugin) {
  auto json = nlohmann::json::parse(ToJson({"parquet", TestStream()}));
  json.erase("plugin");
  EXPECT_EQ(ParseManifest(json.dump(), "m", "d").ValueOrDie().stream.plugin, "");
}

TEST(ManifestTest, SaysThePositionForPeopleToo) {
  Manifest manifest{"parquet", TestStream()};
  EXPECT_TRUE(nlohmann::json::parse(ToJson(manifest))["position"].is_null());
  manifest.position = At(0x16B374D848);
  const auto json = nlohmann::json::parse(ToJson(manifest));
  EXPECT_EQ(json["arrowcdc_manifest"], 2);
  EXPECT_EQ(json["position"]["lsn"], "16/B374D848");
  EXPECT_EQ(json["position"]["order"], "97500059720");
  EXPECT_EQ(json["position"]["epoch"], 1);
  EXPECT_EQ(json["source"]["id"], "7123456789012345678");
}

TEST(ManifestTest, DamagedOnesAreRefused) {
  Manifest manifest{"parquet", TestStream()};
  manifest.position = At(100);
  manifest.stream.publications = {"p"};
  manifest.table_ids = {{{"public", "t"}, 7}};
  const std::string whole = ToJson(manifest);
  for (size_t bytes = 0; bytes + 2 < whole.size(); ++bytes) {
    const auto status = ParseManifest(whole.substr(0, bytes), "/d/manifest", "/d").status();
    ASSERT_EQ(KindOf(status), ErrorKind::kSink) << bytes;
    ASSERT_NE(status.message().find("/d/manifest"), std::string::npos);
  }
  const auto json = nlohmann::json::parse(whole);
  for (const char* name : {"/publications", "/patterns", "/tables"}) {
    auto damaged = json;
    damaged[nlohmann::json::json_pointer(name)] = 7;
    EXPECT_EQ(KindOf(ParseManifest(damaged.dump(), "m", "d").status()), ErrorKind::kSink) << name;
  }
  for (const char* name : {"/sink", "/source", "/source/id", "/slot", "/position/order", "/arrowcdc_manifest",
                           "/position/epoch", "/publications/0", "/tables/0", "/tables/0/id"}) {
    auto damaged = json;
    damaged[nlohmann::json::json_pointer(name)] = nlohmann::json::array();
    EXPECT_EQ(KindOf(ParseManifest(damaged.dump(), "m", "d").status()), ErrorKind::kSink) << name;
  }
  auto order = json;
  order["position"]["order"] = "12x";
  EXPECT_FALSE(ParseManifest(order.dump(), "m", "d").ok());
}

TEST(ManifestTest, OtherVersionsAreRefusedByNumberWithAWayOn) {
  auto json = nlohmann::json::parse(ToJson({"parquet", TestStream()}));
  for (const int version : {1, 3, 0}) {
    json["arrowcdc_manifest"] = version;
    const auto status = ParseManifest(json.dump(), "/d/m.json", "/d").status();
    ASSERT_EQ(KindOf(status), ErrorKind::kSink) << status;
    EXPECT_EQ(GetErrorDetail(status)->object(), "/d");
    EXPECT_NE(status.message().find("/d holds version " + std::to_string(version)), std::string::npos)
        << status;
    EXPECT_NE(status.message().find("version 2"), std::string::npos) << status;
    EXPECT_NE(GetErrorDetail(status)->remedy().find("new place from a new slot"), std::string::npos);
    EXPECT_NE(GetErrorDetail(status)->remedy().find(version < 2 ? "the arrowcdc that wrote it" : "version 3"),
              std::string::npos);
  }
}

TEST(ManifestTest, NamesThatAreNotUtf8CompareEqualToThemselves) {
  StreamIdentity stream = TestStream();
  stream.slot = "caf\xe9";
  stream.database = "\xe9";
  stream.publications = {"p\xe9"};
  stream.patterns = {"public.\xe9"};
  const auto stored = ParseManifest(ToJson({"parquet", stream}), "m", "d").ValueOrDie();
  const auto same = CheckSameStream(stored, stream, "d").ValueOrDie();
  EXPECT_EQ(same.database, stream.database);
  EXPECT_EQ(same.publications, stream.publications);
  EXPECT_EQ(same.patterns, stream.patterns);
}

}  // namespace
}  // namespace arrowcdc::test
