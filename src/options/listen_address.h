// Where a door listens, as it is typed: PORT, ADDRESS:PORT, [IPv6]:PORT, localhost:PORT. Numbers only: what a
// name means may change, and whoever opens a port to others should see which.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/result.h>

namespace arrowcdc {

struct ListenAddress {
  std::string address = "127.0.0.1";  // as inet_pton takes it
  uint16_t port = 0;                  // 0: one that is free
  bool ipv6 = false;
};

// Errors: kInvalidOption without the option's name.
arrow::Result<ListenAddress> ParseListenAddress(const std::string& text);

// "127.0.0.1:9187", "[::1]:9187".
std::string ToString(const ListenAddress& address);

}  // namespace arrowcdc
