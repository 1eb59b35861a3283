// Stands between a client and a MySQL server, and cuts the connection of a dump at one of its packets.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <arrow/result.h>

namespace arrowcdc::mysql::test {

// Of the packets that the server sends behind the command that asks for the dump, from 0 on.
struct Cut {
  int64_t packet = -1;  // none: nothing is cut
  // So much of it still arrives; beyond its size: all of it.
  uint64_t bytes = 0;
};

// TLS is not understood: such connections can be frozen, and not cut.
class CuttingProxy {
 public:
  static arrow::Result<std::unique_ptr<CuttingProxy>> Start(int server_port);
  ~CuttingProxy();
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;

  int port() const { return port_; }
  // Of the next dump; later ones are not cut.
  void CutNext(const Cut& cut);
  // From then on nothing passes, and nothing is closed.
  void Freeze(bool frozen) { frozen_ = frozen; }
  // The same, once so many packets of a dump have passed.
  void FreezeBehind(int64_t packets) { freeze_behind_ = packets; }
  // What the server sends passes at so many bytes a second from then on.
  void Slow(int64_t bytes_per_second) { rate_ = bytes_per_second; }
  bool frozen() const { return frozen_; }
  int64_t packets() const { return packets_; }  // of the last dump
  int64_t cuts() const { return cuts_; }

 private:
  CuttingProxy(int listener, int port, int server_port);
  void Accept();
  void Carry(int client);

  const int listener_;
  const int port_;
  const int server_port_;
  std::mutex mutex_;
  Cut next_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> frozen_ = false;
  std::atomic<int64_t> freeze_behind_ = -1;  // none
  std::atomic<int64_t> rate_ = 0;            // none
  std::atomic<int64_t> packets_ = 0;
  std::atomic<int64_t> cuts_ = 0;
  std::vector<std::thread> carriers_;  // of the accepting thread
  std::thread thread_;
};

}  // namespace arrowcdc::mysql::test
