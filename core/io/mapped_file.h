// A file in memory, for reading.

#ifndef DAYBOOK_IO_MAPPED_FILE_H_
#define DAYBOOK_IO_MAPPED_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file.h"

namespace daybook {

// The first bytes of a file, mapped shared and read-only: what other processes write shows up. The
// file may be closed, but not shortened, while it is mapped. Move-only; the bytes stay where they
// are. Thread-safe but for moving.
class MappedFile {
 public:
  // kDataLoss where the file is shorter than `bytes`.
  static absl::StatusOr<MappedFile> MapRead(const File& file, std::uint64_t bytes);

  MappedFile() = default;  // maps nothing
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  // Hints about a range, which is clipped to the mapping: how it will be read, or that it will be
  // soon.
  void AdviseSequential(std::uint64_t offset, std::uint64_t length) const;
  void AdviseRandom(std::uint64_t offset, std::uint64_t length) const;
  void AdviseWillNeed(std::uint64_t offset, std::uint64_t length) const;

 private:
  void Advise(std::uint64_t offset, std::uint64_t length, int advice) const;
  void Unmap() noexcept;

  std::span<const std::byte> bytes_;
};

}  // namespace daybook

#endif  // DAYBOOK_IO_MAPPED_FILE_H_
