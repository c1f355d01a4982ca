// What a projection must be before it is run, and the details of where it stopped.

#include "daybook/projection.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/layout.h"
#include "projections/poison.h"
#include "projections/record.h"

namespace daybook {
namespace {

constexpr char kPoisonUrl[] = "daybook/poison";
constexpr std::string_view kPoisonKind = "poison";

absl::Status ValidateTableName(std::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_';
  };
  if (!name.empty() && name.size() <= kTableNameBytesMax &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("'", ToAbsl(name), "' is no name for a table: it has 1 to ", kTableNameBytesMax,
                   " lower-case letters, digits and '_'"));
}

}  // namespace

absl::Status ValidateProjection(const Projection& projection) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjectionName(projection.name));
  const auto wrong = [&](std::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("projection '", projection.name, "' ", ToAbsl(what)));
  };
  if (!projection.handler) return wrong("has no handler");
  if (projection.tables.size() > kTablesMax) return wrong("has too many tables");
  std::vector<std::string_view> names = projection.tables;
  std::sort(names.begin(), names.end());
  for (const std::string_view name : names) DAYBOOK_RETURN_IF_ERROR(ValidateTableName(name));
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
    return wrong("names a table twice");
  }
  if (projection.handler_deadline < std::chrono::milliseconds(0)) {
    return wrong("has a deadline below zero");
  }
  return absl::OkStatus();
}

PoisonEvent DescribePoison(const EventView& event, std::string_view key,
                           const absl::Status& error) {
  return {
      .position = event.position,
      .stream = std::string(event.stream),
      .version = event.version,
      .type = std::string(event.type),
      .id = event.id,
      .key = std::string(key),
      .code = error.code(),
      .message = std::string(error.message()),
      .attempts = 1,
  };
}

void SetPoison(const PoisonEvent& poison, Record* record) {
  record->Set("poison.position", poison.position.value());
  record->Set("poison.stream", poison.stream);
  record->Set("poison.version", poison.version.value());
  record->Set("poison.type", poison.type);
  record->Set("poison.id", poison.id.ToString());
  record->Set("poison.key", poison.key);
  record->Set("poison.code", std::int64_t{static_cast<int>(poison.code)});
  record->Set("poison.message", poison.message);
  record->Set("poison.attempts", std::uint64_t{poison.attempts});
}

absl::StatusOr<std::optional<PoisonEvent>> GetPoison(const Record& record) {
  if (!record.Find("poison.position")) return std::optional<PoisonEvent>();
  PoisonEvent poison;
  DAYBOOK_ASSIGN_OR_RETURN(const auto position, record.Number<std::uint64_t>("poison.position"));
  poison.position = Position(position);
  DAYBOOK_ASSIGN_OR_RETURN(poison.stream, record.Text("poison.stream"));
  DAYBOOK_ASSIGN_OR_RETURN(const auto version, record.Number<std::uint64_t>("poison.version"));
  poison.version = Version(version);
  DAYBOOK_ASSIGN_OR_RETURN(poison.type, record.Text("poison.type"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::string id, record.Text("poison.id"));
  DAYBOOK_ASSIGN_OR_RETURN(poison.id, EventId::Parse(id));
  DAYBOOK_ASSIGN_OR_RETURN(poison.key, record.Text("poison.key"));
  DAYBOOK_ASSIGN_OR_RETURN(const auto code, record.Number<int>("poison.code"));
  poison.code = static_cast<absl::StatusCode>(code);
  DAYBOOK_ASSIGN_OR_RETURN(poison.message, record.Text("poison.message"));
  DAYBOOK_ASSIGN_OR_RETURN(poison.attempts, record.Number<std::uint32_t>("poison.attempts"));
  return std::optional<PoisonEvent>(std::move(poison));
}

absl::Status PoisonStatus(absl::StatusCode code, std::string_view projection,
                          const PoisonEvent& poison) {
  return StoppedStatus(code, absl::StrCat("projection '", ToAbsl(projection), "'"), poison,
                       "mend the handler and run it again, or skip the event");
}

absl::Status StoppedStatus(absl::StatusCode code, std::string_view who, const PoisonEvent& poison,
                           std::string_view advice) {
  absl::Status status(
      code,
      absl::StrCat(ToAbsl(who), " stopped at position ", poison.position.value(), " (version ",
                   poison.version.value(), " of stream '", poison.stream, "', type '", poison.type,
                   "', id ", poison.id.ToString(), "): ", poison.message, "; ", ToAbsl(advice)));
  Record record;
  SetPoison(poison, &record);
  status.SetPayload(kPoisonUrl, absl::Cord(EncodeRecord(kPoisonKind, record)));
  return status;
}

std::optional<PoisonEvent> PoisonOf(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kPoisonUrl);
  if (!payload) return std::nullopt;
  const absl::StatusOr<Record> record = DecodeRecord(kPoisonKind, std::string(*payload));
  if (!record.ok()) return std::nullopt;
  const auto poison = GetPoison(*record);
  return poison.ok() ? *poison : std::nullopt;
}

}  // namespace daybook
