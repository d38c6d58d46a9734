// SPDX-License-Identifier: MIT
#include "core/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

namespace alexnet {
namespace {

// The number in a one-line file, or `otherwise` ("max", or no such file).
int64_t NumberIn(const char* path, int64_t otherwise) {
  std::ifstream file(path);
  int64_t number = 0;
  return file >> number ? number : otherwise;
}

// What follows `key` and a colon in a file of such lines.
std::string Field(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string line;
  while (std::getline(file, line)) {
    const size_t colon = line.find(':');
    if (line.compare(0, key.size(), key) != 0 || colon == std::string::npos) {
      continue;
    }
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    return value == std::string::npos ? "" : line.substr(value);
  }
  return "";
}

// The number after the word `key` in a file of "key number" lines, or 0.
int64_t WordAfter(const char* path, const std::string& key) {
  std::ifstream file(path);
  std::string word;
  int64_t number = 0;
  while (file >> word >> number) {
    if (word == key) return number;
  }
  return 0;
}

// The control group's share of processor time in cores, rounded up.
int QuotaCores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");  // "max 100000"
  int64_t quota = 0;
  int64_t period = 0;
  if (!(file >> quota >> period) || quota <= 0 || period <= 0) {
    return std::numeric_limits<int>::max();
  }
  return static_cast<int>(std::min<int64_t>((quota + period - 1) / period,
                                            std::numeric_limits<int>::max()));
}

int AffinityCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0) {
    return std::max(1, CPU_COUNT(&set));
  }
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

int UsableCores() { return std::min(AffinityCores(), QuotaCores()); }

int64_t AvailableMemory() {
  constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
  int64_t available = kUnlimited;
  std::istringstream field(Field("/proc/meminfo", "MemAvailable"));
  if (int64_t kibibytes = 0; field >> kibibytes) available = kibibytes * 1024;
  const int64_t limit = NumberIn("/sys/fs/cgroup/memory.max", kUnlimited);
  if (limit == kUnlimited) return available;
  // The control group counts file pages too, which it gives back on demand.
  const int64_t used = NumberIn("/sys/fs/cgroup/memory.current", 0) -
                       WordAfter("/sys/fs/cgroup/memory.stat", "inactive_file");
  return std::min(available, std::max<int64_t>(0, limit - used));
}

int64_t ResidentMemory() {
  std::ifstream file("/proc/self/statm");  // "size resident …", in pages
  int64_t size = 0;
  int64_t resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t PeakResidentMemory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

std::string CpuModel() {
  const std::string model = Field("/proc/cpuinfo", "model name");
  return model.empty() ? "unknown" : model;
}

}  // namespace alexnet
