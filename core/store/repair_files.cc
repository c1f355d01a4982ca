#include "store/repair_files.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "io/file.h"

namespace daybook {
namespace {

absl::StatusOr<bool> Holds(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size != bytes.size()) return false;
  std::vector<std::byte> there(size);
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, there));
  return std::equal(there.begin(), there.end(), bytes.begin());
}

absl::Status Place(const std::filesystem::path& log, std::uint64_t first_position) {
  DAYBOOK_RETURN_IF_ERROR(
      Directory::RenameNoReplace(log / "spare", log / SegmentFileName(first_position)));
  return Directory::Sync(log);
}

}  // namespace

absl::StatusOr<bool> Quarantine(const std::filesystem::path& directory, const std::string& file,
                                std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty() && bytes.back() == std::byte{0}) bytes = bytes.first(bytes.size() - 1);
  if (bytes.empty()) return false;
  const std::filesystem::path folder = directory / "quarantine";
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(folder));
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(directory));
  const std::string name = std::filesystem::path(file).filename().string();
  for (std::uint64_t n = 1;; ++n) {
    const auto path = folder / absl::StrCat(name, ".", offset, ".", bytes.size(), ".", n);
    absl::StatusOr<File> copy = File::CreateNew(path);
    if (absl::IsAlreadyExists(copy.status())) {
      // A copy that was cut short by a crash differs, and stays: nothing in here is ever written
      // over.
      DAYBOOK_ASSIGN_OR_RETURN(const bool is_same, Holds(path, bytes));
      if (is_same) return false;
      continue;
    }
    DAYBOOK_RETURN_IF_ERROR(copy.status());
    DAYBOOK_RETURN_IF_ERROR(copy->WriteAt(0, bytes));
    DAYBOOK_RETURN_IF_ERROR(copy->Sync());
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(folder));
    return true;
  }
}

absl::Status WriteInPlace(const std::filesystem::path& directory, const std::string& file,
                          std::uint64_t offset, std::span<const std::byte> bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(File out, File::OpenReadWrite(directory / file));
  DAYBOOK_RETURN_IF_ERROR(out.WriteAt(offset, bytes));
  return out.Sync();
}

absl::Status Extend(const std::filesystem::path& directory, const std::string& file,
                    std::uint64_t bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(File out, File::OpenReadWrite(directory / file));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, out.Size());
  if (size >= bytes) return absl::OkStatus();
  DAYBOOK_RETURN_IF_ERROR(out.Resize(bytes));  // longer: a mapping of it does not mind
  return out.Sync();
}

absl::Status CreateSegment(const std::filesystem::path& directory, const SegmentHeader& header,
                           Fill fill) {
  const std::filesystem::path log = directory / "log";
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(log / "spare"));
  {
    DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(log / "spare"));
    if (fill == Fill::kZeros) {
      DAYBOOK_RETURN_IF_ERROR(file.ZeroFill(0, header.segment_bytes));
    } else {
      DAYBOOK_RETURN_IF_ERROR(file.Resize(header.segment_bytes));
    }
    DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, std::as_bytes(std::span(&header, 1))));
    DAYBOOK_RETURN_IF_ERROR(file.Sync());
  }
  return Place(log, header.first_position);
}

absl::Status CopySegment(const std::filesystem::path& directory, const LogSegment& source) {
  const std::filesystem::path log = directory / "log";
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(log / "spare"));
  {
    DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(log / "spare"));
    DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, source.bytes()));
    DAYBOOK_RETURN_IF_ERROR(file.Resize(source.header().segment_bytes));
    DAYBOOK_RETURN_IF_ERROR(file.Sync());
  }
  return Place(log, source.first_position());
}

SegmentHeader MakeHeader(const StoreIdentity& identity, std::uint64_t first_position,
                         std::uint64_t segment_bytes) {
  std::random_device random;
  SegmentHeader header{};
  header.magic = kSegmentMagic;
  header.format_major = kFormatMajor;
  header.format_minor = kFormatMinor;
  header.header_bytes = sizeof(SegmentHeader);
  header.store_id = identity.store_id;
  header.incarnation = identity.incarnation;
  header.salt = std::uint64_t{random()} << 32 | random();
  header.first_position = first_position;
  header.segment_bytes = segment_bytes;
  header.unsynced_max = kUnsyncedMax;
  header.created_at = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  header.header_hash = HashOf(header);
  return header;
}

}  // namespace daybook
