#include "src/mysql/client/url.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "arrowcdc/error.h"
#include "arrowcdc/mysql.h"

namespace arrowcdc {
namespace mysql {
namespace {

constexpr std::string_view kFiles = "binlog:";

arrow::Status Wrong(const std::string& what) {
  return MakeError(ErrorKind::kInvalidOption, what, "option source",
                   "use mysql://USER@HOST:PORT/, mariadb://USER@HOST:PORT/ or binlog:DIRECTORY; what is none "
                   "of letters, digits, '-', '.', '_' is written as %XX");
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    if (i + 2 >= text.size() || HexDigit(text[i + 1]) < 0 || HexDigit(text[i + 2]) < 0) return std::nullopt;
    decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
    i += 2;
  }
  // C strings go to the client library.
  if (decoded.find('\0') != std::string::npos) return std::nullopt;
  return decoded;
}

arrow::Status ParseUser(std::string_view text, Url* url) {
  const size_t colon = text.find(':');
  const auto user = Decode(text.substr(0, colon));
  if (!user.has_value()) return Wrong("the user's name in the URL is not percent-encoded right");
  url->user = *user;
  if (colon == std::string_view::npos) return arrow::Status::OK();
  const auto password = Decode(text.substr(colon + 1));
  if (!password.has_value()) return Wrong("the password in the URL is not percent-encoded right");
  url->password = *password;
  url->has_password = true;
  return arrow::Status::OK();
}

arrow::Status ParseHost(std::string_view text, Url* url) {
  size_t end = text.starts_with('[') ? text.find(']') : text.rfind(':');
  std::string_view host = text.substr(0, end);
  std::string_view port;
  if (text.starts_with('[')) {
    if (end == std::string_view::npos) return Wrong("the URL's host begins with '[' and has no ']'");
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return Wrong("something other than :PORT follows the host");
    if (!port.empty()) port.remove_prefix(1);
  } else if (end != std::string_view::npos) {
    port = text.substr(end + 1);
  }
  const auto decoded = Decode(host);
  if (!decoded.has_value() || (decoded->find(':') != std::string::npos) != text.starts_with('['))
    return Wrong("the URL's host is none (an IPv6 address is written in brackets)");
  url->host = *decoded;
  if (port.empty()) return arrow::Status::OK();
  const auto [at, error] = std::from_chars(port.data(), port.data() + port.size(), url->port);
  if (error != std::errc() || at != port.data() + port.size() || url->port == 0)
    return Wrong("the URL's port is no number from 1 to 65535");
  return arrow::Status::OK();
}

arrow::Status ParseSslMode(const std::string& value, Url* url) {
  if (value == "disabled") {
    url->ssl_mode = SslMode::kDisabled;
  } else if (value == "preferred") {
    url->ssl_mode = SslMode::kPreferred;
  } else if (value == "required") {
    url->ssl_mode = SslMode::kRequired;
  } else if (value == "verify-identity") {
    url->ssl_mode = SslMode::kVerifyIdentity;
  } else {
    return Wrong("ssl-mode is disabled, preferred, required or verify-identity");
  }
  return arrow::Status::OK();
}

arrow::Status ParseReadTimeout(const std::string& value, Url* url) {
  const auto [at, error] = std::from_chars(value.data(), value.data() + value.size(), url->read_seconds);
  if (error == std::errc() && at == value.data() + value.size() && url->read_seconds >= 3 &&
      url->read_seconds <= 3600)
    return arrow::Status::OK();
  return Wrong("read-timeout is no number of seconds from 3 to 3600");
}

arrow::Status ParseSetting(std::string_view text, Url* url) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos) return Wrong("a setting in the URL has no '='");
  const std::string_view name = text.substr(0, equals);
  const auto value = Decode(text.substr(equals + 1));
  if (!value.has_value()) return Wrong("a setting in the URL is not percent-encoded right");
  if (name == "ssl-mode") return ParseSslMode(*value, url);
  if (name == "read-timeout") return ParseReadTimeout(*value, url);
  const std::pair<std::string_view, std::string*> known[] = {{"ssl-ca", &url->ssl_ca},
                                                             {"ssl-cert", &url->ssl_cert},
                                                             {"ssl-key", &url->ssl_key},
                                                             {"socket", &url->socket},
                                                             {"option-file", &url->option_file}};
  for (const auto& [known_name, field] : known) {
    if (name != known_name) continue;
    *field = *value;
    return arrow::Status::OK();
  }
  return Wrong(
      "the URL has a setting other than ssl-mode, ssl-ca, ssl-cert, ssl-key, socket, option-file and "
      "read-timeout");
}

}  // namespace

bool Url::local() const {
  if (!socket.empty() || host.empty() || host == "localhost" || host == "::1") return true;
  // 127.0.0.1 and its like, and no name that begins so.
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos;
}

std::string Url::server() const {
  if (files()) return "files in " + directory;
  if (!socket.empty()) return "socket " + socket;
  if (host.empty() && port == 0) return "of the option file";
  return (host.empty() ? "localhost" : host) + ":" + std::to_string(port == 0 ? 3306 : port);
}

arrow::Result<Url> ParseUrl(const std::string& text) {
  std::string_view rest = text;
  Url url;
  if (rest.starts_with(kFiles)) {
    url.directory = rest.substr(kFiles.size());
    if (url.directory.empty()) return Wrong("binlog: is followed by no directory");
    return url;
  }
  const size_t scheme = rest.find("://");
  if (!IsMysqlUrl(text)) return Wrong("the text is no URL of MySQL or MariaDB");
  rest.remove_prefix(scheme + 3);
  std::string_view settings;
  if (const size_t question = rest.find('?'); question != std::string_view::npos) {
    settings = rest.substr(question + 1);
    rest = rest.substr(0, question);
  }
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    if (slash + 1 != rest.size())
      return Wrong("the URL names a database; which tables are captured is said by patterns (--tables)");
    rest = rest.substr(0, slash);
  }
  if (const size_t at = rest.rfind('@'); at != std::string_view::npos) {
    ARROW_RETURN_NOT_OK(ParseUser(rest.substr(0, at), &url));
    rest = rest.substr(at + 1);
  }
  ARROW_RETURN_NOT_OK(ParseHost(rest, &url));
  while (!settings.empty()) {
    const size_t end = settings.find('&');
    ARROW_RETURN_NOT_OK(ParseSetting(settings.substr(0, end), &url));
    settings.remove_prefix(end == std::string_view::npos ? settings.size() : end + 1);
  }
  return url;
}

}  // namespace mysql

bool IsMysqlUrl(const std::string& text) {
  return text.starts_with("mysql://") || text.starts_with("mariadb://") || text.starts_with("binlog:");
}

}  // namespace arrowcdc
