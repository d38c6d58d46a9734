// SPDX-License-Identifier: MIT
// MD5 as 32 lower-case hexadecimal digits: good against damage, not against
// forgery.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace alexnet {

std::string Md5OfText(std::string_view text);
// Reads the file piece by piece; throws Error if it cannot be read.
std::string Md5OfFile(const std::filesystem::path& path);

}  // namespace alexnet
