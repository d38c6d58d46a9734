// SPDX-License-Identifier: MIT
#include "extras/download.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "alexnet/error.h"
#include "extras/md5.h"
#include "extras/part_file.h"

namespace alexnet {
namespace {

constexpr long kConnectSeconds = 30;
constexpr long kLeastSpeed = 1000;  // bytes a second
constexpr long kMaxRedirects = 5;
constexpr long kHttpPartial = 206;
constexpr long kHttpRangeNotSatisfiable = 416;

using Easy = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;

// One request and what its callbacks share. Exceptions must not pass through
// curl; they wait in `failure`.
struct Transfer {
  const DownloadOptions& options;
  PartFile& part;
  CURL* curl = nullptr;
  int64_t start = 0;  // where this request was asked to begin
  bool started = false;
  std::exception_ptr failure;

  bool Write(std::span<const char> bytes);
  bool Report(int64_t received_total);
};

long StatusOf(CURL* curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}

// The body begins where we asked, unless the server sends the whole file.
bool BeginsAt(CURL* curl, int64_t start) {
  if (StatusOf(curl) == 0) return true;  // not HTTP
  if (StatusOf(curl) != kHttpPartial) return false;
  curl_header* range = nullptr;
  if (curl_easy_header(curl, "Content-Range", 0, CURLH_HEADER, -1, &range) !=
      CURLHE_OK) {
    throw Error("the server sent a part of the file without saying which");
  }
  if (!std::string_view(range->value).starts_with(Concat("bytes ", start, "-")))
    throw Error(
        Concat("expected the bytes from ", start, ", found ", range->value));
  return true;
}

bool Transfer::Write(std::span<const char> bytes) try {
  if (!started) {
    started = true;
    if (start > 0 && !BeginsAt(curl, start)) {
      part.Clear();
      start = 0;
    }
  }
  if (static_cast<int64_t>(bytes.size()) > options.max_bytes - part.size()) {
    part.Clear();
    throw Error(Concat("expected at most ", options.max_bytes,
                       " bytes, the server sends more"));
  }
  part.Append(bytes);
  return true;
} catch (...) {
  failure = std::current_exception();
  return false;
}

bool Transfer::Report(int64_t received_total) try {
  if (!started || !options.progress) return true;
  const int64_t total = received_total > 0 ? start + received_total : 0;
  if (options.progress(part.size(), total)) return true;
  throw Error("stopped");
} catch (...) {
  failure = std::current_exception();
  return false;
}

size_t OnWrite(char* bytes, size_t, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->Write({bytes, count}) ? count : 0;
}

int OnProgress(void* transfer, curl_off_t total, curl_off_t, curl_off_t,
               curl_off_t) {
  return static_cast<Transfer*>(transfer)->Report(total) ? 0 : 1;
}

Easy MakeEasy() {
  static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
  Easy curl(global == CURLE_OK ? curl_easy_init() : nullptr, curl_easy_cleanup);
  if (curl == nullptr) throw Error("libcurl cannot be set up");
  return curl;
}

void SetOptions(const std::string& url, Transfer& transfer) {
  CURL* curl = transfer.curl;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, kMaxRedirects);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "alexnet");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kLeastSpeed);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   static_cast<long>(transfer.options.stall_seconds));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, OnWrite);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  if (transfer.start > 0) {
    curl_easy_setopt(curl, CURLOPT_RANGE, Concat(transfer.start, "-").c_str());
  }
}

// Brings the part up to the server's last byte. True if that went on from
// bytes of an earlier call.
bool Fetch(const std::string& url, PartFile& part,
           const DownloadOptions& options) {
  const Easy curl = MakeEasy();
  Transfer transfer{options, part, curl.get(), part.size(), false, {}};
  std::array<char, CURL_ERROR_SIZE> detail{};
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, detail.data());
  SetOptions(url, transfer);
  const CURLcode code = curl_easy_perform(curl.get());
  if (transfer.failure) std::rethrow_exception(transfer.failure);
  // The part is as long as the file or longer: the sum will tell.
  const bool nothing_left =
      transfer.start > 0 && StatusOf(curl.get()) == kHttpRangeNotSatisfiable;
  if (code != CURLE_OK && !nothing_left) {
    throw Error(detail[0] != '\0' ? detail.data() : curl_easy_strerror(code));
  }
  return transfer.start > 0;
}

void FetchAndCheck(const std::string& url, const std::filesystem::path& path,
                   PartFile& part, const DownloadOptions& options) {
  for (;;) {
    const bool resumed = Fetch(url, part, options);
    const std::string found = Md5OfFile(part.path());
    if (found == options.md5) return part.Rename(path);
    if (resumed) {  // the earlier bytes may be of another file: once anew
      part.Clear();
      continue;
    }
    const int64_t size = part.size();
    part.Remove();
    throw Error(Concat("expected MD5 ", options.md5, ", found ", found, " (",
                       size, " bytes, removed)"));
  }
}

}  // namespace

void Download(const std::string& url, const std::filesystem::path& path,
              const DownloadOptions& options) {
  std::error_code unknown;
  if (std::filesystem::exists(path, unknown) &&
      Md5OfFile(path) == options.md5) {
    return;
  }
  std::filesystem::path part_path = path;
  part_path += ".part";
  PartFile part(part_path);
  try {
    FetchAndCheck(url, path, part, options);
  } catch (const Error& error) {
    std::string message = Concat("cannot download ", url, " to ", path.string(),
                                 ": ", error.what());
    if (part.size() == 0) {
      part.Remove();
    } else {
      message += Concat(" (", part.size(), " bytes are kept in ",
                        part.path().string(), " for the next try)");
    }
    throw Error(message);
  }
}

std::filesystem::path DownloadCifar10(
    const std::filesystem::path& dir, const std::string& url,
    std::function<bool(int64_t done, int64_t total)> progress) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) throw Error(Concat(dir.string(), ": ", error.message()));
  const std::filesystem::path path = dir / "cifar-10-binary.tar.gz";
  Download(url, path, {.md5 = kCifar10Md5, .progress = std::move(progress)});
  return path;
}

}  // namespace alexnet
