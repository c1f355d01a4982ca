// The events of a stream that an effective bound selects, in the order in which they held:
// (effective_at, position).
//
// The order is known only when all of them have been looked at. 24 bytes an event are kept, not the
// events, which are read again: in one go where they follow each other in the stream, one by one
// where they do not.

#ifndef DAYBOOK_SNAPSHOT_EFFECTIVE_ORDER_H_
#define DAYBOOK_SNAPSHOT_EFFECTIVE_ORDER_H_

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"

namespace daybook {

class EffectiveOrder {
 public:
  // `cursor` gives what is selected of one stream, from its first event on.
  static absl::StatusOr<EffectiveOrder> Collect(Cursor* cursor);

  // Calls `visit` for each of them, until it says false or fails.
  using Visit = std::function<absl::StatusOr<bool>(const EventView& event)>;
  absl::Status ForEach(const Reader& reader, std::string_view stream,
                       const std::function<bool()>& keep_going, const Visit& visit) const;

 private:
  struct Place {
    std::int64_t effective_at = 0;
    std::uint64_t position = 0;
    std::uint64_t version = 0;
  };
  // Where the versions that follow each other from `begin` on end.
  [[nodiscard]] std::size_t RunEnd(std::size_t begin) const;

  std::vector<Place> places_;
};

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_EFFECTIVE_ORDER_H_
