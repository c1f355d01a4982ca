#include "io/read_buffer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

// A common event, and what its page brings along; and what one call may bring where many follow.
constexpr std::uint64_t kAheadMin = 4096;
constexpr std::uint64_t kAheadMax = std::uint64_t{256} << 10;

}  // namespace

absl::StatusOr<const std::byte*> ReadBuffer::Read(const FileBytes& file, std::uint64_t offset,
                                                  std::uint64_t length) {
  bool follows = false;
  if (!pieces_.empty() && pieces_.back().file == &file) {
    const Piece& last = pieces_.back();
    const bool begins_in = offset >= last.offset && offset - last.offset <= last.bytes();
    if (std::exchange(trusted_, true) && begins_in &&
        length <= last.bytes() - (offset - last.offset)) {
      return reinterpret_cast<const std::byte*>(last.words.data()) + (offset - last.offset);
    }
    // An event that ends the piece, or begins one event behind it.
    follows = begins_in;
  }
  trusted_ = true;
  const std::uint64_t size = file.bytes().size();
  if (offset > size || length > size - offset) {
    return absl::DataLossError(
        absl::StrCat("read: ", file.path().native(), ": the file ends early, at ", size));
  }
  ahead_ = follows ? std::min(ahead_ * 2, kAheadMax) : kAheadMin;
  const std::uint64_t wanted = std::min(std::max(length, ahead_), size - offset);
  Piece piece{&file, offset, std::vector<std::uint64_t>((wanted + 7) / 8)};
  const auto bytes = std::as_writable_bytes(std::span(piece.words)).first(wanted);
  DAYBOOK_ASSIGN_OR_RETURN(const File in, File::OpenRead(file.path()));
  absl::Status read = in.ReadAt(offset, bytes);
  // What was asked for may be whole where what lies ahead is not.
  if (!read.ok() && wanted > length) {
    piece.words.resize((length + 7) / 8);
    read = in.ReadAt(offset, std::as_writable_bytes(std::span(piece.words)).first(length));
  }
  DAYBOOK_RETURN_IF_ERROR(read);
  if (keep_ == Keep::kLast) pieces_.clear();
  pieces_.push_back(std::move(piece));
  return reinterpret_cast<const std::byte*>(pieces_.back().words.data());
}

std::uint64_t ReadBuffer::bytes() const {
  std::uint64_t bytes = 0;
  for (const Piece& piece : pieces_) bytes += piece.bytes();
  return bytes;
}

}  // namespace daybook
