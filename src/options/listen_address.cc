#include "src/options/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

#include "arrowcdc/error.h"

namespace arrowcdc {
namespace {

arrow::Status CannotBeRead() {
  return MakeError(ErrorKind::kInvalidOption, "this is no address to listen on", "listen address",
                   "give a port (9187), or an address in numbers and a port (127.0.0.1:9187, [::1]:9187)");
}

}  // namespace

arrow::Result<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress listen;
  const size_t colon = text.rfind(':');
  const std::string port = text.substr(colon == std::string::npos ? 0 : colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), listen.port);
  if (error != std::errc() || end != port.data() + port.size()) return CannotBeRead();
  if (colon == std::string::npos) return listen;
  std::string address = text.substr(0, colon);
  if (address == "localhost") address = "127.0.0.1";
  listen.ipv6 = address.starts_with('[') && address.ends_with(']');
  if (listen.ipv6) address = address.substr(1, address.size() - 2);
  in6_addr bytes;
  if (inet_pton(listen.ipv6 ? AF_INET6 : AF_INET, address.c_str(), &bytes) != 1) return CannotBeRead();
  listen.address = address;
  return listen;
}

std::string ToString(const ListenAddress& address) {
  const std::string host = address.ipv6 ? "[" + address.address + "]" : address.address;
  return host + ":" + std::to_string(address.port);
}

}  // namespace arrowcdc
