#include "store/store_file.h"

#include <chrono>
#include <span>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/values.h"
#include "io/directory.h"
#include "io/file.h"

namespace daybook {

std::string UuidText(const Uuid& uuid) { return EventId(uuid).ToString(); }

absl::StatusOr<StoreHeader> ReadStoreFile(const std::filesystem::path& directory,
                                          const std::string& name) {
  absl::StatusOr<File> file = File::OpenRead(directory / name);
  if (absl::IsNotFound(file.status())) {
    return absl::NotFoundError(absl::StrCat("there is no store in ", directory.string(),
                                            "; check the path, or create one by appending"));
  }
  if (!file.ok()) return file.status();
  const auto damaged = [](const char* what) {
    return DataLossAt({"STORE", 0, Position(0), Position(0)}, what);
  };
  StoreHeader header;
  const absl::Status read = file->ReadAt(0, std::as_writable_bytes(std::span(&header, 1)));
  if (absl::IsDataLoss(read)) return damaged("it is shorter than it must be");
  DAYBOOK_RETURN_IF_ERROR(read);
  DAYBOOK_RETURN_IF_ERROR(CheckStoreHeader(header, "STORE"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  if (size != sizeof header) return damaged("it is longer than it must be");
  return header;
}

absl::Status CheckStoreHeader(const StoreHeader& header, const std::string& where) {
  const auto damaged = [&](const char* what) {
    return DataLossAt({where, 0, Position(0), Position(0)}, what);
  };
  if (header.magic != kStoreMagic) return damaged("it does not begin as the file of a store does");
  if (header.header_hash != HashOf(header)) return damaged("its hash is wrong");
  if (header.format_major != kFormatMajor ||
      (header.incompatible_flags & ~kKnownStoreIncompatibleFlags) != 0) {
    return absl::FailedPreconditionError(absl::StrCat(where, " has the newer format ",
                                                      header.format_major, ".", header.format_minor,
                                                      "; use a newer Daybook"));
  }
  return absl::OkStatus();
}

StoreHeader MakeStoreHeader(std::uint64_t segment_bytes_max) {
  StoreHeader header{};
  header.magic = kStoreMagic;
  header.format_major = kFormatMajor;
  header.format_minor = kFormatMinor;
  header.header_bytes = sizeof header;
  header.store_id = EventId::NewV7().bytes();
  header.incarnation = EventId::NewV7().bytes();
  header.created_at = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  header.segment_bytes_max = segment_bytes_max;
  header.header_hash = HashOf(header);
  return header;
}

absl::Status WriteStoreFile(const std::filesystem::path& directory, const StoreHeader& header) {
  return Directory::WriteFileAtomically(directory / "STORE", std::as_bytes(std::span(&header, 1)));
}

}  // namespace daybook
