#include "arrowcdc/secrets.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace arrowcdc {
namespace {

// Keywords of connection strings, and how groups of them begin.
constexpr std::array<std::string_view, 18> kKeywords = {"host",
                                                        "hostaddr",
                                                        "port",
                                                        "dbname",
                                                        "user",
                                                        "password",
                                                        "passfile",
                                                        "options",
                                                        "service",
                                                        "replication",
                                                        "sslpassword",
                                                        "client_encoding",
                                                        "application_name",
                                                        "fallback_application_name",
                                                        "connect_timeout",
                                                        "channel_binding",
                                                        "require_auth",
                                                        "target_session_attrs"};
constexpr std::array<std::string_view, 5> kKeywordGroups = {"ssl", "gss", "krb", "keepalives", "tcp_"};

bool IsKeyword(std::string_view word) {
  return std::find(kKeywords.begin(), kKeywords.end(), word) != kKeywords.end() ||
         std::any_of(kKeywordGroups.begin(), kKeywordGroups.end(),
                     [&](std::string_view group) { return word.starts_with(group); });
}

// "... user = x": a keyword before an equals sign, at the start or behind what ends a value.
bool HasKeyword(std::string_view text) {
  for (size_t at = text.find('='); at != std::string_view::npos; at = text.find('=', at + 1)) {
    const size_t end = text.find_last_not_of(" \t\n", at == 0 ? 0 : at - 1);
    if (at == 0 || end == std::string_view::npos) continue;
    size_t begin = end + 1;
    while (begin > 0 &&
           (std::isalpha(static_cast<unsigned char>(text[begin - 1])) != 0 || text[begin - 1] == '_'))
      --begin;
    const bool apart =
        begin == 0 || std::string_view(" \t\n'\"?&").find(text[begin - 1]) != std::string_view::npos;
    if (apart && IsKeyword(text.substr(begin, end + 1 - begin))) return true;
  }
  return false;
}

// user:password@host
bool HasUserAndPassword(std::string_view text) {
  const size_t colon = text.find(':');
  return colon != std::string_view::npos && text.find('@', colon) != std::string_view::npos;
}

}  // namespace

bool LooksLikeConninfo(std::string_view text) {
  return text.find("://") != std::string_view::npos || HasKeyword(text) || HasUserAndPassword(text);
}

std::string Shown(std::string_view value) {
  constexpr size_t kBytesMax = 200;
  if (LooksLikeConninfo(value) || value.find_first_of("=@") != std::string_view::npos) {
    return "a value that is not shown, since it may be a part of a connection string";
  }
  return '"' + std::string(value.substr(0, kBytesMax)) + (value.size() > kBytesMax ? "...\"" : "\"");
}

}  // namespace arrowcdc
