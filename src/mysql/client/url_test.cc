#include "src/mysql/client/url.h"

#include <gtest/gtest.h>

#include "arrowcdc/mysql.h"
#include "tests/testing/assert_ok.h"

namespace arrowcdc::mysql {
namespace {

TEST(ParseUrl, AllParts) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(
      const Url url,
      ParseUrl("mysql://cdc%40x:p%3aw%2F@db.example:3307/?ssl-mode=required&ssl-ca=%2Fetc%2Fca"));
  EXPECT_EQ(url.user, "cdc@x");
  EXPECT_EQ(url.password, "p:w/");
  EXPECT_TRUE(url.has_password);
  EXPECT_EQ(url.host, "db.example");
  EXPECT_EQ(url.port, 3307);
  EXPECT_EQ(url.ssl_mode, SslMode::kRequired);
  EXPECT_EQ(url.ssl_ca, "/etc/ca");
  EXPECT_EQ(url.server(), "db.example:3307");
  EXPECT_FALSE(url.local());
}

TEST(ParseUrl, Least) {
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url url, ParseUrl("mariadb://"));
  EXPECT_FALSE(url.has_password);
  EXPECT_EQ(url.port, 0);
  EXPECT_TRUE(url.local());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url ipv6, ParseUrl("mysql://u@[::1]:3306"));
  EXPECT_EQ(ipv6.host, "::1");
  EXPECT_TRUE(ipv6.local());
  ARROWCDC_ASSERT_OK_AND_ASSIGN(const Url files, ParseUrl("binlog:/var/lib/mysql"));
  EXPECT_EQ(files.directory, "/var/lib/mysql");
}

TEST(ParseUrl, ReadTimeout) {
  EXPECT_EQ(ParseUrl("mysql://h/")->read_seconds, 15u);
  EXPECT_EQ(ParseUrl("mysql://h/?read-timeout=3&ssl-mode=required")->read_seconds, 3u);
  for (const char* value : {"", "2", "3601", "-5", "7s", "99999999999"})
    EXPECT_FALSE(ParseUrl(std::string("mysql://h/?read-timeout=") + value).ok()) << value;
}

// What is of this machine is not asked for a certificate.
TEST(ParseUrl, WhatIsOfThisMachine) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "[::1]"})
    EXPECT_TRUE(ParseUrl(std::string("mysql://") + host + "/")->local()) << host;
  for (const char* host : {"127.db.example", "127.0.0.1.example", "localhost.example", "[::2]"})
    EXPECT_FALSE(ParseUrl(std::string("mysql://") + host + "/")->local()) << host;
}

// None of them shows anything of the text.
TEST(ParseUrl, Wrong) {
  for (const char* text :
       {"secret", "postgresql://secret", "mysql://u:secret@h:0/", "mysql://u:secret@h:66000/",
        "mysql://u:secret@h:x/", "mysql://u:secret@h/shop", "mysql://u:%zzsecret@h/",
        "mysql://u:secret@h/?a=secret", "mysql://u:secret@h/?secret", "mysql://u:secret@h/?ssl-mode=secret",
        "mysql://u:secret@[::1/", "mysql://u:secret%00@h/", "binlog:"}) {
    const auto url = ParseUrl(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.status().ToString().find("secret"), std::string::npos) << url.status();
  }
}

TEST(IsMysqlUrl, ByScheme) {
  EXPECT_TRUE(IsMysqlUrl("mysql://h"));
  EXPECT_TRUE(IsMysqlUrl("mariadb://h"));
  EXPECT_TRUE(IsMysqlUrl("binlog:dir"));
  EXPECT_FALSE(IsMysqlUrl("host=db"));
}

}  // namespace
}  // namespace arrowcdc::mysql
