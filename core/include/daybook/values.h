// The value types of Daybook: small, trivially copyable, and not convertible into each other, so
// that a version is never passed where a position is meant.
//
// Thread-safety: all are plain values; none throws and none allocates unless it says so.

#ifndef DAYBOOK_VALUES_H_
#define DAYBOOK_VALUES_H_

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace daybook {

// How many events a stream holds. The first event of a stream makes version 1; 0 is the empty
// stream.
class Version {
 public:
  constexpr Version() = default;
  constexpr explicit Version(std::uint64_t value) : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  friend constexpr auto operator<=>(Version, Version) = default;

 private:
  std::uint64_t value_ = 0;
};

// How many events the store holds: global, gapless, from 1. 0 is "before everything".
class Position {
 public:
  constexpr Position() = default;
  constexpr explicit Position(std::uint64_t value) : value_(value) {}
  [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
  friend constexpr auto operator<=>(Position, Position) = default;

 private:
  std::uint64_t value_ = 0;
};

// The largest version or position that the format can hold.
inline constexpr std::uint64_t kCountMax = (std::uint64_t{1} << 63) - 1;

// A moment: nanoseconds since 1970-01-01T00:00:00 UTC without leap seconds, from the year 1677 to
// 2262.
class Timestamp {
 public:
  constexpr Timestamp() = default;
  constexpr explicit Timestamp(std::int64_t unix_nanoseconds) : ns_(unix_nanoseconds) {}
  constexpr explicit Timestamp(std::chrono::sys_time<std::chrono::nanoseconds> time)
      : ns_(time.time_since_epoch().count()) {}

  // The smallest and the largest moment that an event may carry.
  static constexpr Timestamp Min() {
    return Timestamp(std::numeric_limits<std::int64_t>::min() + 1);
  }
  static constexpr Timestamp Max() { return Timestamp(std::numeric_limits<std::int64_t>::max()); }

  // Reads RFC 3339 with a zone ("2026-01-31T09:00:00.123456789Z", "...+02:00"), 0 to 9 decimals.
  // `:60`, a missing zone, a day that does not exist and a moment out of range are
  // kInvalidArgument.
  static absl::StatusOr<Timestamp> Parse(std::string_view rfc3339);

  [[nodiscard]] constexpr std::int64_t unix_nanoseconds() const { return ns_; }
  // RFC 3339 in UTC with nine decimals: "2026-01-31T09:00:00.000000000Z".
  [[nodiscard]] std::string ToString() const;
  friend constexpr auto operator<=>(Timestamp, Timestamp) = default;

 private:
  std::int64_t ns_ = 0;
};

// The identity of an event: a UUID in the byte order of RFC 9562. Unique within its stream.
class EventId {
 public:
  using Bytes = std::array<std::uint8_t, 16>;
  constexpr EventId() = default;  // nil: refused by an append
  constexpr explicit EventId(const Bytes& bytes) : bytes_(bytes) {}

  // A new UUIDv7 of this moment; unpredictable, and increasing within a process.
  static EventId NewV7();
  // Reads the 36-character form, in either case. Anything else is kInvalidArgument.
  static absl::StatusOr<EventId> Parse(std::string_view text);

  [[nodiscard]] constexpr const Bytes& bytes() const { return bytes_; }
  [[nodiscard]] constexpr bool is_nil() const { return bytes_ == Bytes{}; }
  // The 36-character form in lower case.
  [[nodiscard]] std::string ToString() const;
  friend constexpr auto operator<=>(const EventId&, const EventId&) = default;

 private:
  Bytes bytes_{};
};

// What the bytes of an event are. The store never looks into them; the number says how to show
// them.
enum class ContentType : std::uint16_t {
  kOctetStream = 0,
  kJson = 1,
  kCapnProto = 2,
  kProtobuf = 3,
  kText = 0xFFFF,  // the event's content_type_text says it, as a media type
};

// What an append has survived when it returns.
enum class Durability : std::uint8_t {
  kSync,      // on the device: process kill, machine crash, power loss
  kBuffered,  // in the kernel: process kill only; on the device within the sync interval
};

}  // namespace daybook

#endif  // DAYBOOK_VALUES_H_
