// Memory for pieces of files that are not mapped.

#ifndef DAYBOOK_IO_READ_BUFFER_H_
#define DAYBOOK_IO_READ_BUFFER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "io/file_bytes.h"

namespace daybook {

// One reader's: a cursor's, or that of one event. Reads ahead where it is asked for one piece after
// the other, up to 256 KiB at a time. Move-only; not thread-safe. What it holds stays at its
// address.
class ReadBuffer {
 public:
  enum class Keep : std::uint8_t {
    kAll,   // what was read stays as long as the buffer
    kLast,  // until the next Read: no more than one piece is held
  };
  explicit ReadBuffer(Keep keep = Keep::kAll) : keep_(keep) {}
  ReadBuffer(ReadBuffer&&) = default;
  ReadBuffer& operator=(ReadBuffer&&) = default;

  // The `length` bytes at `offset`, which is a multiple of 8, aligned to 8. Clipped by nothing:
  // kDataLoss where the file ends before that, or the device fails.
  absl::StatusOr<const std::byte*> Read(const FileBytes& file, std::uint64_t offset,
                                        std::uint64_t length);
  // What was read ahead may be older than what is asked for next: reads it again.
  void Distrust() { trusted_ = false; }

  // For tests and sizes: the memory that it holds.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Piece {
    const FileBytes* file;
    std::uint64_t offset;
    std::vector<std::uint64_t> words;
    [[nodiscard]] std::uint64_t bytes() const { return words.size() * 8; }
  };

  Keep keep_;
  bool trusted_ = true;
  std::uint64_t ahead_ = 0;
  std::vector<Piece> pieces_;  // the newest last
};

}  // namespace daybook

#endif  // DAYBOOK_IO_READ_BUFFER_H_
