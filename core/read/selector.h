// What the index of a segment can say about which of its events a filter may match.

#ifndef DAYBOOK_READ_SELECTOR_H_
#define DAYBOOK_READ_SELECTOR_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "index/segment_index.h"

namespace daybook {

// The part of a filter that an index knows about. What is empty, absent or wide does not restrict.
struct Terms {
  std::vector<std::string> types;  // any of them
  std::vector<std::string> tags;   // all of them
  std::optional<std::string> category;
  std::int64_t effective_min = std::numeric_limits<std::int64_t>::min();
  std::int64_t effective_max = std::numeric_limits<std::int64_t>::max();
};

// Selects the locals of one segment after another. What it leaves out does not match, unless it
// is lost; what it gives may match.
class TermSelector {
 public:
  explicit TermSelector(const Terms& terms);

  enum class Share : std::uint8_t { kNone, kSome, kAll };
  // Goes to the locals in [begin, end) of a segment, and says how many of them may match. `index`
  // must live as long as Collect is called.
  Share Enter(const SegmentIndex& index, std::uint64_t begin, std::uint64_t end);
  // After kSome: appends those in [begin, end), a part of what was entered, in ascending order.
  void Collect(std::uint64_t begin, std::uint64_t end, std::vector<std::uint32_t>* locals) const;

 private:
  bool EnterTypes(const SegmentIndex& index);
  void EnterTags(const SegmentIndex& index, std::uint64_t begin, std::uint64_t end);
  [[nodiscard]] bool HasTerms(std::uint32_t local) const;
  void CollectColumn(const ColumnView& column, std::uint64_t begin, std::uint64_t end,
                     std::vector<std::uint32_t>* locals) const;

  Terms terms_;
  std::vector<std::uint64_t> tag_hashes_;

  // Of the segment entered.
  bool by_type_ = false;
  bool by_category_ = false;
  ColumnView types_;
  ColumnView categories_;
  std::uint32_t category_ = 0;
  std::vector<std::uint32_t> type_numbers_;
  std::vector<std::uint8_t> is_type_;  // by number; the last stands for all above
  std::vector<std::uint32_t> tagged_;  // locals that have all tags
};

}  // namespace daybook

#endif  // DAYBOOK_READ_SELECTOR_H_
