// libpq is asked for the merged options through a connection attempt that it refuses before it opens a
// socket.
#include "src/postgres/client/connection_options.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>

#include <libpq-fe.h>

#include "arrowcdc/error.h"

namespace arrowcdc::postgres {
namespace {

constexpr int kConnectTimeoutSeconds = 15;
// A role or a database may carry settings that would change what queries mean or end them halfway. These are
// part of the startup packet, as a SET could itself be cancelled by the role's statement_timeout.
constexpr char kPinnedSettings[] =
    "-c search_path= -c statement_timeout=0 -c lock_timeout=10s -c idle_in_transaction_session_timeout=0 "
    "-c idle_session_timeout=0 "
    "-c row_security=off -c standard_conforming_strings=on -c bytea_output=hex "
    "-c default_transaction_isolation=read\\ committed -c default_transaction_read_only=off";
// No value that libpq knows: it stops at this option.
constexpr char kRefusedValue[] = "arrowcdc-looks-only";

using ConninfoOptions = std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)>;

// Only texts that cannot hold a piece of the connection string's values.
std::string HarmlessText(const std::string& conninfo, const std::string& text) {
  // An unknown keyword is named where it can hardly be the rest of a password that was not quoted.
  constexpr std::string_view kUnknown = "invalid connection option \"";
  const size_t at = text.find(kUnknown);
  if (at != std::string::npos && conninfo.find("password") == std::string::npos) {
    const std::string keyword =
        text.substr(at + kUnknown.size(), text.find('"', at + kUnknown.size()) - at - kUnknown.size());
    const bool letters = keyword.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos;
    if (letters) return ": there is no keyword \"" + keyword + "\"";
  }
  for (const char* harmless : {"definition of service", "service file", "could not match"}) {
    if (text.find(harmless) != std::string::npos) return ": " + text.substr(0, text.find('\n'));
  }
  return "";
}

arrow::Status BadConninfo(const std::string& reason) {
  return MakeError(ErrorKind::kInvalidOption, "the connection string is not valid" + reason,
                   "connection string",
                   "write keywords (host=db.example dbname=shop user=cdc) or a URI "
                   "(postgresql://cdc@db.example/shop, mysql://cdc@db.example/); values with spaces stand in "
                   "single quotes, special characters of a URI are percent-encoded");
}

// sslmode=prefer is libpq's default, too: look whether somebody asked for it.
bool SslModeAskedFor(const std::string& conninfo) {
  const char* variable = std::getenv("PGSSLMODE");
  if (variable != nullptr && variable[0] != '\0') return true;
  const ConninfoOptions options(PQconninfoParse(conninfo.c_str(), nullptr), PQconninfoFree);
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    if (std::string_view(option->keyword) == "sslmode") return option->val != nullptr;
  }
  return false;
}

std::vector<std::string> SplitList(const std::string& list) {
  std::vector<std::string> parts(1);
  for (const char c : list) {
    if (c == ',') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// An unescaped '/' in a URI's password makes libpq read the password as a port; its error would show it, and
// come only from the attempt to connect.
bool IsPortList(const std::string& ports) {
  for (const std::string& port : SplitList(ports)) {
    if (port.empty()) continue;
    if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return false;
    const int number = std::atoi(port.c_str());
    if (number < 1 || number > 65535) return false;
  }
  return true;
}

// A password that is not escaped in a URI, or not a URI at all, ends up as a piece of the host or the
// database, which errors name.
arrow::Status CheckNoSecretElsewhere(const std::string& conninfo,
                                     std::map<std::string, std::string>& effective) {
  const size_t scheme = conninfo.find("://");
  const bool is_uri = conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://");
  if (is_uri) {
    // libpq takes what comes before the first '@', if no '/' does, for user and password.
    const std::string_view rest = std::string_view(conninfo).substr(scheme + 3);
    const std::string_view place = rest.substr(0, rest.find('?', std::min(rest.find('@'), rest.find('/'))));
    const size_t at = place.find('@');
    const size_t user_end = at < place.find('/') ? at + 1 : 0;
    if (at != std::string_view::npos && place.find('@', user_end) != std::string_view::npos) {
      return BadConninfo(": there is an '@' too many, or a '/' before it: in a password write %40, %2F");
    }
  } else if (conninfo.find('=') == std::string::npos && conninfo.find_first_of("@:/") != std::string::npos) {
    return BadConninfo(": it is neither keywords nor a URI");
  }
  for (const std::string& host : SplitList(effective["host"])) {
    if (!host.empty() && host[0] != '@' && host[0] != '/' && host.find('@') != std::string::npos) {
      return BadConninfo(": the host holds an '@': in a password of a URI write %40");
    }
  }
  for (const char* keyword : {"user", "dbname"}) {
    const std::string& value = effective[keyword];
    if (value.find('@', std::min(value.find(':'), value.size())) != std::string::npos)
      return BadConninfo(std::string(": ") + keyword + " holds user:password@host, which is no name");
  }
  for (const auto& [keyword, value] : effective) {
    if (keyword == "options") continue;
    if (value.find("://") != std::string::npos) return BadConninfo(": " + keyword + " holds a URI");
    const size_t word = value.find("password");
    if (word != std::string::npos && value.find('=', word) != std::string::npos)
      return BadConninfo(": " + keyword + " holds the word password, a space is missing before it");
  }
  return arrow::Status::OK();
}

bool IsLocalAddress(std::string_view address) {
  return address.empty() || address[0] == '/' || address[0] == '@' || address == "localhost" ||
         address == "::1" || address.substr(0, 4) == "127.";
}

}  // namespace

bool IsLocal(const std::string& hosts, const std::string& host_addresses) {
  const std::vector<std::string> names = SplitList(hosts);
  const std::vector<std::string> addresses = SplitList(host_addresses);
  for (size_t i = 0; i < std::max(names.size(), addresses.size()); ++i) {
    const std::string& address = i < addresses.size() ? addresses[i] : addresses.back();
    const std::string& name = i < names.size() ? names[i] : names.back();
    if (!IsLocalAddress(address.empty() ? name : address)) return false;
  }
  return true;
}

std::string ServerCodec(WireCompression wanted, bool is_local) {
  switch (wanted) {
    case WireCompression::kAuto:
      return is_local ? "" : "lz4";
    case WireCompression::kNone:
      return "";
    case WireCompression::kLz4:
      return "lz4";
    case WireCompression::kZstd:
      return "zstd";
  }
  return "";
}

arrow::Result<std::map<std::string, std::string>> EffectiveOptions(const std::string& conninfo) {
  const char* keywords[] = {"dbname", "channel_binding", nullptr};
  const char* values[] = {conninfo.c_str(), kRefusedValue, nullptr};
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectStartParams(keywords, values, 1),
                                                                PQfinish);
  if (connection == nullptr) return arrow::Status::OutOfMemory("libpq could not allocate a connection");
  const std::string text = PQerrorMessage(connection.get());
  if (text.find(kRefusedValue) == std::string::npos) return BadConninfo(HarmlessText(conninfo, text));
  const ConninfoOptions options(PQconninfo(connection.get()), PQconninfoFree);
  std::map<std::string, std::string> effective;
  for (const PQconninfoOption* option = options.get(); option != nullptr && option->keyword != nullptr;
       ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr || keyword == "password" || keyword == "sslpassword") continue;
    effective[option->keyword] = option->val;
  }
  return effective;
}

arrow::Result<ConnectionOptions> MakeConnectionOptions(const std::string& conninfo, ConnectionMode mode) {
  ARROW_ASSIGN_OR_RAISE(auto effective, EffectiveOptions(conninfo));
  if (!IsPortList(effective["port"])) return BadConninfo(": the port is not a number from 1 to 65535");
  ARROW_RETURN_NOT_OK(CheckNoSecretElsewhere(conninfo, effective));
  const std::string host = effective["host"];
  const std::string host_address = effective["hostaddr"];
  ConnectionOptions options;
  options.server = (host.empty() ? (host_address.empty() ? "local socket" : host_address) : host) + ":" +
                   effective["port"];
  options.user = effective["user"];
  options.database = effective["dbname"];
  options.several_hosts = (host + host_address).find(',') != std::string::npos;
  options.connect_timeout_seconds = std::atoi(effective["connect_timeout"].c_str());
  if (options.connect_timeout_seconds <= 0) options.connect_timeout_seconds = kConnectTimeoutSeconds;

  options.parameters = {{"dbname", conninfo},
                        {"fallback_application_name", "arrowcdc"},
                        {"client_encoding", "UTF8"},
                        {"replication", mode == ConnectionMode::kReplication ? "database" : "false"}};
  // The user's come first: of two values the server takes the later. A backslash at their end, which the
  // server would ignore, must not bind the space that follows to them.
  std::string settings = effective["options"];
  if ((settings.size() - (settings.find_last_not_of('\\') + 1)) % 2 == 1) settings.pop_back();
  options.parameters.emplace_back("options", (settings.empty() ? "" : settings + " ") + kPinnedSettings);
  const auto add_default = [&](const char* keyword, const char* value) {
    if (effective[keyword].empty()) options.parameters.emplace_back(keyword, value);
  };
  // A peer that vanished without a word is noticed within about a minute.
  add_default("keepalives_idle", "30");
  add_default("keepalives_interval", "10");
  add_default("keepalives_count", "3");
  add_default("tcp_user_timeout", "60000");
  add_default("connect_timeout", std::to_string(kConnectTimeoutSeconds).c_str());
  if (effective["sslmode"] == "prefer" && !SslModeAskedFor(conninfo) && !IsLocal(host, host_address)) {
    options.parameters.emplace_back("sslmode", "verify-full");
  }
  return options;
}

}  // namespace arrowcdc::postgres
