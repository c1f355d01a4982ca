#include "read/bound.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {

std::string TheStream(std::string_view stream) {
  return absl::StrCat("the stream ", ToAbsl(stream));
}

absl::Status CheckNotBeyond(const ReadView& view, std::string_view what, std::uint64_t value,
                            std::string_view of, std::uint64_t head) {
  if (value <= head) return absl::OkStatus();
  // It may be there, behind what cannot be read: then the caller is not to blame.
  DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(what), " ", value,
                                                 " is beyond the head of ", ToAbsl(of),
                                                 ", which is ", head, "; ask for at most that"));
}

absl::StatusOr<Bound> ResolveBound(const ReadView& view, const AsOf& as_of,
                                   std::optional<std::string_view> stream) {
  if (as_of.version.has_value() + as_of.position.has_value() + as_of.recorded_at.has_value() > 1) {
    return absl::InvalidArgumentError(
        "as of more than one moment; give one of version, position and recorded time");
  }
  Bound bound{view.visible(), false};
  if (as_of.position) {
    bound.position = as_of.position->value();
    DAYBOOK_RETURN_IF_ERROR(
        CheckNotBeyond(view, "position", bound.position, kTheStore, view.visible()));
    bound.final = bound.position <= view.durable();
  } else if (as_of.recorded_at) {
    DAYBOOK_ASSIGN_OR_RETURN(bound.position, view.PositionAt(*as_of.recorded_at));
    bound.final = bound.position < view.durable();
  } else if (as_of.version) {
    if (!stream) {
      return absl::InvalidArgumentError(
          "as of a version without a stream; name the stream, or give a position");
    }
    const std::uint64_t version = as_of.version->value();
    DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint head, view.PointAt(*stream, view.visible()));
    DAYBOOK_RETURN_IF_ERROR(
        CheckNotBeyond(view, "version", version, TheStream(*stream), head.version));
    DAYBOOK_ASSIGN_OR_RETURN(bound.position, view.PositionOfVersion(head.position, version));
    bound.final = bound.position <= view.durable();
  }
  return bound;
}

}  // namespace daybook
