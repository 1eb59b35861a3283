// The source against real servers of both families.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "tests/testing/assert_ok.h"
#include "tests/testing/seed.h"

namespace arrowcdc::mysql::test {
namespace {

const TableName kTable{"shop", "t"};

std::string FlavorName(const testing::TestParamInfo<Flavor>& info) {
  return info.param == Flavor::kMysql ? "Mysql" : "Mariadb";
}

class MysqlSource : public testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
  }

  void StartServer(const std::vector<std::string>& arguments = {}) {
    ASSERT_OK_AND_ASSIGN(server_, MysqlServer::Create(GetParam(), arguments));
    ASSERT_OK(server_->Run({"CREATE DATABASE shop",
                            "CREATE TABLE shop.t (id BIGINT PRIMARY KEY, name VARCHAR(100), n INT)",
                            "CREATE TABLE shop.other (id BIGINT PRIMARY KEY)"}));
  }

  std::unique_ptr<Source> MakeSource(std::vector<std::string> tables = {"shop.t"}) {
    MysqlOptions options;
    options.url = server_->url();
    options.tables = std::move(tables);
    auto source = MakeMysqlSource(options);
    EXPECT_TRUE(source.ok()) << source.status();
    return source.ok() ? *std::move(source) : nullptr;
  }

  // Of the log, as another connection sees it.
  arrow::Result<LogEnd> MakeEnd() {
    const auto source = MakeSource();
    ARROW_RETURN_NOT_OK(source->Connect().status());
    return source->CurrentEnd();
  }

  void ExpectSame(Replay* replay, const TableName& table = kTable) {
    ASSERT_OK_AND_ASSIGN(const auto rows, Replay::Select(server_.get(), table));
    EXPECT_EQ(replay->rows(table), rows);
  }

  std::unique_ptr<MysqlServer> server_;
};

INSTANTIATE_TEST_SUITE_P(All, MysqlSource, testing::Values(Flavor::kMysql, Flavor::kMariadb), FlavorName);

TEST_P(MysqlSource, InsertUpdateDelete) {
  StartServer();
  const auto source = MakeSource();
  Replay replay;
  ASSERT_OK(replay.Begin(source.get()));
  ASSERT_OK(server_->Run({"INSERT INTO shop.t VALUES (1, 'one', 10), (2, 'two', NULL)",
                          "INSERT INTO shop.other VALUES (1)", "UPDATE shop.t SET n = 11 WHERE id = 1",
                          "DELETE FROM shop.t WHERE id = 2"}));
  ASSERT_OK_AND_ASSIGN(const LogEnd end, MakeEnd());
  ASSERT_OK(replay.ReadUntil(source.get(), end.position));
  EXPECT_EQ(replay.log(),
            (std::vector<std::string>{"insert 1|one|10", "insert 2|two|NULL", "update_before 1|one|10",
                                      "update_after 1|one|11", "delete 2|two|NULL"}));
}

}  // namespace
}  // namespace arrowcdc::mysql::test
