// For the tests of this module: one private server a test program.
#pragma once

#include <memory>
#include <string>

#include "tests/testing/private_server.h"

namespace arrowcdc::test {

// A dynamic_library_path on which no plugin is: $libdir may hold a wal2arrow that somebody has installed.
inline constexpr char kNoLibraries[] = "/nonexistent";

// Started at the first call, gone with the program. No library of ours in it: what needs the plugin says so
// itself.
inline PrivateServer& Server() {
  static const std::unique_ptr<PrivateServer> server = [] {
    PrivateServerOptions options;
    options.libraries = {};
    options.settings = {{"max_replication_slots", "8"}, {"max_wal_senders", "8"}};
    return PrivateServer::Create(options).ValueOrDie();
  }();
  return *server;
}

}  // namespace arrowcdc::test
