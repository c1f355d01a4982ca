// The bytes of a file at one address, mapped or read: what is kept of a segment or a sidecar while
// it is open.

#ifndef DAYBOOK_IO_FILE_BYTES_H_
#define DAYBOOK_IO_FILE_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "io/file.h"
#include "io/mapped_file.h"
#include "io/reserved_array.h"

namespace daybook {

// With FileAccess::kMap a mapping, and all of it is there. With kRead a range of address space in
// which nothing stands (zeros) but what was loaded: an error of the device is the status of the
// load, and no access is ever a signal. Move-only; the bytes stay where they are. Thread-safe but
// for moving, Load and Unload, which want the bytes to themselves.
class FileBytes {
 public:
  // The first `bytes` of the file. kDataLoss where it is shorter.
  static absl::StatusOr<FileBytes> Open(const File& file, std::uint64_t bytes, FileAccess access);

  FileBytes() = default;

  [[nodiscard]] bool is_mapped() const { return is_mapped_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }
  // Of the file, by which it is opened again for each read.
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

  // Where the file is not mapped: reads the range, clipped to the file, and puts it in its place.
  // Takes memory for what is not zero. What was loaded before an error stays, the rest is as it
  // was.
  absl::Status Load(std::uint64_t offset, std::uint64_t length) const;
  // Gives the memory back: all is zero again.
  void Unload() const;

  // A hint; see MappedFile.
  void AdviseWillNeed(std::uint64_t offset, std::uint64_t length) const {
    map_.AdviseWillNeed(offset, length);
  }

 private:
  bool is_mapped_ = true;
  std::span<const std::byte> bytes_;
  MappedFile map_;
  Reservation memory_;
  std::filesystem::path path_;
};

}  // namespace daybook

#endif  // DAYBOOK_IO_FILE_BYTES_H_
