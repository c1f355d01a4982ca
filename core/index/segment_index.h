// What is known about the events of one segment without touching the log: one interface, and two
// makers of it: ActiveIndex (in memory, growing) and Sidecar (a mapped file, sealed).
//
// Events are counted from 0 within the segment ("local"): local = position - first_position.
// Everything found by hash is a candidate: the caller reads the event and compares.

#ifndef DAYBOOK_INDEX_SEGMENT_INDEX_H_
#define DAYBOOK_INDEX_SEGMENT_INDEX_H_

#include <atomic>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "daybook/event.h"
#include "index/links.h"

namespace daybook {

inline constexpr std::uint64_t kTimeSampleEvery = 256;  // events

// The hash by which a stream, a tag, or an event id within a stream is found.
std::uint64_t StreamHash(std::string_view stream);
std::uint64_t TagHash(std::string_view tag);
std::uint64_t IdHash(std::uint64_t stream_hash, const EventId& id);

// A column of small numbers, one an event.
struct ColumnView {
  const void* data = nullptr;
  std::uint8_t width = 0;  // bytes: 1, 2 or 4
  [[nodiscard]] std::uint32_t At(std::uint64_t local) const {
    switch (width) {
      case 1:
        return static_cast<const std::uint8_t*>(data)[local];
      case 2:
        return static_cast<const std::uint16_t*>(data)[local];
      default:
        return static_cast<const std::uint32_t*>(data)[local];
    }
  }
};

// A value of a column: its number in this segment, and how many events have it (of an active
// segment, with those that are added and not published yet).
struct Term {
  std::uint32_t number = 0;
  std::uint64_t events = 0;
};

// Thread-safe: any number of readers beside the one thread that makes it grow.
class SegmentIndex {
 public:
  virtual ~SegmentIndex() = default;
  SegmentIndex(const SegmentIndex&) = delete;
  SegmentIndex& operator=(const SegmentIndex&) = delete;

  [[nodiscard]] std::uint64_t first_position() const { return first_position_; }
  // How many events it covers. What lies below it never changes.
  [[nodiscard]] std::uint64_t count() const { return count_.load(std::memory_order_acquire); }
  [[nodiscard]] const Link* links() const { return links_; }
  // recorded_at of the events 0, 256, 512, ...: (count() + 255) / 256 of them. For a lost event
  // that of the last event before it that could be read, the smallest number where there is none.
  [[nodiscard]] const std::int64_t* time_samples() const { return time_samples_; }

  // The smallest and largest effective_at of its events (Max()/Min() reversed where it has none).
  struct EffectiveBounds {
    std::int64_t min = std::numeric_limits<std::int64_t>::max();
    std::int64_t max = std::numeric_limits<std::int64_t>::min();
  };
  [[nodiscard]] virtual EffectiveBounds effective_bounds() const = 0;

  // Types and categories are dense columns; a value that no event here has is nullopt, and then the
  // segment is passed over.
  [[nodiscard]] virtual std::optional<Term> FindType(std::string_view type) const = 0;
  [[nodiscard]] virtual std::optional<Term> FindCategory(std::string_view category) const = 0;
  [[nodiscard]] virtual ColumnView types() const = 0;
  [[nodiscard]] virtual ColumnView categories() const = 0;

  // The Finds and AllHeads replace what `locals` held.
  //
  // Locals of the events that may have this tag, ascending: never one too few below `limit`
  // (exclusive) and count().
  virtual void FindTag(std::uint64_t tag_hash, std::uint64_t limit,
                       std::vector<std::uint32_t>* locals) const = 0;
  // Locals of events that may have this id in this stream, ascending.
  virtual void FindId(std::uint64_t id_hash, std::uint64_t limit,
                      std::vector<std::uint32_t>* locals) const = 0;
  // Locals that may be the last event (below count()) of this stream in this segment, newest first:
  // one for each stream of that hash, and further ones where events are lost. The newest that is of
  // the stream is its head.
  virtual void FindHead(std::uint64_t stream_hash, std::vector<std::uint32_t>* locals) const = 0;
  // The last event of every stream in this segment, in no order. Where events are lost, an older
  // one of a stream may be there beside its last.
  virtual void AllHeads(std::vector<std::uint32_t>* locals) const = 0;

 protected:
  explicit SegmentIndex(std::uint64_t first_position) : first_position_(first_position) {}

  const std::uint64_t first_position_;
  std::atomic<std::uint64_t> count_{0};
  const Link* links_ = nullptr;
  const std::int64_t* time_samples_ = nullptr;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_SEGMENT_INDEX_H_
