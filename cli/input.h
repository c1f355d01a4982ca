// Bytes to import: a file, plain or compressed, or standard input.

#ifndef DAYBOOK_CLI_INPUT_H_
#define DAYBOOK_CLI_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace daybook::cli {

// Whether a file that is named `.gz` or `.zst` is decompressed.
enum class Decompress : std::uint8_t { kByName, kNever };

// Not thread-safe.
class ByteSource {
 public:
  // Opens a file; "-" is standard input, as it is. kNotFound, kPermissionDenied, kInvalidArgument
  // (a folder).
  static absl::StatusOr<std::unique_ptr<ByteSource>> Open(const std::string& path,
                                                          Decompress decompress);
  virtual ~ByteSource() = default;

  // Reads up to `to.size()` bytes and returns how many: 0 at the end. kInvalidArgument where
  // compressed data is damaged or cut short; kCancelled where a signal asked to end while there was
  // nothing to read.
  virtual absl::StatusOr<std::size_t> Read(std::span<char> to) = 0;

  // How many bytes of the file were read so far, and how many it has, if that is known.
  [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
  [[nodiscard]] virtual std::optional<std::uint64_t> bytes_total() const = 0;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_INPUT_H_
