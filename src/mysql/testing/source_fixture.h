// A server with two tables, and sources of it: what tests of the source share.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"
#include "src/mysql/testing/mysql_server.h"
#include "src/mysql/testing/replay.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql::test {

inline const TableName kTable{"shop", "t"};

inline std::string FlavorName(const testing::TestParamInfo<Flavor>& info) {
  return info.param == Flavor::kMysql ? "Mysql" : "Mariadb";
}

class MysqlSource : public testing::TestWithParam<Flavor> {
 protected:
  void SetUp() override {
    if (!HasServer(GetParam())) GTEST_SKIP() << "no server: tools/mysql_files.sh has not fetched it";
  }

  void StartServer(const std::vector<std::string>& arguments = {}) {
    ARROWCDC_ASSERT_OK_AND_ASSIGN(server_, MysqlServer::Create(GetParam(), arguments));
    ARROWCDC_ASSERT_OK(server_->Run({"CREATE DATABASE shop",
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
    ARROWCDC_ASSERT_OK_AND_ASSIGN(const auto rows, Replay::Select(server_.get(), table));
    EXPECT_EQ(replay->rows(table), rows);
  }

  std::unique_ptr<MysqlServer> server_;
};

inline ErrorKind KindOf(const arrow::Status& status) {
  const ErrorDetail* const detail = GetErrorDetail(status);
  return detail == nullptr ? ErrorKind::kInternal : detail->kind();
}

}  // namespace arrowcdc::mysql::test
