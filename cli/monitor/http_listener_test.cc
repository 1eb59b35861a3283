#include "cli/monitor/http_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include <gtest/gtest.h>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

HttpAnswer Echo(std::string_view path) {
  if (path == "/throws") throw std::bad_alloc();
  return {.body = "path " + std::string(path) + "\n"};
}

int Connect(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in name = {};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&name), sizeof name), 0);
  return fd;
}

// What a server answers to these bytes until it closes the connection.
std::string Ask(uint16_t port, const std::string& request) {
  const int fd = Connect(port);
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char bytes[4096];
  for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
    answer.append(bytes, static_cast<size_t>(got));
  close(fd);
  return answer;
}

std::string Request(const std::string& line, const std::string& host) {
  return line + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n";
}

class HttpListenerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = HttpListener::Start({}, {"cdc.example.org"}, Echo);
    ASSERT_TRUE(started.ok()) << started.status();
    listener_ = *std::move(started);
    ASSERT_NE(port(), 0);
  }
  uint16_t port() const { return listener_->address().port; }

  std::unique_ptr<HttpListener> listener_;
};

TEST_F(HttpListenerTest, AnswersGet) {
  const std::string answer = Ask(port(), Request("GET /x", "127.0.0.1"));
  EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 200");
  EXPECT_NE(answer.find("path /x\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("default-src 'none'"), std::string::npos) << answer;
}

TEST_F(HttpListenerTest, TakesNothingButGet) {
  for (const char* line : {"POST /x", "HEAD /x", "DELETE /x", "OPTIONS /x"}) {
    const std::string answer = Ask(port(), Request(line, "127.0.0.1"));
    EXPECT_EQ(answer.substr(0, 12), "HTTP/1.1 405") << line;
    EXPECT_NE(answer.find("Allow: GET"), std::string::npos) << answer;
  }
}

TEST_F(HttpListenerTest, AnotherNamesPageIsNotAnswered) {
  EXPECT_EQ(Ask(port(), Request("GET /x", "evil.example.com")).substr(0, 12), "HTTP/1.1 403");
  EXPECT_EQ(Ask(port(), Request("GET /x", "CDC.example.org:80")).substr(0, 12), "HTTP/1.1 200");
  EXPECT_EQ(Ask(port(), "GET /x HTTP/1.0\r\n\r\n").substr(9, 3), "200");
}

TEST_F(HttpListenerTest, WhatIsNoHttpIsRefused) {
  EXPECT_EQ(Ask(port(), "\x16\x03\x01\r\n\r\n").find("200"), std::string::npos);
  EXPECT_NE(Ask(port(), "GET /" + std::string(100'000, 'x') + " HTTP/1.1\r\n\r\n").substr(0, 12),
            "HTTP/1.1 200");
  EXPECT_EQ(Ask(port(), Request("GET /x", "localhost")).substr(0, 12), "HTTP/1.1 200") << "goes on";
}

TEST_F(HttpListenerTest, AnErrorOfAnAnswerEndsNothing) {
  EXPECT_EQ(Ask(port(), Request("GET /throws", "localhost")).substr(0, 12), "HTTP/1.1 500");
  EXPECT_EQ(Ask(port(), Request("GET /x", "localhost")).substr(0, 12), "HTTP/1.1 200");
}

TEST_F(HttpListenerTest, APortInUseIsAnError) {
  const auto second = HttpListener::Start({.port = port()}, {}, Echo);
  const ErrorDetail* const detail = GetErrorDetail(second.status());
  ASSERT_NE(detail, nullptr);
  EXPECT_EQ(detail->kind(), ErrorKind::kBusy);
  EXPECT_NE(second.status().message().find("Address already in use"), std::string::npos) << second.status();
}

// Connections that say nothing hold nobody else up, and an end does not wait for them.
TEST_F(HttpListenerTest, SilentConnectionsHoldNobodyUp) {
  using Clock = std::chrono::steady_clock;
  std::vector<int> silent;
  for (const int count : {40, 200}) {
    for (int i = 0; i < count; ++i) silent.push_back(Connect(port()));
    const auto before = Clock::now();
    EXPECT_EQ(Ask(port(), Request("GET /x", "localhost")).substr(0, 12), "HTTP/1.1 200") << silent.size();
    EXPECT_LT(Clock::now() - before, std::chrono::seconds(1)) << silent.size();
  }
  const auto before = Clock::now();
  listener_.reset();
  EXPECT_LT(Clock::now() - before, std::chrono::seconds(5));
  for (const int fd : silent) close(fd);
}

TEST(IsOurHost, NamesThatAreKnown) {
  for (const char* host : {"127.0.0.1:9187", "10.1.2.3", "[::1]:9187", "[fe80::1]", "localhost:1",
                           "LOCALHOST", "box:9187", "cdc.example.org"}) {
    EXPECT_TRUE(IsOurHost(host, "box", {"cdc.example.org"})) << host;
  }
  for (const char* host : {"", "evil.example.com", "localhost.evil.example.com", "127.0.0.1.evil.com", "box2",
                           "1.2.3", "[::1", "::1", "cdc.example.org.evil.com"}) {
    EXPECT_FALSE(IsOurHost(host, "box", {"cdc.example.org"})) << host;
  }
  EXPECT_FALSE(IsOurHost("", "", {}));
}

}  // namespace
}  // namespace arrowcdc::cli
