#include "projections/skips.h"

#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/dead_letters.h"
#include "daybook/event.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

constexpr std::string_view kSkipType = "ProjectionSkip";

std::string StreamOf(std::string_view projection) {
  return absl::StrCat("$projection-", ToAbsl(projection));
}

absl::Status BadSkip(const EventView& event) {
  return absl::DataLossError(absl::StrCat("version ", event.version.value(), " of stream '",
                                          ToAbsl(event.stream), "' is no skip that can be read"));
}

absl::StatusOr<ProjectionSkip> ParseSkip(std::string_view projection, const EventView& event) {
  std::vector<JsonField> fields;
  DAYBOOK_RETURN_IF_ERROR(SplitJsonObject(AsText(event.data), fields));
  ProjectionSkip skip;
  skip.projection = std::string(projection);
  for (const JsonField& field : fields) {
    if (field.key == "position") {
      std::uint64_t position = 0;
      const char* const end = field.value.data() + field.value.size();
      if (std::from_chars(field.value.data(), end, position).ptr != end) return BadSkip(event);
      skip.position = Position(position);
    } else if (field.key == "reason") {
      DAYBOOK_ASSIGN_OR_RETURN(skip.reason, UnquoteJson(field.value));
    } else if (field.key == "actor") {
      DAYBOOK_ASSIGN_OR_RETURN(skip.actor, UnquoteJson(field.value));
    }
  }
  if (skip.position == Position(0)) return BadSkip(event);
  return skip;
}

// The skips behind version `*read` of the stream, which moves on to the last of them.
absl::StatusOr<std::vector<ProjectionSkip>> ReadSkips(const Reader& reader,
                                                      std::string_view projection, Version* read) {
  std::vector<ProjectionSkip> skips;
  ReadOptions options;
  options.stream = StreamOf(projection);
  // A decision that a crash may undo is not one yet.
  options.as_of = AsOf::AtPosition(reader.durable());
  DAYBOOK_ASSIGN_OR_RETURN(const StreamInfo head, reader.Head(*options.stream, options.as_of));
  if (head.version <= *read) return skips;
  options.from_version = Version(read->value() + 1);
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read(options));
  DAYBOOK_RETURN_IF_ERROR(cursor.ForEach([&](const EventView& event) -> absl::Status {
    if (event.type == kSkipType) {
      DAYBOOK_ASSIGN_OR_RETURN(ProjectionSkip skip, ParseSkip(projection, event));
      skips.push_back(std::move(skip));
    }
    *read = event.version;
    return absl::OkStatus();
  }));
  return skips;
}

}  // namespace

absl::StatusOr<std::vector<Position>> SkipSet::Refresh(const Reader& reader) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<ProjectionSkip> skips,
                           ReadSkips(reader, projection_, &read_));
  std::vector<Position> positions;
  for (const ProjectionSkip& skip : skips) {
    if (positions_.insert(skip.position.value()).second) positions.push_back(skip.position);
  }
  return positions;
}

absl::StatusOr<std::vector<ProjectionSkip>> ProjectionSkips(const Reader& reader,
                                                            std::string_view name) {
  Version read;
  return ReadSkips(reader, name, &read);
}

}  // namespace daybook
