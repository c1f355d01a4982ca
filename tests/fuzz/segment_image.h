// A segment as the fuzzers see it: short, and with checksums that can be made right again.
//
//   input := SegmentHeader, frames        (the zeros between the two, and behind, are left out)

#ifndef DAYBOOK_TESTS_FUZZ_SEGMENT_IMAGE_H_
#define DAYBOOK_TESTS_FUZZ_SEGMENT_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "log/format.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {

inline constexpr std::size_t kImageBytes = std::size_t{32} << 10;
inline constexpr std::size_t kInputBytesMax =
    sizeof(SegmentHeader) + kImageBytes - kSegmentHeaderBytes;

// A segment file made of an input, 8-byte aligned.
class SegmentImage {
 public:
  SegmentImage(const std::uint8_t* data, std::size_t size);

  [[nodiscard]] std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(words_)); }
  [[nodiscard]] SegmentHeader& header() { return *reinterpret_cast<SegmentHeader*>(words_.data()); }

  // Makes hashes, lengths, places and the chain right, so that what was mutated is read; leaves
  // some of it wrong, by choice.
  void Mend(Choices& choices);
  // The input again, of the same size.
  void CopyTo(std::uint8_t* data, std::size_t size);

 private:
  // The frame at `offset`; where the next one begins, or 0.
  std::uint64_t MendFrame(std::uint64_t offset, Choices& choices);
  void MendCommits(std::uint64_t offset, Choices& choices);

  std::vector<std::uint64_t> words_;
  std::uint64_t last_hash_ = 0;
  std::uint64_t position_ = 0;
  std::int64_t recorded_at_ = 0;
};

// For LLVMFuzzerCustomMutator.
std::size_t MutateSegment(std::uint8_t* data, std::size_t size, std::size_t max_size,
                          unsigned seed);

}  // namespace daybook::fuzzing

#endif  // DAYBOOK_TESTS_FUZZ_SEGMENT_IMAGE_H_
