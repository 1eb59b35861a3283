// Runs a fuzz target without libFuzzer: every file of its corpus, then damaged copies of them.
//   ARROWCDC_FUZZ_ROUNDS=100000 ARROWCDC_FUZZ_SEED=7 build-asan/fuzz/wal2arrow_decoder_corpus_test
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t bytes);

namespace {

std::vector<std::string> Corpus() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(ARROWCDC_FUZZ_CORPUS))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> inputs;
  for (const auto& path : paths) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    inputs.push_back(text.str());
  }
  return inputs;
}

void RunTarget(const std::string& input) {
  // On the heap at its exact size, so that a read beyond it is seen.
  std::vector<uint8_t> bytes(input.begin(), input.end());
  bytes.shrink_to_fit();
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
}

uint64_t Setting(const char* name, uint64_t otherwise) {
  const char* text = getenv(name);
  return text == nullptr ? otherwise : strtoull(text, nullptr, 10);
}

// A copy with one to eight changes of the kinds that formats of lengths and offsets suffer from.
std::string Damage(std::string input, const std::vector<std::string>& corpus, std::mt19937_64& random) {
  static const uint64_t kNumbers[] = {
      0,      1,      7,          8,          0x7f,       0x80,         0xff,
      0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, ~uint64_t{0}, uint64_t{1} << 63};
  for (int n = 1 + static_cast<int>(random() % 8); n > 0 && !input.empty(); --n) {
    size_t at = random() % input.size();
    switch (random() % 6) {
      case 0:
        input[at] = static_cast<char>(random());
        break;
      case 1:
        input[at] = static_cast<char>(input[at] ^ (1 << (random() % 8)));
        break;
      case 2: {
        uint64_t number = kNumbers[random() % std::size(kNumbers)];
        size_t width = size_t{1} << (random() % 4);
        for (size_t i = 0; i < width && at + i < input.size(); ++i)
          input[at + i] = static_cast<char>(number >> (8 * i));
        break;
      }
      case 3:
        input.erase(at, random() % 16);
        break;
      case 4:
        input.insert(at, input.substr(random() % input.size(), random() % 32));
        break;
      default: {
        const std::string& other = corpus[random() % corpus.size()];
        size_t from = random() % (other.size() + 1);
        std::string piece = other.substr(from, random() % 64);
        input.replace(at, std::min(piece.size(), input.size() - at), piece);
      }
    }
  }
  return input;
}

TEST(Corpus, EveryFile) {
  auto corpus = Corpus();
  ASSERT_FALSE(corpus.empty());
  for (const auto& input : corpus) RunTarget(input);
}

TEST(Corpus, DamagedCopies) {
  auto corpus = Corpus();
  ASSERT_FALSE(corpus.empty());
  uint64_t rounds = Setting("ARROWCDC_FUZZ_ROUNDS", 4000);
  uint64_t seed = Setting("ARROWCDC_FUZZ_SEED", 1);
  std::cout << "seeds " << seed << " to " << seed + rounds - 1 << std::endl;
  for (uint64_t round = seed; round < seed + rounds; ++round) {
    // The last number printed before a crash is the seed to replay with ARROWCDC_FUZZ_ROUNDS=1.
    if (rounds == 1 || round % 1000 == 0) std::cout << "seed " << round << std::endl;
    std::mt19937_64 random(round);
    RunTarget(Damage(corpus[random() % corpus.size()], corpus, random));
  }
}

}  // namespace
