// The index of the active segment: arrays that grow in reserved virtual memory and never move.
//
// One thread adds (the leader of a group commit, or whoever catches up); any number read meanwhile.
// What is looked up by hash (ids, tags, heads) stands in append-only arrays too; the hash maps over
// them are built when they are first asked for, under a lock that the adding thread never takes.

#ifndef DAYBOOK_INDEX_ACTIVE_INDEX_H_
#define DAYBOOK_INDEX_ACTIVE_INDEX_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "index/segment_index.h"

namespace daybook {

// What a segment says of one stream.
struct StreamSummary {
  std::uint32_t last_local = 0;  // of its last event
  SegmentIndex::EffectiveBounds effective;
};

class ActiveIndex : public SegmentIndex {
 public:
  // For a segment of `segment_bytes`, of which no event can be smaller than `record_bytes_min`.
  // Reserves address space, no memory.
  static absl::StatusOr<std::unique_ptr<ActiveIndex>> Create(std::uint64_t first_position,
                                                             std::uint64_t segment_bytes,
                                                             std::uint64_t record_bytes_min);
  ~ActiveIndex() override;

  // What is added for one event.
  struct Entry {
    std::uint64_t offset;  // of its record in the segment file
    std::uint64_t version;
    std::uint64_t prev;
    std::uint64_t skip;
    std::int64_t recorded_at;
    std::int64_t effective_at;  // as given, else recorded_at
    std::string_view stream;
    std::uint64_t stream_hash;  // StreamHash(stream)
    std::string_view type;
    EventId id;
  };
  // How many events, lost ones included, it has room for: as many as fit into the segment. Who
  // numbers a hole by what damaged bytes say asks before AddLost.
  [[nodiscard]] std::uint64_t capacity() const;
  // Adds the next event: its local is what count() will be after the additions before it are
  // published. By one thread. There must be room. A category is looked up once for each stream that
  // follows another: give the events as they come.
  void Add(const Entry& entry, const TagList& tags);
  // Adds an event that cannot be read (a hole in a damaged segment), so that numbering stays
  // gapless.
  void AddLost();
  // Makes everything added so far visible to readers.
  void Publish();
  // Added, whether published or not.
  [[nodiscard]] std::uint64_t added() const;

  // SegmentIndex
  [[nodiscard]] EffectiveBounds effective_bounds() const override;
  [[nodiscard]] std::optional<Term> FindType(std::string_view type) const override;
  [[nodiscard]] std::optional<Term> FindCategory(std::string_view category) const override;
  [[nodiscard]] ColumnView types() const override;
  [[nodiscard]] ColumnView categories() const override;
  void FindTag(std::uint64_t tag_hash, std::uint64_t limit,
               std::vector<std::uint32_t>* locals) const override;
  void FindId(std::uint64_t id_hash, std::uint64_t limit,
              std::vector<std::uint32_t>* locals) const override;
  void FindHead(std::uint64_t stream_hash, std::vector<std::uint32_t>* locals) const override;
  void AllHeads(std::vector<std::uint32_t>* locals) const override;

  // All streams of the published events, in the order of their first events. Nothing where events
  // are lost or streams share a hash: then only the log can tell.
  [[nodiscard]] std::optional<std::vector<StreamSummary>> SummarizeStreams() const;

  struct Arrays;  // for the writer of sidecars
  [[nodiscard]] const Arrays& arrays() const { return *arrays_; }

 private:
  explicit ActiveIndex(std::uint64_t first_position);
  std::unique_ptr<Arrays> arrays_;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_ACTIVE_INDEX_H_
