// The manifest: what goes in comes out, and what is damaged is refused by name.
#include "src/sink/manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/sink/testing/sink_stream.h"
#include "tests/testing/error_detail.h"

namespace arrowcdc::test {
namespace {

TEST(ManifestTest, ComesBackAsItWas) {
  Manifest manifest{"ipc", TestStream()};
  manifest.stream.database = "sh\"op\n";
  manifest.position = Position{7, UINT64_MAX};
  manifest.bytes = 123;
  manifest.stream_open = true;
  manifest.stream.publications = {"shop", "shop_insert_only"};
  manifest.stream.patterns = {"public.*", "!public.\"lo g\""};
  manifest.table_ids = {{{"public", "a.b"}, 16384}, {{"s\"", "t"}, UINT32_MAX}};
  const auto back = ParseManifest(ToJson(manifest), "m", "d").ValueOrDie();
  EXPECT_EQ(back.sink, "ipc");
  EXPECT_EQ(back.stream.source, manifest.stream.source);
  EXPECT_EQ(back.stream.database, manifest.stream.database);
  EXPECT_EQ(back.stream.slot, "arrowcdc");
  EXPECT_EQ(back.position, (Position{7, UINT64_MAX}));
  EXPECT_EQ(back.bytes, 123);
  EXPECT_TRUE(back.stream_open);
  EXPECT_EQ(back.stream.publications, manifest.stream.publications);
  EXPECT_EQ(back.stream.patterns, manifest.stream.patterns);
  EXPECT_EQ(back.table_ids, manifest.table_ids);
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
