// Finding the bytes that were written, in memory: from a copy, by the one bit that flipped, or from
// what the rest of the log says. Whatever is found proves itself by hashes that were there before.

#ifndef DAYBOOK_STORE_REPAIR_BYTES_H_
#define DAYBOOK_STORE_REPAIR_BYTES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "log/format.h"
#include "store/verify_walk.h"

namespace daybook {

using Bytes = std::vector<std::byte>;

// The largest piece in which a flipped bit is looked for.
inline constexpr std::uint64_t kFlipBytesMax = std::uint64_t{64} << 10;

// Flips the only bit of `bytes` by which `is_right` becomes true. False, and nothing changed, where
// none or several do.
bool FlipOneBit(std::span<std::byte> bytes, const std::function<bool()>& is_right);

// A segment header as it was: by one bit, or made again from `expected`, whose created_at and salt
// are taken as they stand in `bytes`. It is right where its hash is the one that stands in it, or
// the one that the first frame names.
std::optional<SegmentHeader> FixSegmentHeader(std::span<const std::byte> file,
                                              SegmentHeader expected);

// The frames with which `bytes` (as they stand at range.offset, or in a copy) begin and that are
// provably those that were written there: whole, one following the other from range.hash_before on,
// and where they fill the range up to range.hash_behind. How many bytes that is; 0: none.
std::uint64_t ProvenBytes(const DamagedRange& range, std::uint64_t salt,
                          std::span<const std::byte> bytes);

// The frame at the beginning of the range as it was, where that can be found from the bytes alone.
// `segment` is the whole file.
std::optional<Bytes> FixFrame(const DamagedRange& range, std::span<const std::byte> segment,
                              std::uint64_t salt);

}  // namespace daybook

#endif  // DAYBOOK_STORE_REPAIR_BYTES_H_
