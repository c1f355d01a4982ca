#include "io/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/os_error.h"
#include "io/system.h"

namespace daybook {

absl::StatusOr<MappedFile> MappedFile::MapRead(const File& file, std::uint64_t bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (bytes > size) {  // to touch a page beyond the end would be SIGBUS
    return absl::DataLossError(absl::StrCat("map: ", file.path().native(),
                                            ": the file ends early, at ", size, ", where ", bytes,
                                            " bytes are needed"));
  }
  MappedFile mapped;
  if (bytes == 0) return mapped;
  void* data = system::Mmap(static_cast<std::size_t>(bytes), PROT_READ, file.fd());
  if (data == MAP_FAILED) return OsError(errno, "map", file.path());
  mapped.bytes_ = {static_cast<const std::byte*>(data), static_cast<std::size_t>(bytes)};
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this != &other) {
    Unmap();
    bytes_ = std::exchange(other.bytes_, {});
  }
  return *this;
}

MappedFile::~MappedFile() { Unmap(); }

void MappedFile::Unmap() noexcept {
  if (!bytes_.empty()) system::Munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  bytes_ = {};
}

void MappedFile::AdviseSequential(std::uint64_t offset, std::uint64_t length) const {
  Advise(offset, length, MADV_SEQUENTIAL);
}

void MappedFile::AdviseRandom(std::uint64_t offset, std::uint64_t length) const {
  Advise(offset, length, MADV_RANDOM);
}

void MappedFile::AdviseWillNeed(std::uint64_t offset, std::uint64_t length) const {
  Advise(offset, length, MADV_WILLNEED);
}

void MappedFile::Advise(std::uint64_t offset, std::uint64_t length, int advice) const {
  if (offset >= bytes_.size()) return;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t begin = offset / page * page;
  const std::uint64_t end = offset + std::min<std::uint64_t>(length, bytes_.size() - offset);
  // A hint: where it is refused, reading is no more than slower.
  system::Madvise(const_cast<std::byte*>(bytes_.data()) + begin,
                  static_cast<std::size_t>(end - begin), advice);
}

}  // namespace daybook
