// SPDX-License-Identifier: MIT
// Stands in for libFuzzer where the compiler has none: feeds every file of a
// folder whose name contains PART to the target, then COUNT mutations of them,
// the same ones every time.  replay FOLDER PART COUNT
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

void Feed(const std::string& bytes) {
  // A copy of the exact size, so that a sanitizer sees a byte too many.
  const std::vector<uint8_t> data(bytes.begin(), bytes.end());
  LLVMFuzzerTestOneInput(data.data(), data.size());
}

// One change: a byte, a bit, a number of extreme value, a piece removed or
// doubled.
void Mutate(std::string& bytes, std::mt19937& random) {
  if (bytes.empty()) return;
  const size_t at = random() % bytes.size();
  const size_t length = std::min<size_t>(bytes.size() - at, random() % 32);
  switch (random() % 5) {
    case 0:
      bytes[at] = static_cast<char>(random());
      break;
    case 1:
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
      break;
    case 2:
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                  std::min<size_t>(length, 8), random() % 2 ? '\xff' : '\0');
      break;
    case 3:
      bytes.erase(at, length);
      break;
    default:
      bytes.insert(random() % bytes.size(), bytes.substr(at, length));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    const std::string name = entry.path().filename().string();
    if (name.find(argv[2]) != std::string::npos) paths.push_back(entry.path());
  }
  std::ranges::sort(paths);
  std::vector<std::string> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file),
                       std::istreambuf_iterator<char>());
    Feed(seeds.back());
  }
  if (seeds.empty()) return 1;
  std::mt19937 random(1);
  for (int i = 0; i < std::atoi(argv[3]); ++i) {
    std::string bytes = seeds[random() % seeds.size()];
    for (auto changes = random() % 4 + 1; changes > 0; --changes) {
      Mutate(bytes, random);
    }
    Feed(bytes);
  }
  std::printf("%zu files and %s mutations\n", seeds.size(), argv[3]);
}
