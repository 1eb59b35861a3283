// What is added to a connection string, and that nothing the user said is overridden.
#include "src/postgres/client/connection_options.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

// Sets a variable for one test and restores it.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

std::string Added(const std::string& conninfo, const std::string& keyword,
                  ConnectionMode mode = ConnectionMode::kSql) {
  const auto options = MakeConnectionOptions(conninfo, mode);
  EXPECT_TRUE(options.ok()) << options.status().ToString();
  std::string found;
  for (const auto& [name, value] : options->parameters) {
    if (name == keyword) found = value;
  }
  return found;
}

TEST(ConnectionOptions, LocalAddresses) {
  EXPECT_TRUE(IsLocal("", ""));
  EXPECT_TRUE(IsLocal("/var/run/postgresql", ""));
  EXPECT_TRUE(IsLocal("@abstract", ""));
  EXPECT_TRUE(IsLocal("localhost", ""));
  EXPECT_TRUE(IsLocal("db.example", "127.0.0.1"));
  EXPECT_TRUE(IsLocal("localhost,127.3.4.5,::1", ""));
  EXPECT_FALSE(IsLocal("localhost,db.example", ""));
  EXPECT_FALSE(IsLocal("localhost", "10.0.0.1"));
  EXPECT_FALSE(IsLocal("localhost.example", ""));
  EXPECT_FALSE(IsLocal("a,b", "127.0.0.1,"));
}

TEST(ConnectionOptions, CompressionWhereBatchesLeaveTheMachine) {
  EXPECT_EQ(ServerCodec(WireCompression::kAuto, true), "");
  EXPECT_EQ(ServerCodec(WireCompression::kAuto, false), "lz4");
  for (const bool is_local : {true, false}) {
    EXPECT_EQ(ServerCodec(WireCompression::kNone, is_local), "");
    EXPECT_EQ(ServerCodec(WireCompression::kLz4, is_local), "lz4");
    EXPECT_EQ(ServerCodec(WireCompression::kZstd, is_local), "zstd");
  }
  for (const char* text : {"auto", "none", "lz4", "zstd"})
    EXPECT_TRUE(ParseWireCompression(text).ok()) << text;
  EXPECT_EQ(*ParseWireCompression("zstd"), WireCompression::kZstd);
  for (const char* text : {"", "LZ4", "gzip", "lz4 "}) EXPECT_FALSE(ParseWireCompression(text).ok()) << text;
}

TEST(ConnectionOptions, RemoteServersAreVerified) {
  for (const char* remote : {"host=db.example", "hostaddr=10.1.2.3", "postgresql://cdc@db.example/shop",
                             "host=localhost,db.example"}) {
    EXPECT_EQ(Added(remote, "sslmode"), "verify-full") << remote;
  }
  for (const char* local :
       {"host=/tmp", "host=localhost", "postgresql://[::1]/shop", "dbname=shop", "shop", ""}) {
    EXPECT_EQ(Added(local, "sslmode"), "") << local;
  }
}

// The first is a password with an unescaped '/': what libpq takes for a port is a piece of it.
TEST(ConnectionOptions, WrongPortsAreRefusedWithoutBeingShown) {
  for (const char* wrong : {"postgresql://cdc:hush/hush@db.example/shop", "host=a port=hush", "host=a port=0",
                            "host=a port=70000", "host=a,b port=5432,hush"}) {
    const auto status = MakeConnectionOptions(wrong, ConnectionMode::kSql).status();
    ASSERT_FALSE(status.ok()) << wrong;
    EXPECT_EQ(status.ToString().find("hush"), std::string::npos) << status.ToString();
    ASSERT_NE(GetErrorDetail(status), nullptr);
    EXPECT_FALSE(GetErrorDetail(status)->retryable());
  }
  EXPECT_TRUE(MakeConnectionOptions("host=a,b port=5432,", ConnectionMode::kSql).ok());
}

TEST(ConnectionOptions, AUsersSslModeWins) {
  EXPECT_EQ(Added("host=db.example sslmode=prefer", "sslmode"), "");
  EXPECT_EQ(Added("host=db.example sslmode=require", "sslmode"), "");
  EXPECT_EQ(Added("postgresql://db.example/shop?sslmode=disable", "sslmode"), "");
  const Variable mode("PGSSLMODE", "prefer");
  EXPECT_EQ(Added("host=db.example", "sslmode"), "");
}

TEST(ConnectionOptions, HostFromTheEnvironmentCounts) {
  const Variable host("PGHOST", "db.example");
  EXPECT_EQ(Added("dbname=shop", "sslmode"), "verify-full");
}

TEST(ConnectionOptions, ServiceFileCounts) {
  const std::string path = testing::TempDir() + "pg_service_" + std::to_string(getpid());
  std::ofstream(path)
      << "[shop]\nhost=db.example\nsslmode=verify-ca\nkeepalives_idle=7\n[plain]\nhost=db.example\n";
  const Variable file("PGSERVICEFILE", path);
  EXPECT_EQ(Added("service=shop", "sslmode"), "");
  EXPECT_EQ(Added("service=shop", "keepalives_idle"), "");
  EXPECT_EQ(Added("service=plain", "sslmode"), "verify-full");
  EXPECT_NE(MakeConnectionOptions("service=none", ConnectionMode::kSql)
                .status()
                .message()
                .find("definition of service"),
            std::string::npos);
  std::remove(path.c_str());
}

TEST(ConnectionOptions, Defaults) {
  EXPECT_EQ(Added("host=/tmp", "keepalives_idle"), "30");
  EXPECT_EQ(Added("host=/tmp keepalives_idle=5", "keepalives_idle"), "");
  EXPECT_EQ(Added("host=/tmp", "tcp_user_timeout"), "60000");
  EXPECT_EQ(Added("host=/tmp tcp_user_timeout=1", "tcp_user_timeout"), "");
  EXPECT_EQ(Added("host=/tmp", "fallback_application_name"), "arrowcdc");
  EXPECT_EQ(Added("host=/tmp", "client_encoding"), "UTF8");
  EXPECT_EQ(Added("host=/tmp replication=true", "replication"), "false");
  EXPECT_EQ(Added("host=/tmp", "replication", ConnectionMode::kReplication), "database");
}

TEST(ConnectionOptions, ForMessages) {
  const auto options =
      MakeConnectionOptions("postgresql://cdc:hunter2@db.example:5433/shop", ConnectionMode::kSql)
          .ValueOrDie();
  EXPECT_EQ(options.server, "db.example:5433");
  EXPECT_EQ(options.user, "cdc");
  EXPECT_EQ(options.database, "shop");
  EXPECT_FALSE(options.several_hosts);
}

TEST(ConnectionOptions, UnknownKeywordIsNamedUnlessItMayBeASecret) {
  const arrow::Status named =
      MakeConnectionOptions("hots=db.example dbname=shop", ConnectionMode::kSql).status();
  EXPECT_NE(named.message().find("\"hots\""), std::string::npos) << named;
  EXPECT_EQ(named.ToString().find("db.example\""), std::string::npos) << named;
  const arrow::Status secret = MakeConnectionOptions("password=two words=x", ConnectionMode::kSql).status();
  ASSERT_FALSE(secret.ok());
  EXPECT_EQ(secret.ToString().find("\"words\""), std::string::npos) << secret;
}

TEST(ConnectionOptions, BadConninfoIsRefusedWithoutItsText) {
  for (const char* bad :
       {"host=db.example password=hunter2 hunter2", "hunter2=x host=/tmp", "postgresql://u:hunter2@[::1/db",
        "postgresql://u:hun%ter2@h/db", "password='hunter2", "postgresql://h/db?hunter2=1",
        // An '@' or a '/' that is not escaped: a piece of the password becomes a host or a database.
        "postgresql://u:p@hunter2@h/db", "postgresql://u:hunter2@hunter2@h", "postgresql://u:12/hunter2@h/db",
        "postgresql://u:p@hunter2@h1,h2/db?sslmode=disable", "host=hunter2@h", "host=a,hunter2@h",
        // Not a URI that libpq knows, so all of it would be the database's name.
        "u:hunter2@h/db", "postgresql:/u:hunter2@h/db", "mysql://u:hunter2@h/db",
        "dbname=postgresql://u:hunter2@h/db host=/tmp", "host=/tmp user=u:hunter2@h",
        "host=/tmp dbname=u:hunter2@h/db", "postgresql://u@h/u:hunter2@h",
        // A space is missing.
        "user=u host=hpassword=hunter2", "host=/tmp user=upassword=hunter2", "dbname=dpassword=hunter2",
        "host=/tmp connect_timeout=10password=hunter2", "host=/tmp sslmode=requirepassword=hunter2"}) {
    const arrow::Status status = MakeConnectionOptions(bad, ConnectionMode::kSql).status();
    ASSERT_FALSE(status.ok()) << bad;
    EXPECT_EQ(GetErrorDetail(status)->kind(), ErrorKind::kInvalidOption);
    EXPECT_EQ(status.ToString().find("hun"), std::string::npos) << status.ToString();
    EXPECT_FALSE(GetErrorDetail(status)->remedy().empty());
  }
}

TEST(ConnectionOptions, AnAtSignWhereItMayStand) {
  for (const char* good :
       {"postgresql://u:p%40ss@h/db", "postgresql://u@h/db?user=ann@realm", "postgresql:///db?host=/tmp",
        "host=@abstract", "host=/tmp user=ann@realm password=p@ss", "postgresql://u:p?s@h/db", "shop", ""}) {
    const arrow::Status status = MakeConnectionOptions(good, ConnectionMode::kSql).status();
    EXPECT_TRUE(status.ok()) << good << ": " << status;
  }
}

TEST(ConnectionOptions, PasswordIsNotAmongTheEffectiveOptions) {
  const auto effective = EffectiveOptions("host=/tmp password=hunter2 user=x").ValueOrDie();
  EXPECT_EQ(effective.count("password"), 0u);
  EXPECT_EQ(effective.at("user"), "x");
}

}  // namespace
}  // namespace arrowcdc::postgres
