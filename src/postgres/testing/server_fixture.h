// For the tests of this module: one private server a test program, and typed looks at errors.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "arrowcdc/error.h"
#include "tests/testing/private_server.h"

namespace arrowcdc::postgres {

// A dynamic_library_path on which no plugin is: $libdir may hold a wal2arrow that somebody has installed.
inline constexpr char kNoLibraries[] = "/nonexistent";

// Started at the first call, gone with the program. No library of ours in it: what needs the plugin says so
// itself.
inline test::PrivateServer& Server() {
  static const std::unique_ptr<test::PrivateServer> server = [] {
    test::PrivateServerOptions options;
    options.libraries = {};
    options.settings = {{"max_replication_slots", "8"}, {"max_wal_senders", "8"}};
    return test::PrivateServer::Create(options).ValueOrDie();
  }();
  return *server;
}

// The detail; fails the test when the status is ok or carries none.
inline const ErrorDetail& DetailOf(const arrow::Status& status) {
  static const ErrorDetail none(ErrorKind::kInternal, "no detail", "no detail", "no detail", false);
  const ErrorDetail* detail = GetErrorDetail(status);
  EXPECT_NE(detail, nullptr) << status.ToString();
  // The caller's status keeps it alive, as far as the end of the expression where it is a temporary.
  return detail == nullptr ? none : *detail;
}

inline ErrorKind KindOf(const arrow::Status& status) { return DetailOf(status).kind(); }

}  // namespace arrowcdc::postgres
