// The inside of a Commit: its events, encoded as they will stand in the log but for what only the
// sequencer knows.

#ifndef DAYBOOK_APPEND_COMMIT_H_
#define DAYBOOK_APPEND_COMMIT_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "append/heads.h"
#include "base/utf8.h"
#include "daybook/append.h"
#include "log/format.h"

namespace daybook {

class Commit::Impl {
 public:
  struct Event {
    std::uint64_t offset;  // of its record header in the buffer
    std::uint32_t stream;  // index into streams
    bool id_given;  // by the caller; ids of ours are looked up only when the commit is tried again
    EventId id;
  };
  struct Stream {
    std::string_view name;  // in names_
    std::uint64_t hash = 0;
    ExpectedVersion expected;
    std::uint32_t events = 0;  // of this commit; 0: only checked
    // Set for the time of an append.
    HeadEntry* entry = nullptr;
    std::uint64_t last_position = 0;
  };

  Impl() { Clear(); }

  // `system`: whether the stream may be one of the store's own.
  absl::Status Add(std::string_view stream, const NewEvent& event,
                   SystemNames system = SystemNames::kRefuse);
  absl::Status Expect(std::string_view stream, ExpectedVersion expected);
  absl::Status Require(AppendCondition condition);
  void Clear();

  // A commit of the same expectations that holds only the events for which `keep` says so.
  [[nodiscard]] std::unique_ptr<Impl> Select(const std::vector<bool>& keep) const;

  [[nodiscard]] std::span<std::byte> bytes() { return {data(), size_}; }
  [[nodiscard]] CommitHeader& header() { return *reinterpret_cast<CommitHeader*>(data()); }
  [[nodiscard]] RecordHeader& record(const Event& event) {
    return *reinterpret_cast<RecordHeader*>(data() + event.offset);
  }
  [[nodiscard]] const RecordHeader& record(const Event& event) const {
    return *reinterpret_cast<const RecordHeader*>(data() + event.offset);
  }
  // The event, decoded from the buffer; only what its body says.
  [[nodiscard]] EventView Decode(const Event& event) const;

  std::vector<Event> events;
  std::vector<Stream> streams;
  std::vector<AppendCondition> conditions;
  // The commit was sequenced before: all its ids are looked up.
  bool tried = false;

 private:
  [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(words_.get()); }
  [[nodiscard]] const std::byte* data() const {
    return reinterpret_cast<const std::byte*>(words_.get());
  }
  void Reserve(std::size_t bytes);
  std::uint32_t StreamIndex(std::string_view name);
  [[nodiscard]] bool Holds(std::uint32_t stream, const EventId& id) const;

  std::unique_ptr<std::uint64_t[]> words_;
  std::size_t capacity_ = 0;  // bytes
  std::size_t size_ = 0;      // bytes, the commit header included
  std::pmr::monotonic_buffer_resource names_;
  absl::flat_hash_map<std::uint64_t, std::uint32_t> stream_of_hash_;
  absl::flat_hash_set<std::uint64_t> given_ids_;  // IdHash of those that the caller gave
};

}  // namespace daybook

#endif  // DAYBOOK_APPEND_COMMIT_H_
