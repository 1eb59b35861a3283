#include "cli/monitor/http_listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

#include <microhttpd.h>

#include "arrowcdc/error.h"

namespace arrowcdc::cli {
namespace {

// Beyond kKeptMax the one that has been idle for longest goes, so that connections that say nothing hold
// nobody up. libmicrohttpd takes several new ones at a time, which have room below kConnectionsMax.
constexpr size_t kKeptMax = 32;
constexpr unsigned kConnectionsMax = 64;
constexpr unsigned kConnectionSeconds = 10;
constexpr size_t kRequestBytesMax = 16 << 10;
constexpr unsigned kForbidden = 403;
constexpr unsigned kMethodNotAllowed = 405;
constexpr unsigned kServerError = 500;

// "name" of "name:80" and "[::1]" of "[::1]:80".
std::string_view NameOfHost(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

bool IsAddress(const std::string& name) {
  in6_addr bytes;
  if (name.starts_with('[') && name.ends_with(']'))
    return inet_pton(AF_INET6, name.substr(1, name.size() - 2).c_str(), &bytes) == 1;
  return inet_pton(AF_INET, name.c_str(), &bytes) == 1;
}

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

std::string MachineName() {
  char name[HOST_NAME_MAX + 1] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

MHD_Result Queue(MHD_Connection* connection, const HttpAnswer& answer) {
  // SAFETY: libmicrohttpd copies the body before the call returns; its signature lacks the const.
  MHD_Response* const response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  const std::pair<const char*, const char*> headers[] = {
      {"Content-Type", answer.type.c_str()},
      {"Cache-Control", "no-store"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Content-Security-Policy",
       "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; "
       "form-action 'none'; frame-ancestors 'none'"},
  };
  for (const auto& [name, value] : headers) (void)MHD_add_response_header(response, name, value);
  if (answer.code == kMethodNotAllowed) (void)MHD_add_response_header(response, "Allow", "GET");
  const MHD_Result queued = MHD_queue_response(connection, answer.code, response);
  MHD_destroy_response(response);
  return queued;
}

int SocketOf(MHD_Connection* connection) {
  return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

void OnConnection(void* listener, MHD_Connection* connection, void**, MHD_ConnectionNotificationCode what) {
  auto* const self = static_cast<HttpListener*>(listener);
  what == MHD_CONNECTION_NOTIFY_STARTED ? self->NoteUse(SocketOf(connection))
                                        : self->NoteEnd(SocketOf(connection));
}

// A request's body is not read: there is an answer as soon as its head is there.
MHD_Result OnRequest(void* listener, MHD_Connection* connection, const char* url, const char* method,
                     const char*, const char*, size_t*, void**) {
  static_cast<HttpListener*>(listener)->NoteUse(SocketOf(connection));
  const char* const host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
  return Queue(connection, static_cast<const HttpListener*>(listener)->Answer(method, url, host));
}

arrow::Status CannotListen(const ListenAddress& address, ErrorKind kind, const char* why) {
  return MakeError(kind, "cannot listen on " + ToString(address) + ": " + why, "option --http",
                   "choose another port, or end the program that listens there; port 0 takes a free one");
}

// A port that is taken may be free a moment later: by the process before this one, say.
arrow::Status CannotListen(const ListenAddress& address, int error) {
  return CannotListen(address, error == EADDRINUSE ? ErrorKind::kBusy : ErrorKind::kInvalidOption,
                      std::strerror(error));
}

// Returns the socket, which listens, and sets the port that it got.
arrow::Result<int> Listen(ListenAddress* address) {
  const int fd = socket(address->ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return CannotListen(*address, errno);
  sockaddr_in v4 = {};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address->port);
  sockaddr_in6 v6 = {};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(address->port);
  inet_pton(address->ipv6 ? AF_INET6 : AF_INET, address->address.c_str(),
            address->ipv6 ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr);
  auto* const name = address->ipv6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = address->ipv6 ? sizeof v6 : sizeof v4;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address->ipv6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const bool listens =
      bind(fd, name, size) == 0 && listen(fd, SOMAXCONN) == 0 && getsockname(fd, name, &size) == 0;
  if (!listens) {
    const arrow::Status status = CannotListen(*address, errno);
    close(fd);
    return status;
  }
  address->port = ntohs(address->ipv6 ? v6.sin6_port : v4.sin_port);
  return fd;
}

}  // namespace

bool IsOurHost(std::string_view host, std::string_view machine, const std::vector<std::string>& names) {
  const std::string_view name = NameOfHost(host);
  if (SameName(name, "localhost") || (!machine.empty() && SameName(name, machine))) return true;
  return IsAddress(std::string(name)) ||
         std::any_of(names.begin(), names.end(), [&](const auto& known) { return SameName(name, known); });
}

HttpListener::HttpListener(ListenAddress address, std::vector<std::string> names, Handler handler)
    : address_(std::move(address)),
      names_(std::move(names)),
      handler_(std::move(handler)),
      machine_(MachineName()) {}

arrow::Result<std::unique_ptr<HttpListener>> HttpListener::Start(const ListenAddress& address,
                                                                 std::vector<std::string> names,
                                                                 Handler handler) {
  ListenAddress bound = address;
  ARROW_ASSIGN_OR_RAISE(const int fd, Listen(&bound));
  std::unique_ptr<HttpListener> listener(
      new HttpListener(std::move(bound), std::move(names), std::move(handler)));
  listener->daemon_ = MHD_start_daemon(
      MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ITC, 0, nullptr, nullptr, OnRequest,
      listener.get(), MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, kConnectionsMax,
      MHD_OPTION_CONNECTION_TIMEOUT, kConnectionSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kRequestBytesMax,
      MHD_OPTION_NOTIFY_CONNECTION, OnConnection, listener.get(), MHD_OPTION_END);
  if (listener->daemon_ != nullptr) return listener;
  close(fd);
  return CannotListen(address, ErrorKind::kInvalidOption, "the HTTP server could not be started");
}

HttpListener::~HttpListener() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

void HttpListener::NoteUse(int socket) {
  used_.remove(socket);
  used_.push_back(socket);
  if (used_.size() <= kKeptMax) return;
  // libmicrohttpd sees its end, and closes it.
  (void)shutdown(used_.front(), SHUT_RDWR);
  used_.pop_front();
}

void HttpListener::NoteEnd(int socket) { used_.remove(socket); }

HttpAnswer HttpListener::Answer(std::string_view method, std::string_view path, const char* host) const {
  // What sends none is no browser.
  if (host != nullptr && !IsOurHost(host, machine_, names_)) {
    return {.code = kForbidden,
            .body =
                "requests for this host name are not answered: use an address, or name it with "
                "--http-host\n"};
  }
  if (method != "GET") return {.code = kMethodNotAllowed, .body = "GET only\n"};
  try {
    return handler_(path);
  } catch (const std::exception&) {  // out of memory: the stream goes on
    return {.code = kServerError, .body = "no answer could be made\n"};
  }
}

}  // namespace arrowcdc::cli
