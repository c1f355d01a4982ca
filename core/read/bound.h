// From a moment, as a caller names it, to the position that bounds a read.

#ifndef DAYBOOK_READ_BOUND_H_
#define DAYBOOK_READ_BOUND_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "daybook/moment.h"
#include "read/view.h"

namespace daybook {

struct Bound {
  std::uint64_t position = 0;  // the last that counts
  // No later commit can change what is at or before the moment. What is not durable yet is not
  // final: after a crash something else may stand there.
  bool final = false;
};

// The effective bound has no part in it. kInvalidArgument where there is more than one bound, a
// version without a stream, or a version or position beyond the head.
absl::StatusOr<Bound> ResolveBound(const ReadView& view, const AsOf& as_of,
                                   std::optional<std::string_view> stream);

// kInvalidArgument where `value` is beyond `head`; `what` and `of` name both.
absl::Status CheckNotBeyond(const ReadView& view, std::string_view what, std::uint64_t value,
                            std::string_view of, std::uint64_t head);
inline constexpr std::string_view kTheStore = "the store";
std::string TheStream(std::string_view stream);

}  // namespace daybook

#endif  // DAYBOOK_READ_BOUND_H_
