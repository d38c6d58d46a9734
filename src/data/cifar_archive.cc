// SPDX-License-Identifier: MIT
// The official archives, read without unpacking them to disk.
#include <archive_entry.h>

#include <algorithm>
#include <map>
#include <utility>

#include "alexnet/error.h"
#include "data/cifar.h"
#include "data/tar_gz.h"
#include "io/bytes.h"

namespace alexnet {
namespace {

constexpr int64_t kMaxSmallBytes = 1 << 20;  // names, readme

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

// The wanted members' bytes. Nothing else than what the official archive has
// may be there, so that there is no end to neither time nor memory.
std::map<std::string, Bytes> ReadMembers(
    TarGz& archive, const Layout& layout,
    const std::vector<std::string>& wanted) {
  std::map<std::string, int64_t> expected = Expected(layout);
  std::map<std::string, Bytes> members;
  bool folder_seen = false;
  while (archive_entry* entry = archive.NextEntry()) {
    const std::string name = TarGz::NameOf(entry);
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
    const int64_t size = TarGz::CheckedSize(where, entry, found->second);
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

std::unique_ptr<Dataset> ReadCifarArchive(const std::filesystem::path& file,
                                          Split split) {
  const Layout& layout = LayoutOf(file);
  const std::string names_member = layout.folder + layout.names;
  std::vector<std::string> wanted = {names_member};
  for (const std::string& name : CifarBatchNames(split)) {
    wanted.push_back(layout.Batch(name));
  }
  TarGz archive(file);
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
  return MakeDataset(std::move(block));
}

}  // namespace alexnet
