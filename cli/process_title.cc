#include "cli/process_title.h"

#include <cctype>
#include <cstring>

namespace arrowcdc::cli {
namespace {

// A conninfo value ends at white space, a quoted one at its closing quote; backslash takes the next character
// along.
void HideKeywordValue(char* at) {
  while (std::isspace(static_cast<unsigned char>(*at)) != 0 || *at == '=') ++at;
  const bool quoted = *at == '\'';
  if (quoted) ++at;
  for (; *at != '\0'; ++at) {
    if (quoted ? *at == '\'' : std::isspace(static_cast<unsigned char>(*at)) != 0 || *at == '&') return;
    if (*at == '\\' && at[1] != '\0') *at++ = 'x';
    *at = 'x';
  }
}

void HideUriPassword(char* authority) {
  char* const end = authority + std::strcspn(authority, "/?");
  char* last_at = nullptr;
  for (char* p = authority; p != end; ++p) {
    if (*p == '@') last_at = p;
  }
  // A password whose '/' or '?' is not escaped.
  if (last_at == nullptr) last_at = std::strrchr(authority, '@');
  if (last_at == nullptr) return;
  char* colon = static_cast<char*>(std::memchr(authority, ':', static_cast<size_t>(last_at - authority)));
  if (colon != nullptr) std::memset(colon + 1, 'x', static_cast<size_t>(last_at - colon - 1));
}

}  // namespace

void HidePasswords(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (char* scheme = std::strstr(argv[i], "://")) HideUriPassword(scheme + 3);
    for (char* p = argv[i]; (p = std::strstr(p, "password")) != nullptr; p += std::strlen("password")) {
      const char* next = p + std::strlen("password");
      while (std::isspace(static_cast<unsigned char>(*next)) != 0) ++next;
      if (*next == '=') HideKeywordValue(p + std::strlen("password"));
    }
  }
}

}  // namespace arrowcdc::cli
