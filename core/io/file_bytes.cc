#include "io/file_bytes.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
constexpr std::uint64_t kPageBytes = 4096;

}  // namespace

absl::StatusOr<FileBytes> FileBytes::Open(const File& file, std::uint64_t bytes,
                                          FileAccess access) {
  FileBytes result;
  if (access == FileAccess::kMap) {
    DAYBOOK_ASSIGN_OR_RETURN(result.map_, MappedFile::MapRead(file, bytes));
    result.bytes_ = result.map_.bytes();
    return result;
  }
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (bytes > size) {
    return absl::DataLossError(absl::StrCat("read: ", file.path().native(),
                                            ": the file ends early, at ", size, ", where ", bytes,
                                            " bytes are needed"));
  }
  DAYBOOK_ASSIGN_OR_RETURN(result.memory_, Reservation::Reserve(static_cast<std::size_t>(bytes)));
  result.bytes_ = {static_cast<const std::byte*>(result.memory_.data()),
                   static_cast<std::size_t>(bytes)};
  result.path_ = file.path();
  result.is_mapped_ = false;
  return result;
}

absl::Status FileBytes::Load(std::uint64_t offset, std::uint64_t length) const {
  if (is_mapped_ || offset >= bytes_.size() || length == 0) return absl::OkStatus();
  const std::uint64_t end = offset + std::min<std::uint64_t>(length, bytes_.size() - offset);
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path_));
  std::vector<std::byte> piece(std::min(kPieceBytes, end - offset));
  auto* const memory = static_cast<std::byte*>(memory_.data());
  for (std::uint64_t at = offset; at < end;) {
    const std::uint64_t n = std::min<std::uint64_t>(piece.size(), end - at);
    DAYBOOK_RETURN_IF_ERROR(file.ReadAt(at, std::span(piece).first(n)));
    // A page that is only read stays the system's one page of zeros.
    for (std::uint64_t done = 0; done < n;) {
      const std::uint64_t step = std::min(n - done, kPageBytes - (at + done) % kPageBytes);
      if (std::memcmp(memory + at + done, piece.data() + done, step) != 0) {
        std::memcpy(memory + at + done, piece.data() + done, step);
      }
      done += step;
    }
    at += n;
  }
  return absl::OkStatus();
}

void FileBytes::Unload() const {
  if (!is_mapped_) memory_.Clear();
}

}  // namespace daybook
