// SPDX-License-Identifier: MIT
// The official archives, read without unpacking them to disk.
#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <map>
#include <memory>
#include <new>
#include <utility>

#include "alexnet/error.h"
#include "data/cifar.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

constexpr int64_t kMaxSmallBytes = 1 << 20;  // names, readme
constexpr size_t kBytesAtOnce = 1 << 20;

using Bytes = std::vector<std::byte>;

// One of the two layouts, as names and readers.
struct Layout {
  std::string folder;
  std::string suffix;  // of the batches
  std::string names;
  int64_t max_batch_bytes;

  std::string Batch(const std::string& name) const {
    return folder + name + suffix;
  }
};

const Layout& LayoutOf(const std::filesystem::path& file) {
  static const Layout kBinary = {"cifar-10-batches-bin/", ".bin",
                                 "batches.meta.txt",
                                 kCifarMaxImagesPerFile * kCifarRecord};
  static const Layout kPython = {"cifar-10-batches-py/", "", "batches.meta",
                                 static_cast<int64_t>(kCifarMaxPickleBytes)};
  return file.filename() == "cifar-10-python.tar.gz" ? kPython : kBinary;
}

class Archive {
 public:
  explicit Archive(const std::filesystem::path& path)
      : name_(path.string()), archive_(archive_read_new(), archive_read_free) {
    if (!archive_) throw std::bad_alloc();
    Check(archive_read_support_filter_gzip(archive_.get()));
    Check(archive_read_support_format_tar(archive_.get()));
    Check(archive_read_open_filename(archive_.get(), name_.c_str(),
                                     kBytesAtOnce));
  }

  // Null at the end.
  archive_entry* NextEntry() {
    archive_entry* entry = nullptr;
    const int result = archive_read_next_header(archive_.get(), &entry);
    if (result == ARCHIVE_EOF) return nullptr;
    Check(result);
    return entry;
  }

  Bytes ReadData(const std::string& member, int64_t size) {
    Bytes bytes;
    bytes.reserve(static_cast<size_t>(size));
    Bytes buffer(kBytesAtOnce);
    while (true) {
      const la_ssize_t count =
          archive_read_data(archive_.get(), buffer.data(), buffer.size());
      if (count < 0) Fail(": " + member);
      if (count == 0) break;
      bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + count);
      if (std::ssize(bytes) > size) break;
    }
    if (std::ssize(bytes) != size) {
      throw Error(Concat(name_, ": ", member, ": holds ", bytes.size(),
                         " bytes, expected ", size, " as its header says"));
    }
    return bytes;
  }

  void SkipData() { Check(archive_read_data_skip(archive_.get())); }

  const std::string& name() const { return name_; }

 private:
  void Check(int result) const {
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) Fail("");
  }
  [[noreturn]] void Fail(const std::string& where) const {
    const char* reason = archive_error_string(archive_.get());
    throw Error(Concat(name_, where, ": not a readable .tar.gz near byte ",
                       archive_filter_bytes(archive_.get(), -1), ": ",
                       reason == nullptr ? "unknown error" : reason));
  }

  std::string name_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
};

// Everything that the official archive holds, with the most bytes of each.
std::map<std::string, int64_t> Expected(const Layout& layout) {
  std::map<std::string, int64_t> sizes = {
      {layout.folder + layout.names, kMaxSmallBytes},
      {layout.folder + "readme.html", kMaxSmallBytes}};
  for (const Split split : {Split::kTrain, Split::kTest}) {
    for (const std::string& name : CifarBatchNames(split)) {
      sizes[layout.Batch(name)] = layout.max_batch_bytes;
    }
  }
  return sizes;
}

// The entry's size, or an Error where it is not a file of at most that many
// bytes: skipping data takes time, too.
int64_t CheckEntry(const std::string& where, archive_entry* entry,
                   int64_t most) {
  if (archive_entry_filetype(entry) != AE_IFREG ||
      archive_entry_hardlink(entry) != nullptr) {
    throw Error(Concat(where, ": not a file"));
  }
  const int64_t size = archive_entry_size(entry);
  if (size < 0 || size > most) {
    throw Error(
        Concat(where, ": size is ", size, " bytes, expected at most ", most));
  }
  return size;
}

// The wanted members' bytes. Nothing else than what the official archive has
// may be there, so that there is no end to neither time nor memory.
std::map<std::string, Bytes> ReadMembers(
    Archive& archive, const Layout& layout,
    const std::vector<std::string>& wanted) {
  std::map<std::string, int64_t> expected = Expected(layout);
  std::map<std::string, Bytes> members;
  bool folder_seen = false;
  while (archive_entry* entry = archive.NextEntry()) {
    const char* path = archive_entry_pathname(entry);
    std::string name = path == nullptr ? "" : path;
    if (name.starts_with("./")) name.erase(0, 2);
    if (archive_entry_filetype(entry) == AE_IFDIR && name == layout.folder &&
        !std::exchange(folder_seen, true)) {
      continue;
    }
    const auto found = expected.find(name);
    const std::string where = archive.name() + ": " + Quoted(name);
    if (found == expected.end()) {
      throw Error(Concat(where, ": unexpected or repeated; expected each of ",
                         layout.folder, "'s official files once"));
    }
    const int64_t size = CheckEntry(where, entry, found->second);
    expected.erase(found);
    if (std::ranges::find(wanted, name) == wanted.end()) {
      archive.SkipData();
    } else {
      members[name] = archive.ReadData(name, size);
    }
  }
  return members;
}

void AppendMember(const std::string& where, const Layout& layout,
                  const Bytes& bytes, ImageBlock& block) {
  if (layout.suffix.empty()) return AppendCifarPickle(where, bytes, block);
  CheckCifarBatchSize(where, bytes.size());
  AppendCifarRecords(
      where, /*offset=*/0,
      {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, block);
}

std::vector<std::string> ParseNames(const std::string& where,
                                    const Layout& layout, const Bytes& bytes) {
  if (layout.suffix.empty()) return ParseCifarPickledNames(where, bytes);
  return ParseCifarClassNames(
      where, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

ImageBlock ReadCifarArchive(const std::filesystem::path& file, Split split) {
  const Layout& layout = LayoutOf(file);
  const std::string names_member = layout.folder + layout.names;
  std::vector<std::string> wanted = {names_member};
  for (const std::string& name : CifarBatchNames(split)) {
    wanted.push_back(layout.Batch(name));
  }
  Archive archive(file);
  auto members = ReadMembers(archive, layout, wanted);
  const auto where = [&](const std::string& member) {
    return archive.name() + ": " + member;
  };
  std::vector<std::string> names;
  if (members.contains(names_member)) {
    names = ParseNames(where(names_member), layout, members[names_member]);
  }
  ImageBlock block = EmptyCifarBlock(split, std::move(names));
  size_t total = 0;
  for (const auto& [name, bytes] : members) total += bytes.size();
  block.pixels.reserve(total);
  for (const std::string& name : CifarBatchNames(split)) {
    const std::string member = layout.Batch(name);
    if (!members.contains(member)) {
      throw Error(Concat(where(member), ": missing in the archive"));
    }
    AppendMember(where(member), layout, members[member], block);
    members.erase(member);  // two copies of every image are not needed
  }
  return block;
}

}  // namespace alexnet
