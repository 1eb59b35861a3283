// The manifest: what goes in comes out, and what is damaged is refused by name.
#include "src/sink/manifest.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "src/sink/sink_test_support.h"

namespace arrowcdc::testing {
namespace {

TEST(ManifestTest, ComesBackAsItWas) {
  Manifest manifest{"ipc", TestStream()};
  manifest.stream.database = "sh\"op\n";
  manifest.position = Position{TestStream().source, 7, UINT64_MAX, std::string("\0\xff", 2)};
  manifest.bytes = 123;
  manifest.stream_open = true;
  const auto back = ParseManifest(ToJson(manifest), "m").ValueOrDie();
  EXPECT_EQ(back.sink, "ipc");
  EXPECT_EQ(back.stream.source, manifest.stream.source);
  EXPECT_EQ(back.stream.database, manifest.stream.database);
  EXPECT_EQ(back.stream.slot, "arrowcdc");
  EXPECT_EQ(back.stream.timeline, 1u);
  ASSERT_TRUE(back.position);
  EXPECT_EQ(back.position->timeline, 7u);
  EXPECT_EQ(back.position->order, UINT64_MAX);
  EXPECT_EQ(back.position->token, manifest.position->token);
  EXPECT_EQ(back.bytes, 123);
  EXPECT_TRUE(back.stream_open);
}

TEST(ManifestTest, SaysThePositionForPeopleToo) {
  Manifest manifest{"parquet", TestStream()};
  EXPECT_TRUE(nlohmann::json::parse(ToJson(manifest))["position"].is_null());
  manifest.position = At(0x16B374D848);
  const auto json = nlohmann::json::parse(ToJson(manifest));
  EXPECT_EQ(json["arrowcdc_manifest"], 1);
  EXPECT_EQ(json["position"]["lsn"], "16/B374D848");
  EXPECT_EQ(json["position"]["order"], "97500059720");
  EXPECT_EQ(json["source"]["id"], "7123456789012345678");
}

TEST(ManifestTest, DamagedOnesAreRefused) {
  Manifest manifest{"parquet", TestStream()};
  manifest.position = At(100);
  const std::string whole = ToJson(manifest);
  for (size_t bytes = 0; bytes + 2 < whole.size(); ++bytes) {
    const auto status = ParseManifest(whole.substr(0, bytes), "/d/manifest").status();
    ASSERT_EQ(KindOf(status), ErrorKind::kSink) << bytes;
    ASSERT_NE(status.message().find("/d/manifest"), std::string::npos);
  }
  const auto json = nlohmann::json::parse(whole);
  for (const char* name : {"/sink", "/source", "/source/id", "/timeline", "/slot", "/position/order",
                           "/arrowcdc_manifest", "/position/timeline", "/position/token"}) {
    auto damaged = json;
    damaged[nlohmann::json::json_pointer(name)] = nlohmann::json::array();
    EXPECT_EQ(KindOf(ParseManifest(damaged.dump(), "m").status()), ErrorKind::kSink) << name;
  }
  auto later = json;
  later["arrowcdc_manifest"] = 2;
  EXPECT_NE(ParseManifest(later.dump(), "m").status().message().find("version"), std::string::npos);
  auto order = json;
  order["position"]["order"] = "12x";
  EXPECT_FALSE(ParseManifest(order.dump(), "m").ok());
}

TEST(ManifestTest, NamesThatAreNotUtf8CompareEqualToThemselves) {
  StreamIdentity stream = TestStream();
  stream.database = "caf\xe9";
  const auto stored = ParseManifest(ToJson({"parquet", stream}), "m").ValueOrDie();
  EXPECT_TRUE(CheckSameStream(stored, stream, "d").ok());
}

}  // namespace
}  // namespace arrowcdc::testing
