// An event as it is given to the store and as it is read back.

#ifndef DAYBOOK_EVENT_H_
#define DAYBOOK_EVENT_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "daybook/values.h"

namespace daybook {

// The limits of what can be appended. A name (stream, type, tag) is UTF-8 without control
// characters.
inline constexpr std::size_t kNameBytesMax = 255;
inline constexpr std::size_t kTagsMax = 64;
inline constexpr std::size_t kMetadataBytesMax = std::size_t{64} << 10;
inline constexpr std::size_t kEventBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kCommitBytesMax = std::size_t{64} << 20;
inline constexpr std::size_t kCommitEventsMax = 65536;

// The bytes of a text, for `NewEvent::data`. The text must outlive the result.
inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}
// The text of `EventView::data`, valid as long as the bytes are.
inline std::string_view AsText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// An event to be appended. The views are read during `Commit::Add` and not kept.
struct NewEvent {
  std::string_view type;
  std::span<const std::byte> data;
  ContentType content_type = ContentType::kJson;
  std::string_view content_type_text;  // a media type; only with ContentType::kText
  std::string_view metadata;  // a JSON object in UTF-8, kept byte for byte; empty is none. By
                              // convention: correlation, causation, actor, traceparent
  std::vector<std::string_view> tags;  // by habit `key:value`; in any order, none repeated
  std::optional<Timestamp>
      effective_at;           // when the fact holds in the world; absent means recorded_at
  std::optional<EventId> id;  // makes the append idempotent, for ever; absent means a new UUIDv7
};

// The tags of an event that was read, sorted bytewise: a view into the log, decoded as it is
// walked.
class TagList {
 public:
  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Iterator() = default;
    Iterator(const TagList* list, std::uint32_t index) : list_(list), index_(index) {}
    std::string_view operator*() const { return (*list_)[index_]; }
    Iterator& operator++() {
      ++index_;
      return *this;
    }
    Iterator operator++(int) {
      Iterator before = *this;
      ++index_;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }

   private:
    const TagList* list_ = nullptr;
    std::uint32_t index_ = 0;
  };

  TagList() = default;
  // `pointers` are the `count` text pointers of a decoded event body. For the store's own use.
  TagList(const std::byte* pointers, std::uint32_t count) : pointers_(pointers), count_(count) {}

  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  std::string_view operator[](std::size_t index) const;
  [[nodiscard]] Iterator begin() const { return {this, 0}; }
  [[nodiscard]] Iterator end() const { return {this, count_}; }
  [[nodiscard]] bool Contains(std::string_view tag) const;

 private:
  const std::byte* pointers_ = nullptr;
  std::uint32_t count_ = 0;
};

// An event that was read. Every byte has been verified against its checksums.
//
// The views point into the mapped log and are valid as long as the cursor (or the `EventHandle`)
// that gave them. Copying an EventView copies the views, not the bytes.
struct EventView {
  Position position;
  Version version;
  std::string_view stream;
  std::string_view type;
  EventId id;
  Timestamp recorded_at;
  std::optional<Timestamp> effective_at_given;  // what the append gave, if it gave one
  Position commit_first_position;               // events with the same one are one commit
  ContentType content_type = ContentType::kOctetStream;
  std::string_view content_type_text;
  TagList tags;
  std::string_view metadata;
  std::span<const std::byte> data;

  // When the fact holds in the world: as given, else recorded_at.
  [[nodiscard]] Timestamp effective_at() const { return effective_at_given.value_or(recorded_at); }
};

// The category of a stream: its name up to the first `-`, or the whole name where there is none.
constexpr std::string_view CategoryOf(std::string_view stream) {
  return stream.substr(0, stream.find('-'));
}

}  // namespace daybook

#endif  // DAYBOOK_EVENT_H_
