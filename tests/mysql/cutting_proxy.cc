#include "tests/mysql/cutting_proxy.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <span>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace arrowcdc::mysql::test {
namespace {

constexpr int kLookMillis = 20;
constexpr uint8_t kDump = 18;
constexpr uint8_t kDumpGtid = 30;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool SendAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

// Packets of one direction: three bytes of length, a number, the payload.
class Packets {
 public:
  // How many bytes of `bytes` belong to the packet that they begin with, or go on with.
  size_t Take(std::span<const uint8_t> bytes) {
    size_t taken = 0;
    while (taken < bytes.size() && (header_ < 4 || left_ > 0)) {
      if (header_ < 4) {
        if (header_ < 3) left_ |= static_cast<size_t>(bytes[taken]) << (8 * header_);
        ++header_;
        ++taken;
        continue;
      }
      const size_t some = std::min(left_, bytes.size() - taken);
      if (first_ < 0) first_ = bytes[taken];
      left_ -= some;
      taken += some;
    }
    size_ += taken;
    return taken;
  }
  bool whole() const { return header_ == 4 && left_ == 0; }
  size_t size() const { return size_; }  // that has come
  int first() const { return first_; }   // byte of the payload
  void Next() { *this = {}; }

 private:
  int header_ = 0;
  size_t left_ = 0;
  size_t size_ = 0;
  int first_ = -1;
};

// Whether the server is reached.
bool Join(int client, int server, int server_port) {
  const sockaddr_in address = Loopback(server_port);
  const int on = 1;
  for (const int fd : {client, server}) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

arrow::Result<std::unique_ptr<CuttingProxy>> CuttingProxy::Start(int server_port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 64) != 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    if (listener >= 0) close(listener);
    return arrow::Status::IOError("no port for the proxy");
  }
  return std::unique_ptr<CuttingProxy>(new CuttingProxy(listener, ntohs(address.sin_port), server_port));
}

CuttingProxy::CuttingProxy(int listener, int port, int server_port)
    : listener_(listener), port_(port), server_port_(server_port), thread_([this] { Accept(); }) {}

CuttingProxy::~CuttingProxy() {
  stopping_ = true;
  thread_.join();
  for (std::thread& carrier : carriers_) carrier.join();
  close(listener_);
}

void CuttingProxy::CutNext(const Cut& cut) {
  const std::lock_guard lock(mutex_);
  next_ = cut;
}

void CuttingProxy::Accept() {
  while (!stopping_) {
    pollfd wait{listener_, POLLIN, 0};
    if (poll(&wait, 1, kLookMillis) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) carriers_.emplace_back([this, client] { Carry(client); });
  }
}

void CuttingProxy::Carry(int client) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool open = Join(client, server, server_port_);
  Packets asked;
  Packets answered;
  bool dumps = false;
  int64_t packet = 0;
  Cut cut;
  // The command, behind what is said before.
  const auto look_at_client = [&](std::span<const uint8_t> bytes) {
    while (!bytes.empty()) {
      bytes = bytes.subspan(asked.Take(bytes));
      if (!asked.whole()) continue;
      if (asked.first() == kDump || asked.first() == kDumpGtid) {
        dumps = true;
        packets_ = 0;
        const std::lock_guard lock(mutex_);
        cut = std::exchange(next_, {});
      }
      asked.Next();
    }
  };
  // How much of it is passed on.
  const auto look_at_server = [&](std::span<const uint8_t> bytes) -> size_t {
    size_t passed = 0;
    while (dumps && passed < bytes.size()) {
      const size_t before = answered.size();
      const size_t taken = answered.Take(bytes.subspan(passed));
      if (packet == cut.packet && (answered.size() > cut.bytes || answered.whole())) {
        open = false;
        ++cuts_;
        return passed + std::min<size_t>(taken, cut.bytes > before ? cut.bytes - before : 0);
      }
      passed += taken;
      if (!answered.whole()) continue;
      answered.Next();
      packets_ = ++packet;
      int64_t last = packet;
      if (freeze_behind_.compare_exchange_strong(last, -1)) {
        frozen_ = true;
        return passed;
      }
    }
    return bytes.size();
  };
  std::vector<uint8_t> buffer(1 << 16);
  while (open && !stopping_) {
    pollfd wait[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (frozen_) {
      poll(nullptr, 0, kLookMillis);
      continue;
    }
    if (poll(wait, 2, kLookMillis) <= 0) continue;
    for (int i = 0; i < 2 && open; ++i) {
      if (wait[i].revents == 0) continue;
      const ssize_t got = recv(wait[i].fd, buffer.data(), buffer.size(), MSG_PEEK);
      if (got <= 0) {
        open = false;
        break;
      }
      const std::span<const uint8_t> bytes(buffer.data(), static_cast<size_t>(got));
      if (i == 0) look_at_client(bytes);
      const size_t pass = i == 0 ? bytes.size() : look_at_server(bytes);
      if (i == 1 && rate_ > 0) poll(nullptr, 0, static_cast<int>(static_cast<int64_t>(pass) * 1000 / rate_));
      open = SendAll(i == 0 ? server : client, bytes.first(pass)) && open;
      (void)recv(wait[i].fd, buffer.data(), pass, 0);  // what is behind waits
    }
  }
  close(client);
  close(server);
}

}  // namespace arrowcdc::mysql::test
