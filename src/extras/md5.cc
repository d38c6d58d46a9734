// SPDX-License-Identifier: MIT
#include "extras/md5.h"

#include <openssl/evp.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <vector>

#include "alexnet/error.h"

namespace alexnet {
namespace {

class Md5 {
 public:
  Md5() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    Expect(context_ != nullptr &&
           EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1);
  }

  void Add(std::string_view bytes) {
    Expect(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }

  std::string Hex() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned size = 0;
    Expect(EVP_DigestFinal_ex(context_.get(), sum.data(), &size) == 1);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
      hex += "0123456789abcdef"[sum[i] >> 4];
      hex += "0123456789abcdef"[sum[i] & 15];
    }
    return hex;
  }

 private:
  static void Expect(bool good) {
    if (!good) throw Error("OpenSSL on this machine offers no MD5");
  }

  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Md5OfText(std::string_view text) {
  Md5 md5;
  md5.Add(text);
  return md5.Hex();
}

std::string Md5OfFile(const std::filesystem::path& path) {
  Md5 md5;
  std::vector<char> buffer(1 << 20);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  while (file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    md5.Add({buffer.data(), static_cast<size_t>(file.gcount())});
  }
  if (!file.eof()) {
    throw Error(
        Concat(path.string(), ": cannot be read: ", std::strerror(errno)));
  }
  return md5.Hex();
}

}  // namespace alexnet
