// MysqlOptions::url taken apart. No network.
#pragma once

#include <cstdint>
#include <string>

#include <arrow/result.h>

namespace arrowcdc::mysql {

enum class SslMode {
  kDefault,         // preferred on this machine, verify-identity beyond it
  kDisabled,        // never
  kPreferred,       // where the server has it; its certificate is not looked at
  kRequired,        // the same, or no connection
  kVerifyIdentity,  // the certificate is one of `ssl_ca` or of the system, and for that host
};

struct Url {
  std::string directory;  // of binlog:DIR; all else is empty then
  std::string host;       // empty: the option file's, else localhost
  uint16_t port = 0;      // 0: the option file's, else 3306
  std::string user;
  std::string password;
  bool has_password = false;
  std::string socket;
  std::string option_file;  // empty: those that clients read
  SslMode ssl_mode = SslMode::kDefault;
  std::string ssl_ca;
  std::string ssl_cert;
  std::string ssl_key;
  unsigned read_seconds = 15;  // of the stream, on which a sign of life comes each second

  bool files() const { return !directory.empty(); }
  // Whether what goes to the server does not leave the machine.
  bool local() const;
  // For messages: never the password.
  std::string server() const;
};

// Errors: kInvalidOption, without any part of the text, which may hold a password.
arrow::Result<Url> ParseUrl(const std::string& text);

}  // namespace arrowcdc::mysql
