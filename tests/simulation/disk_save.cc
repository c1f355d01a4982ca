// Disks as bytes, so that a state that failed can be looked at again.

#include <cstring>

#include "simulation/disk.h"
#include "simulation/save.h"

namespace daybook::simulation {

void Disk::Save(std::string* out) const {
  PutNumber(files_.size(), out);
  for (const auto& [inode, file] : files_) {
    PutNumber(inode, out);
    PutText({reinterpret_cast<const char*>(file.cache.data()), file.cache.size()}, out);
    PutNumber(file.sectors.size(), out);
    for (const auto& [number, sector] : file.sectors) {
      PutNumber(number, out);
      PutNumber(sector.dirty ? 1 : 0, out);
      PutNumber(sector.versions.size(), out);
      for (const Version& version : sector.versions) {
        PutNumber(version.op, out);
        PutText({reinterpret_cast<const char*>(version.bytes.data()), kSectorBytes}, out);
      }
    }
    PutNumber(file.sizes.size(), out);
    for (const SizeVersion& size : file.sizes) {
      PutNumber(size.op, out);
      PutNumber(size.bytes, out);
    }
  }
  PutNumber(folders_.size(), out);
  for (const std::uint32_t folder : folders_) PutNumber(folder, out);
  for (const auto* names : {&names_, &durable_names_}) {
    PutNumber(names->size(), out);
    for (const auto& [entry, inode] : *names) {
      PutNumber(entry.first, out);
      PutText(entry.second, out);
      PutNumber(inode, out);
    }
  }
  PutNumber(name_changes_.size(), out);
  for (const NameChange& change : name_changes_) {
    PutNumber(change.op, out);
    PutNumber(change.entries.size(), out);
    for (const auto& [entry, inode] : change.entries) {
      PutNumber(entry.first, out);
      PutText(entry.second, out);
      PutNumber(inode, out);
    }
  }
  PutNumber(next_inode_, out);
}

Disk Disk::Load(std::string_view* in) {
  const auto number32 = [in] { return static_cast<std::uint32_t>(TakeNumber(in)); };
  Disk disk;
  for (std::uint64_t n = TakeNumber(in); n > 0; --n) {
    File& file = disk.files_[number32()];
    const std::string_view bytes = TakeText(in);
    file.cache.Resize(bytes.size(), false);
    if (!bytes.empty()) std::memcpy(file.cache.data(), bytes.data(), bytes.size());
    for (std::uint64_t sectors = TakeNumber(in); sectors > 0; --sectors) {
      Sector& sector = file.sectors[TakeNumber(in)];
      sector.dirty = TakeNumber(in) != 0;
      for (std::uint64_t versions = TakeNumber(in); versions > 0; --versions) {
        Version& version = sector.versions.emplace_back();
        version.op = number32();
        const std::string_view content = TakeText(in);
        if (content.size() == kSectorBytes) {
          std::memcpy(version.bytes.data(), content.data(), kSectorBytes);
        }
      }
    }
    for (std::uint64_t sizes = TakeNumber(in); sizes > 0; --sizes) {
      const std::uint32_t op = number32();
      file.sizes.push_back({op, TakeNumber(in)});
    }
  }
  for (std::uint64_t n = TakeNumber(in); n > 0; --n) disk.folders_.insert(number32());
  for (auto* names : {&disk.names_, &disk.durable_names_}) {
    for (std::uint64_t n = TakeNumber(in); n > 0; --n) {
      const std::uint32_t folder = number32();
      const std::string name(TakeText(in));
      (*names)[{folder, name}] = number32();
    }
  }
  for (std::uint64_t n = TakeNumber(in); n > 0; --n) {
    NameChange& change = disk.name_changes_.emplace_back();
    change.op = number32();
    for (std::uint64_t entries = TakeNumber(in); entries > 0; --entries) {
      const std::uint32_t folder = number32();
      const std::string name(TakeText(in));
      change.entries.push_back({{folder, name}, number32()});
    }
  }
  disk.next_inode_ = number32();
  return disk;
}

}  // namespace daybook::simulation
