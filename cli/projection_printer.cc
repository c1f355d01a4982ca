#include "cli/projection_printer.h"

#include <cstdint>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/json_line.h"
#include "cli/terminal_text.h"
#include "daybook/json_text.h"
#include "daybook/tables.h"

namespace daybook::cli {
namespace {

const char* NameOf(RowDifference::Kind kind) {
  switch (kind) {
    case RowDifference::Kind::kOnlyLive:
      return "only_live";
    case RowDifference::Kind::kOnlyNew:
      return "only_new";
    default:
      return "changed";
  }
}

Json ToJson(const TableSummary& table) {
  return {{"table", table.name}, {"rows", table.rows}, {"digest", table.digest.ToString()}};
}

// A key that is one text is shown as such, any other by its bytes.
Json ToJson(const RowDifference& difference) {
  Json json = {{"table", difference.table}, {"kind", NameOf(difference.kind)}};
  std::string_view bytes = difference.key;
  std::string text;
  if (KeyCodec<std::string>::Decode(bytes, &text) && bytes.empty() && IsUtf8(text)) {
    json["key"] = text;
  } else {
    json["key_hex"] = absl::BytesToHexString(difference.key);
  }
  return json;
}

Json Side(std::uint64_t generation, Position position, const std::vector<TableSummary>& tables) {
  Json json = {{"generation", generation}, {"position", position.value()}};
  json["tables"] = Json::array();
  for (const TableSummary& table : tables) json["tables"].push_back(ToJson(table));
  return json;
}

}  // namespace

void AppendStatus(const ProjectionStatus& status, OutputMode mode, std::string& out) {
  const bool ran = status.heartbeat > Timestamp(0);
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, status.name, "  ", std::string(ToString(status.state)), "  revision ",
                    status.revision, "  generation ", status.generation, "  scanned ",
                    status.scanned.value(), " of ", status.head.value(), "  matched ",
                    status.matched, "  behind ", status.events_behind, " events, ",
                    absl::StrFormat("%.3f", status.seconds_behind), " s  parked ", status.parked,
                    "  heartbeat ", ran ? status.heartbeat.ToString() : "none", "\n");
    return;
  }
  AppendLine({{"name", status.name},
              {"revision", status.revision},
              {"generation", status.generation},
              {"state", std::string(ToString(status.state))},
              {"scanned", status.scanned.value()},
              {"matched", status.matched},
              {"head", status.head.value()},
              {"events_behind", status.events_behind},
              {"seconds_behind", Rounded(status.seconds_behind)},
              {"parked", status.parked},
              {"heartbeat", ran ? Json(status.heartbeat.ToString()) : Json(nullptr)}},
             out);
}

void AppendRow(const BuiltinRow& row, const std::optional<StaleKey>& stale, OutputMode mode,
               std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, Printable(row.group), "  ", Printable(row.value), "  position ",
                    row.position.value());
    if (stale) absl::StrAppend(&out, "  stale since ", stale->since.value());
    out.push_back('\n');
    return;
  }
  // The value is JSON as it stands: a sum may have more digits than a parser keeps.
  out.append("{\"key\":");
  AppendJsonString(row.group, out);
  absl::StrAppend(&out, ",\"value\":", row.value, ",\"position\":", row.position.value());
  if (stale) absl::StrAppend(&out, ",\"stale_since\":", stale->since.value());
  out.append("}\n");
}

void AppendParked(const ParkedKey& key, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, Printable(key.key), "  ", key.events.size(), " events from position ",
                    key.events.empty() ? 0 : key.events.front().position.value(), "  attempts ",
                    key.attempts, "  next retry ",
                    key.next_retry ? key.next_retry->ToString() : "on demand", "  ",
                    Printable(key.message), "\n");
    return;
  }
  Json positions = Json::array();
  for (const ParkedEvent& event : key.events) positions.push_back(event.position.value());
  AppendLine({{"key", key.key},
              {"positions", positions},
              {"parked_at", key.parked_at.ToString()},
              {"attempts", key.attempts},
              {"next_retry", TimeOrNull(key.next_retry)},
              {"code", std::string(CodeName(key.code))},
              {"error", key.message}},
             out);
}

void AppendCompare(const CompareReport& report, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, report.equal ? "equal" : "different", ": generation ", report.live,
                    " (live, position ", report.live_position.value(), ") and ", report.candidate,
                    " (position ", report.candidate_position.value(), ")\n");
    for (const RowDifference& difference : report.differences) {
      absl::StrAppend(
          &out, Printable(ToJson(difference).dump(-1, ' ', false, Json::error_handler_t::replace)),
          "\n");
    }
    return;
  }
  Json json = {{"equal", report.equal}};
  json["live"] = Side(report.live, report.live_position, report.live_tables);
  json["new"] = Side(report.candidate, report.candidate_position, report.candidate_tables);
  json["differences"] = Json::array();
  for (const RowDifference& difference : report.differences) {
    json["differences"].push_back(ToJson(difference));
  }
  AppendLine(json, out);
}

void AppendRetry(const RetryResult& result, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, result.handled, " events handled, ", result.skipped, " of them skipped, ",
                    result.parked, " still parked\n");
    return;
  }
  AppendLine({{"handled", result.handled}, {"skipped", result.skipped}, {"parked", result.parked}},
             out);
}

void AppendRebuilt(const RebuildProgress& progress, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, "generation ", progress.generation, " is built to position ",
                    progress.scanned.value(), " of ", progress.matched,
                    " events; compare it, then promote it\n");
    return;
  }
  AppendLine({{"generation", progress.generation},
              {"scanned", progress.scanned.value()},
              {"matched", progress.matched}},
             out);
}

void AppendSkip(const ProjectionSkip& skip, OutputMode mode, std::string& out) {
  const bool stretch = skip.last > skip.position;
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, Printable(skip.projection), " passes over position", stretch ? "s " : " ",
                    skip.position.value());
    if (stretch) absl::StrAppend(&out, " to ", skip.last.value());
    out.append("\n");
    return;
  }
  if (stretch) {
    AppendLine({{"name", skip.projection},
                {"position", skip.position.value()},
                {"last", skip.last.value()},
                {"reason", skip.reason},
                {"actor", skip.actor}},
               out);
    return;
  }
  AppendLine({{"name", skip.projection},
              {"position", skip.position.value()},
              {"reason", skip.reason},
              {"actor", skip.actor}},
             out);
}

std::string Complaint(const ProjectionStatus& status) {
  if (status.poison && status.state == ProjectionState::kStuck) {
    return absl::StrCat("the handler of ", status.name, " is stuck at position ",
                        status.poison->position.value(), ", ", status.poison->message);
  }
  if (status.poison) {
    return absl::StrCat(status.name, " stopped at position ", status.poison->position.value(),
                        " (version ", status.poison->version.value(), " of ", status.poison->stream,
                        ", type ", status.poison->type, ", id ", status.poison->id.ToString(),
                        "), ", status.poison->message, ", mend the handler, or skip the event");
  }
  if (status.error.empty()) return "";
  return absl::StrCat(status.name, ", ", status.error);
}

}  // namespace daybook::cli
