#include "projections/checkpoint.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "projections/record.h"

namespace daybook {
namespace {

constexpr std::string_view kCheckpointKind = "checkpoint";

std::string FieldOf(std::size_t table, const char* what) {
  return absl::StrCat("table", table, ".", what);
}

void SetTable(std::size_t number, const TableSummary& table, Record* record) {
  record->Set(FieldOf(number, "name"), table.name);
  record->Set(FieldOf(number, "rows"), table.rows);
  record->Set(FieldOf(number, "low"), table.digest.low);
  record->Set(FieldOf(number, "high"), table.digest.high);
}

absl::StatusOr<TableSummary> TableOf(const Record& record, std::size_t number) {
  TableSummary table;
  DAYBOOK_ASSIGN_OR_RETURN(table.name, record.Text(FieldOf(number, "name")));
  DAYBOOK_ASSIGN_OR_RETURN(table.rows, record.Number<std::uint64_t>(FieldOf(number, "rows")));
  DAYBOOK_ASSIGN_OR_RETURN(table.digest.low, record.Number<std::uint64_t>(FieldOf(number, "low")));
  DAYBOOK_ASSIGN_OR_RETURN(table.digest.high,
                           record.Number<std::uint64_t>(FieldOf(number, "high")));
  return table;
}

absl::Status Refused(std::string_view name, std::string_view why) {
  return absl::FailedPreconditionError(
      absl::StrCat("the read model of projection '", ToAbsl(name), "' ", ToAbsl(why),
                   "; rebuild and promote it (`daybook projection STORE rebuild ", ToAbsl(name),
                   "`, then `promote`), or remove its folder to begin anew"));
}

}  // namespace

std::string EncodeCheckpoint(const Checkpoint& checkpoint) {
  Record record;
  record.Set("incarnation", checkpoint.incarnation);
  record.Set("position", checkpoint.position.value());
  record.Set("frame_hash", checkpoint.frame_hash);
  record.Set("revision", std::uint64_t{checkpoint.revision});
  record.Set("fingerprint", checkpoint.fingerprint);
  record.Set("definition", checkpoint.definition);
  record.Set("matched", checkpoint.matched);
  record.Set("parked", checkpoint.parked);
  record.Set("parked_keys", checkpoint.parked_keys);
  record.Set("built", std::uint64_t{checkpoint.built ? 1u : 0u});
  record.Set("tables", std::uint64_t{checkpoint.tables.size()});
  for (std::size_t i = 0; i < checkpoint.tables.size(); ++i) {
    SetTable(i, checkpoint.tables[i], &record);
  }
  return EncodeRecord(kCheckpointKind, record);
}

absl::StatusOr<Checkpoint> DecodeCheckpoint(std::string_view bytes) {
  DAYBOOK_ASSIGN_OR_RETURN(const Record record, DecodeRecord(kCheckpointKind, bytes));
  Checkpoint checkpoint;
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.incarnation, record.Text("incarnation"));
  DAYBOOK_ASSIGN_OR_RETURN(const auto position, record.Number<std::uint64_t>("position"));
  checkpoint.position = Position(position);
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.frame_hash, record.Number<std::uint64_t>("frame_hash"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.revision, record.Number<std::uint32_t>("revision"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.fingerprint, record.Number<std::uint64_t>("fingerprint"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.definition, record.Text("definition"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.matched, record.Number<std::uint64_t>("matched"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.parked, record.Number<std::uint64_t>("parked"));
  DAYBOOK_ASSIGN_OR_RETURN(checkpoint.parked_keys, record.Number<std::uint64_t>("parked_keys"));
  DAYBOOK_ASSIGN_OR_RETURN(const auto built, record.Number<std::uint64_t>("built"));
  checkpoint.built = built != 0;
  DAYBOOK_ASSIGN_OR_RETURN(const auto tables, record.Number<std::uint64_t>("tables"));
  for (std::size_t i = 0; i < std::min<std::uint64_t>(tables, kTablesMax); ++i) {
    DAYBOOK_ASSIGN_OR_RETURN(TableSummary table, TableOf(record, i));
    checkpoint.tables.push_back(std::move(table));
  }
  return checkpoint;
}

std::uint64_t FingerprintOf(const Projection& projection) {
  // Each text with its length before it, so that no two filters read alike.
  std::string text;
  const auto add = [&](std::string_view part) {
    absl::StrAppend(&text, part.size(), ":", ToAbsl(part));
  };
  const auto add_all = [&](std::vector<std::string> parts) {
    std::sort(parts.begin(), parts.end());
    absl::StrAppend(&text, parts.size(), "/");
    for (const std::string& part : parts) add(part);
  };
  const EventFilter& filter = projection.filter;
  add_all(filter.stream ? std::vector{*filter.stream} : std::vector<std::string>());
  add_all(filter.category ? std::vector{*filter.category} : std::vector<std::string>());
  add_all(filter.types);
  add_all(filter.tags);
  absl::StrAppend(&text, filter.system_streams ? "$" : "-");
  add_all({projection.tables.begin(), projection.tables.end()});
  add(projection.definition);
  return Hash64(AsBytes(text));
}

Checkpoint InitialCheckpoint(const Projection& projection, const Reader& reader) {
  Checkpoint checkpoint;
  checkpoint.incarnation = reader.incarnation();
  checkpoint.revision = projection.revision;
  checkpoint.fingerprint = FingerprintOf(projection);
  checkpoint.definition = projection.definition;
  for (const std::string_view name : projection.tables) {
    checkpoint.tables.push_back({.name = std::string(name), .rows = 0, .digest = {}});
  }
  std::sort(checkpoint.tables.begin(), checkpoint.tables.end(),
            [](const TableSummary& a, const TableSummary& b) { return a.name < b.name; });
  return checkpoint;
}

absl::Status CheckHistory(const Reader& reader, std::string_view name,
                          const Checkpoint& checkpoint) {
  if (checkpoint.incarnation != reader.incarnation()) {
    return Refused(name, absl::StrCat("is of incarnation ", checkpoint.incarnation,
                                      " of the store, which is now ", reader.incarnation()));
  }
  if (checkpoint.position == Position(0)) return absl::OkStatus();
  const Position head = reader.durable();
  if (checkpoint.position > head) {
    return Refused(name, absl::StrCat("is at position ", checkpoint.position.value(),
                                      ", beyond the head ", head.value(), " of the store"));
  }
  const absl::StatusOr<std::uint64_t> frame_hash = reader.FrameHashAt(checkpoint.position);
  // A repair that gave the event up changed nothing else: it is the same history.
  if (absl::IsDataLoss(frame_hash.status())) return absl::OkStatus();
  DAYBOOK_RETURN_IF_ERROR(frame_hash.status());
  if (*frame_hash == checkpoint.frame_hash || checkpoint.frame_hash == 0) return absl::OkStatus();
  return Refused(name, absl::StrCat("is of another history: at its position ",
                                    checkpoint.position.value(), " the log has other events"));
}

absl::Status CheckCode(const Projection& projection, const Checkpoint& checkpoint) {
  if (checkpoint.revision != projection.revision) {
    return Refused(projection.name, absl::StrCat("was made by revision ", checkpoint.revision,
                                                 ", and this is revision ", projection.revision));
  }
  if (checkpoint.fingerprint == FingerprintOf(projection)) return absl::OkStatus();
  return Refused(projection.name,
                 absl::StrCat("was made by revision ", checkpoint.revision,
                              " with another filter, definition or other tables ('",
                              checkpoint.definition, "'); give this one a new revision"));
}

absl::Status MoveTo(const Reader& reader, Position position, Checkpoint* checkpoint) {
  const absl::StatusOr<std::uint64_t> frame_hash = reader.FrameHashAt(position);
  if (!frame_hash.ok() && !absl::IsDataLoss(frame_hash.status())) return frame_hash.status();
  checkpoint->frame_hash = frame_hash.value_or(0);
  checkpoint->position = position;
  return absl::OkStatus();
}

}  // namespace daybook
