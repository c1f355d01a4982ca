// What an append says: events, the versions it expects, and the condition under which it holds.

#ifndef DAYBOOK_APPEND_H_
#define DAYBOOK_APPEND_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "daybook/event.h"
#include "daybook/values.h"

namespace daybook {

// What an append expects of a stream.
class ExpectedVersion {
 public:
  enum class Kind : std::uint8_t { kAny, kNoStream, kStreamExists, kExactly };

  constexpr ExpectedVersion() = default;  // Any
  static constexpr ExpectedVersion Any() { return {}; }
  static constexpr ExpectedVersion NoStream() { return {Kind::kNoStream, Version(0)}; }
  static constexpr ExpectedVersion StreamExists() { return {Kind::kStreamExists, Version(0)}; }
  // Exactly(Version(0)) is NoStream.
  static constexpr ExpectedVersion Exactly(Version version) {
    return version == Version(0) ? NoStream() : ExpectedVersion(Kind::kExactly, version);
  }

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  [[nodiscard]] constexpr Version version() const { return version_; }
  [[nodiscard]] constexpr bool Admits(Version actual) const {
    switch (kind_) {
      case Kind::kAny:
        return true;
      case Kind::kNoStream:
        return actual == Version(0);
      case Kind::kStreamExists:
        return actual > Version(0);
      case Kind::kExactly:
        return actual == version_;
    }
    return false;
  }
  // "any", "none", "exists" or the number.
  [[nodiscard]] std::string ToString() const;
  friend constexpr bool operator==(const ExpectedVersion&, const ExpectedVersion&) = default;

 private:
  constexpr ExpectedVersion(Kind kind, Version version) : kind_(kind), version_(version) {}
  Kind kind_ = Kind::kAny;
  Version version_;
};

// One line of a query: any of these types (none given: every type) and all of these tags.
struct QueryItem {
  std::vector<std::string> types;
  std::vector<std::string> tags;
};

// "Fail if an event after this position matches": the append condition of a dynamic consistency
// boundary. The items are alternatives; no item matches every event.
struct AppendCondition {
  std::vector<QueryItem> fail_if_match;
  Position after;  // 0 is from the start
};

// What becomes of an append of which some events, but not all, are in their streams already.
enum class OnDuplicate : std::uint8_t {
  kRefuse,      // kAlreadyExists
  kSkipEvents,  // those events are left out and the others appended
};

// One commit in the making: events for one or several streams, in order, and what is expected.
// Events are encoded and hashed as they are added, in the caller's thread.
//
// An event without an id gets one when it is added, so a commit that is appended again (after a
// conflict, or after an unknown outcome) is the same commit. Not thread-safe; reusable after
// Clear(), which keeps memory.
class Commit {
 public:
  Commit();
  ~Commit();
  Commit(Commit&&) noexcept;
  Commit& operator=(Commit&&) noexcept;

  // Adds an event. kInvalidArgument (and the commit unchanged) where a name, tag, metadata or size
  // is not allowed; the message names the field and the limit.
  absl::Status Add(std::string_view stream, const NewEvent& event);
  // States what is expected of a stream, whether the commit writes to it or only checks it. The
  // last word on a stream counts. kInvalidArgument where the name is not allowed.
  absl::Status Expect(std::string_view stream, ExpectedVersion expected);
  // Adds a query condition; all that are added must hold. kInvalidArgument where a name is not
  // allowed.
  absl::Status Require(AppendCondition condition);

  [[nodiscard]] std::size_t events() const;
  // The bytes that the events take in the log.
  [[nodiscard]] std::size_t encoded_bytes() const;
  // The id of the event added as number `index`, counted from 0.
  [[nodiscard]] EventId id(std::size_t index) const;
  // Empties the commit for reuse.
  void Clear();

  class Impl;
  // For the store's own use.
  [[nodiscard]] Impl& impl() const { return *impl_; }
  [[nodiscard]] std::unique_ptr<Impl> Release();
  void Adopt(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

struct AppendOptions {
  OnDuplicate on_duplicate = OnDuplicate::kRefuse;
  // In a kBuffered store an append may ask for kSync; it can never ask for less than the store
  // gives.
  std::optional<Durability> durability;
};

// Where one event of an append stands.
struct AppendedEvent {
  EventId id;
  Position position;
  Version version;
  Timestamp recorded_at;
  bool duplicate = false;  // it was there already; position and version are those of the first time
};

struct AppendResult {
  std::vector<AppendedEvent> events;  // one for each event of the commit, in its order
  Position last_position;             // the largest of them
  bool duplicate = false;             // nothing was written: all of it was there already
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_H_
