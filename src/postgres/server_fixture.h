// For the tests of this module: one private server a test program, and typed looks at errors.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "arrowcdc/error.h"
#include "tests/support/private_server.h"

namespace arrowcdc::postgres {

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

// The kind, or fails the test when the status is ok or carries none.
inline ErrorKind KindOf(const arrow::Status& status) {
  const ErrorDetail* detail = GetErrorDetail(status);
  EXPECT_NE(detail, nullptr) << status.ToString();
  return detail == nullptr ? ErrorKind::kInternal : detail->kind();
}

}  // namespace arrowcdc::postgres
