// Names of directories and files: safe, and no two tables share one.
#include "src/sink/storage_names.h"

#include <map>
#include <random>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

std::string Directory(const std::string& schema, const std::string& table) {
  return TableDirectoryName({schema, table}).ValueOrDie();
}

TEST(StorageNames, PlainNamesStayAsTheyAre) {
  EXPECT_EQ(Directory("public", "orders"), "public.orders");
  EXPECT_EQ(Directory("Shop-1", "Order_Items"), "Shop-1.Order_Items");
}

TEST(StorageNames, EverythingElseIsEncoded) {
  EXPECT_EQ(Directory("a.b", "c"), "a%2Eb.c");
  EXPECT_EQ(Directory("a", "b.c"), "a.b%2Ec");
  EXPECT_EQ(Directory("..", "../../etc/passwd"), "%2E%2E.%2E%2E%2F%2E%2E%2Fetc%2Fpasswd");
  EXPECT_EQ(Directory("100%", std::string("x\0y", 3)), "100%25.x%00y");
  EXPECT_EQ(Directory("ä", "\n"), "%C3%A4.%0A");
  // Readers skip what begins with '_'; and the manifest's name must stay free.
  EXPECT_EQ(Directory("_arrowcdc_manifest", "json"), "%5Farrowcdc_manifest.json");
  EXPECT_EQ(Directory("a_b", "_c"), "a_b._c");
}

TEST(StorageNames, LongNamesHaveTheirOwnForm) {
  const std::string dots(63, '.');
  const std::string name = Directory(dots, dots);
  EXPECT_LE(name.size(), 255u);
  EXPECT_EQ(name.substr(0, 4), "~63~");
  EXPECT_NE(name, Directory(dots, std::string(62, '.') + "/"));
  // The same bytes cut in two places are two tables.
  EXPECT_NE(Directory(std::string(60, '.'), std::string(63, '.')),
            Directory(std::string(63, '.'), std::string(60, '.')));
  const auto too_long = TableDirectoryName({std::string(300, '.'), "t"});
  ASSERT_NE(GetErrorDetail(too_long.status()), nullptr);
  EXPECT_EQ(GetErrorDetail(too_long.status())->kind(), ErrorKind::kUnsupported);
}

TEST(StorageNames, RandomNamesNeverCollide) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  static constexpr std::string_view kBytes("ab._-%/~0\0\xc3\xa4", 12);
  std::map<std::string, TableName> seen;
  for (int i = 0; i < 50'000; ++i) {
    TableName name;
    for (std::string* part : {&name.schema, &name.table}) {
      const size_t bytes = 1 + random() % (random() % 10 == 0 ? 63 : 3);
      for (size_t k = 0; k < bytes; ++k) *part += kBytes[random() % kBytes.size()];
    }
    const std::string directory = TableDirectoryName(name).ValueOrDie();
    ASSERT_LE(directory.size(), 255u);
    ASSERT_EQ(
        directory.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.%_-~"),
        std::string::npos)
        << directory;
    ASSERT_NE(directory[0], '.');
    ASSERT_NE(directory[0], '_');
    const auto [it, is_new] = seen.emplace(directory, name);
    ASSERT_TRUE(is_new || it->second == name) << directory;
  }
}

TEST(StorageNames, FileNamesSortAsPositionsDo) {
  const RowPosition positions[] = {{0, 0, 0}, {1, 0, 9},    {1, 0, 10},
                                   {1, 2, 0}, {0x10, 0, 0}, {UINT64_MAX, UINT64_MAX, UINT16_MAX}};
  std::string last;
  for (const auto& position : positions) {
    const std::string name = DataFileName(position);
    EXPECT_LT(last, name);
    EXPECT_EQ(ParseDataFileName(name), position);
    last = name;
  }
  EXPECT_EQ(DataFileName({0x16B374D848, 0x16B374D800, 7}), "00000016b374d848-00000016b374d800-00007.parquet");
}

// Between the files of changes, and none of them.
TEST(StorageNames, SnapshotFilesAreNoDataFiles) {
  const RowPosition place{0x16B374D847, 0x1234, 0};
  const std::string name = SnapshotFileName(place);
  EXPECT_EQ(name, "00000016b374d847-0000000000001234-00000-snapshot.parquet");
  EXPECT_EQ(ParseSnapshotFileName(name), place);
  EXPECT_FALSE(ParseDataFileName(name));
  EXPECT_FALSE(ParseSnapshotFileName(DataFileName(place)));
  EXPECT_LT(DataFileName({0x16B374D846, UINT64_MAX, UINT16_MAX}), name);
  EXPECT_LT(name, DataFileName({0x16B374D848, 0, 0}));
}

TEST(StorageNames, OnlyItsOwnFileNamesAreRead) {
  for (const char* name :
       {"", "x.parquet", "00000016b374d848-00000016b374d800-00007",
        "00000016B374D848-00000016b374d800-00007.parquet", "00000016b374d848_00000016b374d800-00007.parquet",
        "00000016b374d848-00000016b374d800-99999.parquet", "00000016b374d848-00000016b374d800-+0007.parquet",
        ".0000016b374d848-00000016b374d800-00007.parquet"}) {
    EXPECT_FALSE(ParseDataFileName(name)) << name;
  }
}

}  // namespace
}  // namespace arrowcdc
