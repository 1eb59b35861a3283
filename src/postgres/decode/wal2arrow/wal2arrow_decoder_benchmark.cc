// Decodes recorded sessions again and again, for tools/profile_plugin.sh to count:
// wal2arrow_decoder_benchmark ROUNDS < FRAMES FRAMES has one frame a line, in hexadecimal digits, as the
// server's encode() writes it. Prints batches and rows of a round.
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "src/postgres/decode/wal2arrow/testing/frames.h"
#include "src/postgres/decode/wal2arrow/wal2arrow_decoder.h"

namespace {

int Digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::string Bytes(const std::string& digits) {
  std::string bytes(digits.size() / 2, '\0');
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(Digit(digits[2 * i]) << 4 | Digit(digits[2 * i + 1]));
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc == 2 ? std::atoi(argv[1]) : 0;
  if (rounds < 1) {
    std::cerr << "usage: wal2arrow_decoder_benchmark ROUNDS < FRAMES\n";
    return 2;
  }
  std::ios::sync_with_stdio(false);
  std::vector<std::shared_ptr<arrow::Buffer>> messages;
  for (std::string line; std::getline(std::cin, line);)
    messages.push_back(arrowcdc::test::Message::Make(Bytes(line)));

  int64_t batches = 0;
  int64_t rows = 0;
  for (int round = 0; round < rounds; ++round) {
    arrowcdc::Wal2arrowDecoder decoder(arrow::default_memory_pool(), /*epoch=*/1);
    for (const auto& message : messages) {
      const auto event = decoder.Decode(message, arrowcdc::format::kXLogDataHeaderBytes);
      if (!event.ok()) {
        std::cerr << event.status().ToString() << "\n";
        return 1;
      }
      if (!event->has_value()) continue;
      if (const auto* batch = std::get_if<arrowcdc::ChangeBatch>(&**event)) {
        ++batches;
        rows += batch->rows->num_rows();
      }
    }
  }
  std::cout << batches / rounds << " " << rows / rounds << "\n";
}
