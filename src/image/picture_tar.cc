// SPDX-License-Identifier: MIT
// Pictures in tar archives, read where they lie: a tar stores its members
// uncompressed, each after a block that tells its name and size.
#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>

#include "alexnet/error.h"
#include "image/picture_dataset.h"
#include "image/picture_labels.h"
#include "io/bytes.h"
#include "io/input_file.h"

namespace alexnet {
namespace {

constexpr uint64_t kBlock = 512;
// Of a member that tells the next one's name.
constexpr uint64_t kMaxExtraBytes = 64 << 10;

struct Member {
  std::string name;
  uint64_t offset = 0;
  uint64_t size = 0;
};

using Block = std::array<std::byte, kBlock>;

class TarReader {
 public:
  TarReader(const InputFile& file, uint64_t begin, uint64_t end)
      : file_(file), at_(begin), end_(end) {}

  // False at the end of the archive. Only plain files are told of.
  bool Next(Member& member) {
    Longer longer;
    while (end_ - at_ >= kBlock) {
      const uint64_t header = at_;
      Block block;
      file_.ReadAt(header, block);
      if (std::ranges::all_of(block,
                              [](std::byte b) { return b == std::byte{}; })) {
        return false;
      }
      CheckSum(block, header);
      const char type = static_cast<char>(block[156]);
      const bool extra =
          type == 'L' || type == 'x';  // tells of the next member
      uint64_t size = Octal(block, 124, 12, header);
      if (!extra) size = longer.size.value_or(size);
      at_ += kBlock;
      if (size > end_ - at_) Damaged(header, "a member ends after the archive");
      const uint64_t data = at_;
      at_ += std::min((size + kBlock - 1) / kBlock * kBlock, end_ - at_);
      if (type == 'L') {
        longer.name = Text(ReadExtra(data, size, header));
      } else if (type == 'x') {
        ReadPax(ReadExtra(data, size, header), header, longer);
      } else if (type == '0' || type == '\0') {
        member = {longer.name.empty() ? NameOf(block) : longer.name, data,
                  size};
        return true;
      } else {
        longer = {};
      }
    }
    return false;
  }

 private:
  // What a header has no room for and a member of its own before it tells.
  struct Longer {
    std::string name;
    std::optional<uint64_t> size;
  };

  [[noreturn]] void Damaged(uint64_t at, const std::string& what) const {
    throw Error(
        Concat(file_.name(), ": byte ", at, ": not a readable tar: ", what));
  }

  uint64_t Octal(const Block& block, size_t from, size_t length,
                 uint64_t at) const {
    uint64_t value = 0;
    // GNU tar writes sizes of 8 GiB and more as binary numbers.
    if ((block[from] & std::byte{0x80}) != std::byte{}) {
      for (size_t i = from + 4; i < from + length; ++i) {
        value = value << 8 | std::to_integer<uint64_t>(block[i]);
      }
      return value;
    }
    for (size_t i = from; i < from + length; ++i) {
      const char c = static_cast<char>(block[i]);
      if (c == ' ' || c == '\0') continue;
      if (c < '0' || c > '7') Damaged(at, "expected an octal number");
      value = value << 3 | static_cast<uint64_t>(c - '0');
    }
    return value;
  }

  void CheckSum(const Block& block, uint64_t at) const {
    uint64_t sum = 8 * uint64_t{' '};
    for (size_t i = 0; i < kBlock; ++i) {
      if (i < 148 || i >= 156) sum += std::to_integer<uint64_t>(block[i]);
    }
    if (sum != Octal(block, 148, 8, at)) Damaged(at, "wrong checksum");
  }

  static std::string Text(const Block& block, size_t from, size_t length) {
    const char* text = reinterpret_cast<const char*>(block.data()) + from;
    return {text, strnlen(text, length)};
  }

  static std::string NameOf(const Block& block) {
    const std::string name = Text(block, 0, 100);
    const bool ustar = Text(block, 257, 5) == "ustar";
    const std::string prefix = ustar ? Text(block, 345, 155) : "";
    return prefix.empty() ? name : prefix + "/" + name;
  }

  static std::string Text(const std::string& text) { return text.c_str(); }

  std::string ReadExtra(uint64_t at, uint64_t size, uint64_t header) const {
    if (size > kMaxExtraBytes) {
      Damaged(header, Concat("expected at most ", kMaxExtraBytes,
                             " bytes of names and the like, found ", size));
    }
    std::string bytes(size, '\0');
    file_.ReadAt(at, std::as_writable_bytes(std::span(bytes)));
    return bytes;
  }

  // Records of "LENGTH KEY=VALUE\n", where LENGTH is that of the whole record.
  void ReadPax(std::string_view records, uint64_t header,
               Longer& longer) const {
    while (!records.empty()) {
      size_t length = 0;
      const char* end = records.data() + records.size();
      const auto [space, error] = std::from_chars(records.data(), end, length);
      const auto digits = static_cast<size_t>(space - records.data());
      if (error != std::errc() || length > records.size() ||
          length < digits + 2 || *space != ' ' || records[length - 1] != '\n') {
        Damaged(header, Concat("expected a PAX record, found '",
                               records.substr(0, 20), "'"));
      }
      const std::string_view record =
          records.substr(digits + 1, length - digits - 2);
      if (record.starts_with("path=")) longer.name = record.substr(5);
      if (record.starts_with("size=")) {
        longer.size = Decimal(record.substr(5), header);
      }
      records.remove_prefix(length);
    }
  }

  uint64_t Decimal(std::string_view text, uint64_t header) const {
    uint64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stop != end) {
      Damaged(header, Concat("expected a size, found '", text, "'"));
    }
    return value;
  }

  const InputFile& file_;
  uint64_t at_;
  uint64_t end_;
};

PictureFile Picture(const PictureFile& archive, const Member& member,
                    int32_t label) {
  PictureFile file = archive;
  file.label = label;
  file.whole_file = false;
  file.offset = static_cast<int64_t>(member.offset);
  file.bytes = static_cast<int64_t>(member.size);
  return file;
}

std::string BaseName(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

PictureSet ScanTarOfTars(const std::filesystem::path& path,
                         const std::string& name) {
  const InputFile file(path);
  std::map<std::string, Member> classes;
  TarReader outer(file, 0, file.size());
  for (Member member; outer.Next(member);) {
    const std::string base = BaseName(member.name);
    if (!base.ends_with(".tar")) continue;
    const std::string class_name = base.substr(0, base.size() - 4);
    if (!classes.emplace(class_name, member).second) {
      throw Error(Concat(file.name(), ": ", Quoted(base), " is there twice"));
    }
  }
  if (classes.empty()) {
    throw Error(file.name() + ": holds no .tar of a class");
  }
  PictureSet set{.name = name,
                 .source = path,
                 .root = path.parent_path(),
                 .files = {},
                 .class_names = {}};
  const PictureFile archive = LookAtFile(set.root, path.filename().string());
  for (const auto& [class_name, place] : classes) {
    const auto label = static_cast<int32_t>(set.class_names.size());
    set.class_names.push_back(class_name);
    std::map<std::string, Member> pictures;
    TarReader inner(file, place.offset, place.offset + place.size);
    for (Member member; inner.Next(member);) pictures[member.name] = member;
    if (pictures.empty()) {
      throw Error(Concat(file.name(), ": ", Quoted(class_name),
                         ".tar holds no pictures"));
    }
    for (const auto& [picture, member] : pictures) {
      set.files.push_back(Picture(archive, member, label));
    }
  }
  return set;
}

PictureSet ScanTarWithList(const std::filesystem::path& path,
                           const std::filesystem::path& list,
                           const std::string& name,
                           const std::vector<std::string>& classes) {
  const InputFile file(path);
  PictureSet set{.name = name,
                 .source = path,
                 .root = path.parent_path(),
                 .files = {},
                 .class_names = classes};
  const PictureFile archive = LookAtFile(set.root, path.filename().string());
  std::map<std::string, Member> members;
  TarReader reader(file, 0, file.size());
  for (Member member; reader.Next(member);) {
    members[BaseName(member.name)] = member;
  }
  const std::vector<ListedPicture> all = ReadListedPictures(list);
  const bool numbers = LabelsAreNumbers(all);
  for (const ListedPicture& one : all) {
    const auto found = members.find(BaseName(one.path));
    if (found == members.end()) {
      throw Error(Concat(list.string(), ": line ", one.line, ": ",
                         Quoted(one.path), " is not in ", file.name()));
    }
    set.files.push_back(
        Picture(archive, found->second, LabelOf(list, one, numbers, classes)));
  }
  return set;
}

}  // namespace alexnet
