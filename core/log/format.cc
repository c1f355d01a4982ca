#include "log/format.h"

#include <cstdio>

#include "base/checksum.h"

namespace daybook {
namespace {

// Every header ends with its own hash.
template <class Header>
std::uint64_t HashBeforeHash(const Header& header, std::uint64_t seed) {
  static_assert(offsetof(Header, header_hash) == sizeof(Header) - sizeof(std::uint64_t));
  return Hash64(std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_hash)), seed);
}

std::string FileName(std::uint64_t first_position, const char* ending) {
  char name[32];
  std::snprintf(name, sizeof name, "%020llu.%s", static_cast<unsigned long long>(first_position),
                ending);
  return name;
}

}  // namespace

std::uint64_t HashOf(const StoreHeader& header) { return HashBeforeHash(header, 0); }
std::uint64_t HashOf(const SegmentHeader& header) { return HashBeforeHash(header, 0); }
std::uint64_t HashOf(const FrameHeader& header, std::uint64_t salt) {
  return HashBeforeHash(header, salt);
}
std::uint64_t HashOf(const CommitHeader& header, std::uint64_t salt) {
  return HashBeforeHash(header, salt);
}
std::uint64_t HashOf(const RecordHeader& header, std::uint64_t salt) {
  return HashBeforeHash(header, salt);
}

std::string SegmentFileName(std::uint64_t first_position) {
  return FileName(first_position, "log");
}
std::string SidecarFileName(std::uint64_t first_position) {
  return FileName(first_position, "idx");
}

std::uint64_t FirstPositionOf(std::string_view name) {
  constexpr std::string_view kEnding = ".log";
  if (name.size() != 20 + kEnding.size() || name.substr(20) != kEnding) return 0;
  std::uint64_t position = 0;
  for (const char c : name.substr(0, 20)) {
    if (c < '0' || c > '9') return 0;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (position > (UINT64_MAX - digit) / 10) return 0;
    position = position * 10 + digit;
  }
  return position;
}

}  // namespace daybook
