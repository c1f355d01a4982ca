// The ready-made projections: count, sum and last, by stream, category or type.

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/builtin_projection.h"
#include "daybook/decimal.h"
#include "daybook/json_field.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

using By = BuiltinProjection::By;
using Kind = BuiltinProjection::Kind;

// The position of the last event that counted (8 bytes, little-endian), and the value as text.
struct GroupRow {
  std::uint64_t position = 0;
  std::string value;

  void Save(std::string& out) const {
    out.append(reinterpret_cast<const char*>(&position), sizeof position).append(value);
  }
  static absl::StatusOr<GroupRow> Restore(std::string_view bytes) {
    GroupRow row;
    if (bytes.size() < sizeof row.position) return absl::DataLossError("a row is cut short");
    std::memcpy(&row.position, bytes.data(), sizeof row.position);
    row.value = bytes.substr(sizeof row.position);
    return row;
  }
};

// Of kCount, whose rows are the most by far.
struct CountRow {
  std::uint64_t position = 0;
  std::uint64_t events = 0;
};

// How definitions begin.
constexpr std::string_view kBegin = "builtin ", kBeginSystem = "builtin+system ";

constexpr std::string_view kGroupsName = "groups";
constexpr Table<std::string, GroupRow> kGroups(kGroupsName);
constexpr Table<std::string, CountRow> kCounts(kGroupsName);

constexpr std::array<std::pair<std::string_view, Kind>, 3> kKinds = {
    {{"count", Kind::kCount}, {"sum", Kind::kSum}, {"last", Kind::kLast}}};
constexpr std::array<std::pair<std::string_view, By>, 3> kBys = {
    {{"stream", By::kStream}, {"category", By::kCategory}, {"type", By::kType}}};

template <class T, std::size_t n>
std::optional<T> Named(const std::array<std::pair<std::string_view, T>, n>& names,
                       std::string_view name) {
  for (const auto& [text, value] : names) {
    if (text == name) return value;
  }
  return std::nullopt;
}

template <class T, std::size_t n>
std::string_view NameOf(const std::array<std::pair<std::string_view, T>, n>& names, T value) {
  for (const auto& [text, named] : names) {
    if (named == value) return text;
  }
  return {};
}

std::string_view GroupOf(By by, const EventView& event) {
  switch (by) {
    case By::kStream:
      return event.stream;
    case By::kCategory:
      return CategoryOf(event.stream);
    case By::kType:
      return event.type;
  }
  return event.stream;
}

absl::Status Count(const EventView& event, HandlerContext& context) {
  return kCounts.Update(context, std::string(context.key()), [&](CountRow& row) {
    row = {.position = event.position.value(), .events = row.events + 1};
  });
}

// The number in the field; nullopt where the event has none.
absl::StatusOr<std::optional<Decimal>> NumberIn(const EventView& event,
                                                const JsonFieldPath& field) {
  if (event.content_type != ContentType::kJson) {
    return absl::InvalidArgumentError("the data is no JSON, so there is nothing to add");
  }
  if (!IsJsonObject(AsText(event.data))) {
    return absl::InvalidArgumentError("the data is no JSON object, so there is nothing to add");
  }
  DAYBOOK_ASSIGN_OR_RETURN(const auto text, FindJsonField(AsText(event.data), field));
  if (!text || TrimJson(*text) == "null") return std::optional<Decimal>();
  DAYBOOK_ASSIGN_OR_RETURN(const Decimal number, Decimal::Parse(TrimJson(*text)));
  return std::optional<Decimal>(number);
}

absl::Status Sum(const JsonFieldPath& field, const EventView& event, HandlerContext& context) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::optional<Decimal> number, NumberIn(event, field));
  const std::string key(context.key());
  DAYBOOK_ASSIGN_OR_RETURN(std::optional<GroupRow> row, kGroups.Get(context, key));
  if (!row) row.emplace(GroupRow{.position = 0, .value = "0"});
  if (number) {
    DAYBOOK_ASSIGN_OR_RETURN(Decimal sum, Decimal::Parse(row->value));
    DAYBOOK_RETURN_IF_ERROR(sum.Add(*number));
    row = GroupRow{.position = event.position.value(), .value = sum.ToString()};
  }
  return kGroups.Put(context, key, *row);
}

absl::Status Last(const EventView& event, HandlerContext& context) {
  if (event.content_type != ContentType::kJson || !IsJsonValue(AsText(event.data))) {
    return absl::InvalidArgumentError("the data is no JSON, so it is no value to keep");
  }
  return kGroups.Put(
      context, std::string(context.key()),
      {.position = event.position.value(), .value = std::string(TrimJson(AsText(event.data)))});
}

}  // namespace

absl::StatusOr<BuiltinProjection> BuiltinProjection::Make(std::string_view kind,
                                                          std::string_view by,
                                                          std::string_view field) {
  const std::optional<Kind> known_kind = Named(kKinds, kind);
  const std::optional<By> known_by = Named(kBys, by);
  if (!known_kind || !known_by) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", ToAbsl(known_kind ? by : kind), "' is not ",
                     known_kind ? "stream, category or type" : "count, sum or last"));
  }
  if ((*known_kind == Kind::kSum) == field.empty()) {
    return absl::InvalidArgumentError(field.empty() ? "sum needs the field that it adds"
                                                    : "only sum has a field");
  }
  DAYBOOK_RETURN_IF_ERROR(JsonFieldPath::Parse(field).status());
  return BuiltinProjection{.kind = *known_kind, .by = *known_by, .field = std::string(field)};
}

std::string BuiltinProjection::Definition() const {
  return absl::StrCat(ToAbsl(system_streams ? kBeginSystem : kBegin), ToAbsl(NameOf(kKinds, kind)),
                      " ", ToAbsl(NameOf(kBys, by)), field.empty() ? "" : " ", field);
}

absl::StatusOr<BuiltinProjection> BuiltinProjection::Parse(std::string_view definition) {
  const auto wrong = [&] {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", ToAbsl(definition), "' is not the definition of a ready-made projection"));
  };
  const bool system = definition.starts_with(kBeginSystem);
  if (!system && !definition.starts_with(kBegin)) return wrong();
  std::string_view rest = definition.substr(system ? kBeginSystem.size() : kBegin.size());
  const std::size_t kind_end = rest.find(' ');
  if (kind_end == std::string_view::npos) return wrong();
  const std::string_view kind = rest.substr(0, kind_end);
  rest.remove_prefix(kind_end + 1);
  const std::size_t by_end = rest.find(' ');
  const std::string_view field =
      by_end == std::string_view::npos ? std::string_view() : rest.substr(by_end + 1);
  DAYBOOK_ASSIGN_OR_RETURN(BuiltinProjection builtin, Make(kind, rest.substr(0, by_end), field));
  builtin.system_streams = system;
  return builtin;
}

Projection BuiltinProjection::ToProjection(std::string_view name) const {
  Projection projection;
  projection.name = name;
  projection.filter.system_streams = system_streams;
  projection.tables = {kGroupsName};
  projection.definition = Definition();
  projection.rows_by_key = true;
  if (by != By::kStream) {
    projection.key = [by = by](const EventView& event, std::string* key) {
      key->assign(GroupOf(by, event));
    };
  }
  switch (kind) {
    case Kind::kCount:
      projection.handler = Count;
      break;
    case Kind::kLast:
      projection.handler = Last;
      break;
    case Kind::kSum:
      projection.handler = [path = JsonFieldPath::Parse(field)](const EventView& event,
                                                                HandlerContext& context) {
        return path.ok() ? Sum(*path, event, context) : path.status();
      };
      break;
  }
  return projection;
}

absl::Status ScanBuiltin(const BuiltinProjection& builtin, const TableReader& model,
                         const std::function<bool(const BuiltinRow&)>& visit) {
  if (builtin.kind == Kind::kCount) {
    return kCounts.Scan(model, KeyRange::All(), [&](const std::string& key, const CountRow& row) {
      return visit({key, Position(row.position), std::to_string(row.events)});
    });
  }
  return kGroups.Scan(model, KeyRange::All(), [&](const std::string& key, const GroupRow& row) {
    return visit({key, Position(row.position), row.value});
  });
}

}  // namespace daybook
