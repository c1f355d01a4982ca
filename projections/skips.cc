#include "projections/skips.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/dead_letters.h"
#include "daybook/error.h"
#include "daybook/event.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

constexpr std::string_view kSkipType = "ProjectionSkip";
// What a repair writes; docs/format/recovery.md.
constexpr std::string_view kStoreStream = "$store", kLossAcceptedType = "LossAccepted";

std::string StreamOf(std::string_view projection) {
  return absl::StrCat("$projection-", ToAbsl(projection));
}

absl::Status BadSkip(const EventView& event) {
  return absl::DataLossError(absl::StrCat("version ", event.version.value(), " of stream '",
                                          ToAbsl(event.stream), "' is no skip that can be read"));
}

bool ParsePosition(std::string_view text, Position* position) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const bool whole = std::from_chars(text.data(), end, value).ptr == end;
  *position = Position(value);
  return whole;
}

absl::StatusOr<ProjectionSkip> ParseSkip(std::string_view projection, const EventView& event) {
  std::vector<JsonField> fields;
  DAYBOOK_RETURN_IF_ERROR(SplitJsonObject(AsText(event.data), fields));
  ProjectionSkip skip;
  skip.projection = std::string(projection);
  for (const JsonField& field : fields) {
    if (field.key == "position") {
      if (!ParsePosition(field.value, &skip.position)) return BadSkip(event);
    } else if (field.key == "last") {
      if (!ParsePosition(field.value, &skip.last)) return BadSkip(event);
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

// Of an event by which a repair says what it gave up; nullopt where that has no positions.
std::optional<LostStretch> ParseLoss(const EventView& event) {
  std::vector<JsonField> fields;
  if (!SplitJsonObject(AsText(event.data), fields).ok()) return std::nullopt;
  for (const JsonField& field : fields) {
    const std::size_t comma = field.value.find(',');
    if (field.key != "positions" || comma == std::string_view::npos) continue;
    LostStretch lost;
    const std::string_view last = field.value.substr(comma + 1);
    if (ParsePosition(field.value.substr(1, comma - 1), &lost.first) && !last.empty() &&
        ParsePosition(last.substr(0, last.size() - 1), &lost.last)) {
      return lost;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Position> UnreadableAfter(const absl::Status& error, Position seen) {
  if (!absl::IsDataLoss(error)) return std::nullopt;
  const std::optional<Damage> damage = DamageOf(error);
  if (!damage || damage->first_position == Position(0)) return std::nullopt;
  return std::max(damage->first_position, Position(seen.value() + 1));
}

absl::Status SayHowToPass(std::string_view projection, const absl::Status& error, Position at) {
  absl::Status told(
      error.code(),
      absl::StrCat("projection '", ToAbsl(projection), "' cannot read position ", at.value(), ": ",
                   error.message(), "; repair the store (`daybook repair STORE`), and what that ",
                   "has to give up skip (`daybook projection STORE skip ", ToAbsl(projection),
                   " --position ", at.value(), "`)"));
  error.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& payload) { told.SetPayload(url, payload); });
  return told;
}

absl::StatusOr<std::vector<ProjectionSkip>> SkipSet::Refresh(const Reader& reader) {
  DAYBOOK_ASSIGN_OR_RETURN(std::vector<ProjectionSkip> skips,
                           ReadSkips(reader, projection_, &read_));
  for (const ProjectionSkip& skip : skips) {
    const std::uint64_t first = skip.position.value();
    if (skip.last > skip.position) {
      std::uint64_t& last = stretches_[first];
      last = std::max(last, skip.last.value());
    } else {
      positions_.insert(first);
    }
  }
  return skips;
}

bool SkipSet::InStretch(Position position) const {
  return std::any_of(stretches_.begin(), stretches_.upper_bound(position.value()),
                     [&](const auto& stretch) { return position.value() <= stretch.second; });
}

Position SkipSet::EndOf(Position position) const {
  Position end = position;
  for (bool more = true; more;) {
    more = false;
    for (const auto& [first, last] : stretches_) {
      if (first > end.value() + 1 || last <= end.value()) continue;
      end = Position(last);
      more = true;
    }
    while (positions_.contains(end.value() + 1)) {
      end = Position(end.value() + 1);
      more = true;
    }
  }
  return end;
}

absl::StatusOr<LostStretch> FindLost(const Reader& reader, Position position) {
  ReadOptions options;
  options.stream = kStoreStream;
  options.types = {std::string(kLossAcceptedType)};
  options.on_damage = OnDamage::kSkip;
  DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read(options));
  std::optional<LostStretch> found;
  DAYBOOK_RETURN_IF_ERROR(cursor.ForEach([&](const EventView& event) {
    const std::optional<LostStretch> lost = ParseLoss(event);
    if (lost && lost->first <= position && position <= lost->last) found = lost;
    return absl::OkStatus();
  }));
  if (found) return *found;
  return absl::FailedPreconditionError(absl::StrCat(
      "position ", position.value(), " cannot be read, but no repair has given it up; ",
      "repair the store first (`daybook repair STORE`, with --accept-loss where there ",
      "is no other way)"));
}

absl::StatusOr<std::vector<ProjectionSkip>> ProjectionSkips(const Reader& reader,
                                                            std::string_view name) {
  Version read;
  return ReadSkips(reader, name, &read);
}

}  // namespace daybook
