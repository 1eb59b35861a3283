// A small HTTP server for people and programs that look at a stream: GET only, a bounded number of
// connections, no outside name. What it says comes from one function, called on its thread.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "src/options/listen_address.h"

struct MHD_Daemon;

namespace arrowcdc::cli {

struct HttpAnswer {
  unsigned code = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body{};
};

// Whether a request with this Host is for us. A page of another site can have its own name point here (DNS
// rebinding), and then reads what it gets: so a name must be one that is known. Addresses, localhost and
// `machine` are; `names` are those that somebody gave.
bool IsOurHost(std::string_view host, std::string_view machine, const std::vector<std::string>& names);

class HttpListener {
 public:
  using Handler = std::function<HttpAnswer(std::string_view path)>;

  // Listens before it returns. names: see IsOurHost. Errors: kInvalidOption where it cannot, as when the port
  // is in use.
  static arrow::Result<std::unique_ptr<HttpListener>> Start(const ListenAddress& address,
                                                            std::vector<std::string> names, Handler handler);
  // Ends all connections at once.
  ~HttpListener();
  HttpListener(const HttpListener&) = delete;
  HttpListener& operator=(const HttpListener&) = delete;

  // Where it listens, with the port that it got.
  const ListenAddress& address() const { return address_; }

  // Of libmicrohttpd's thread: what a request gets, and which connections are used and end.
  HttpAnswer Answer(std::string_view method, std::string_view path, const char* host) const;
  void NoteUse(int socket);
  void NoteEnd(int socket);

 private:
  HttpListener(ListenAddress address, std::vector<std::string> names, Handler handler);

  ListenAddress address_;
  const std::vector<std::string> names_;
  const Handler handler_;
  std::string machine_;
  std::list<int> used_;  // sockets, the one that was used last at the end
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace arrowcdc::cli
