// SPDX-License-Identifier: MIT
// Files from the network that appear whole and checked, or not at all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace alexnet {

struct DownloadOptions {
  // Expected sum of the whole file, 32 lower-case digits.
  std::string md5 = {};
  // Called now and then with the bytes on the disk and the size of the whole
  // file, 0 while that is unknown; false stops the download.
  std::function<bool(int64_t done, int64_t total)> progress = {};
  // Give up when less than 1,000 bytes a second arrive for so long.
  int64_t stall_seconds = 30;
  // A server that sends more is refused.
  int64_t max_bytes = int64_t{1} << 30;
};

// Fetches `url` (http, https or file) to `path`. The bytes gather in
// `path`.part, which stays when the connection breaks and is continued by the
// next call; `path` appears when the sum is right. Nothing is fetched if it is
// there already. Throws Error naming the url and the reason.
void Download(const std::string& url, const std::filesystem::path& path,
              const DownloadOptions& options);

// The official binary archive (170 MB) as dir/cifar-10-binary.tar.gz; another
// address may stand in for the official one, the expected sum stays.
inline constexpr char kCifar10Url[] =
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
inline constexpr char kCifar10Md5[] = "c32a1d4ab5d03f1284b67883e8d87530";

// Returns the archive's path. The folder is made if it is missing.
std::filesystem::path DownloadCifar10(
    const std::filesystem::path& dir, const std::string& url = kCifar10Url,
    std::function<bool(int64_t done, int64_t total)> progress = {});

}  // namespace alexnet
