// Links: the skip list that every stream is. Each event names the event of its stream before it
// (`prev`) and one further back (`skip`) by the skew-binary jump rule of E. W. Myers, "An
// applicative random-access stack", Information Processing Letters 17 (1983). Any version, and any
// moment, of a stream of n events is O(log n) hops from its head.

#ifndef DAYBOOK_INDEX_LINKS_H_
#define DAYBOOK_INDEX_LINKS_H_

#include <cstddef>
#include <cstdint>

namespace daybook {

// An event as the index sees it. Written to sidecars as it stands.
struct Link {
  std::uint32_t offset8;  // offset of the record in its segment file, divided by 8; 0: the event is
                          // damaged or lost
  std::uint32_t version;  // kLinkVersionEscape: it stands in the record header only
  std::uint64_t prev;
  std::uint64_t skip;

  [[nodiscard]] std::uint64_t offset() const { return std::uint64_t{offset8} * 8; }
  [[nodiscard]] bool lost() const { return offset8 == 0; }
};
static_assert(sizeof(Link) == 24);
inline constexpr std::uint32_t kLinkVersionEscape = 0xFFFFFFFF;

// The version that the skip of version `v` names: a pure function of v. SkipVersion(1) is 0.
std::uint64_t SkipVersion(std::uint64_t v);

}  // namespace daybook

#endif  // DAYBOOK_INDEX_LINKS_H_
