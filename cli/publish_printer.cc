#include "cli/publish_printer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "cli/json_line.h"
#include "cli/terminal_text.h"

namespace daybook::cli {

void AppendPublishStatus(const PublishStatus& status, OutputMode mode, std::string& out) {
  const bool ran = status.heartbeat > Timestamp(0);
  if (mode == OutputMode::kText) {
    absl::StrAppend(
        &out, status.name, "  to ", Printable(status.destination), "  ",
        std::string(ToString(status.state)), "  acknowledged ", status.acknowledged.value(), " of ",
        status.head.value(), "  behind ", status.events_behind, " events, ",
        absl::StrFormat("%.3f", status.seconds_behind), " s  in flight ", status.in_flight,
        "  parked ", status.parked, "  heartbeat ", ran ? status.heartbeat.ToString() : "none");
    if (!status.replay.empty()) {
      absl::StrAppend(&out, "  replay ", status.replay, " at ", status.replayed.value());
    }
    if (!status.error.empty()) absl::StrAppend(&out, "  ", Printable(status.error));
    out.push_back('\n');
    return;
  }
  Json retries = Json::object();
  for (const auto& [kind, count] : status.retries) retries[kind] = count;
  Json json = {{"name", status.name},
               {"to", status.destination},
               {"state", std::string(ToString(status.state))},
               {"acknowledged", status.acknowledged.value()},
               {"head", status.head.value()},
               {"events_behind", status.events_behind},
               {"seconds_behind", Rounded(status.seconds_behind)},
               {"in_flight", status.in_flight},
               {"sent", status.sent},
               {"done", status.done},
               {"duplicates", status.duplicates},
               {"resends", status.resends},
               {"rewinds", status.rewinds},
               {"sessions", status.sessions},
               {"retries", retries},
               {"lost_by_broker", status.lost_by_broker},
               {"parked", status.parked},
               {"parked_streams", status.parked_streams},
               {"oldest_parked", TimeOrNull(status.oldest_parked)},
               {"heartbeat", ran ? Json(status.heartbeat.ToString()) : Json(nullptr)}};
  if (!status.replay.empty()) {
    json["replay"] = {{"id", status.replay}, {"position", status.replayed.value()}};
  }
  if (!status.error.empty()) json["error"] = status.error;
  AppendLine(json, out);
}

void AppendParkedStream(const ParkedStream& parked, OutputMode mode, std::string& out) {
  const ParkedLetter& first = parked.letters.begin()->second;
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, Printable(parked.stream), "  ", parked.letters.size(),
                    " events from position ", first.position.value(), "  since ",
                    first.parked_at.ToString(), "  attempts ", parked.attempts,
                    parked.due ? "  to be tried again  " : "  ", Printable(parked.error), "\n");
    return;
  }
  Json positions = Json::array();
  for (const auto& [position, letter] : parked.letters) positions.push_back(position);
  AppendLine({{"stream", parked.stream},
              {"positions", positions},
              {"parked_at", first.parked_at.ToString()},
              {"attempts", parked.attempts},
              {"due", parked.due},
              {"code", std::string(CodeName(parked.code))},
              {"error", parked.error}},
             out);
}

void AppendLettersDue(std::uint64_t letters, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, letters == 0 ? "nothing is parked\n"
                                       : absl::StrCat(letters, " events are to be tried again\n"));
    return;
  }
  AppendLine({{"due", letters}}, out);
}

void AppendPublishSkip(const PublishSkip& skip, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, "position ", skip.position.value(),
                    " is skipped: ", Printable(skip.reason), " (", Printable(skip.actor), ", ",
                    skip.time.ToString(), ")\n");
    return;
  }
  AppendLine({{"position", skip.position.value()},
              {"reason", skip.reason},
              {"actor", skip.actor},
              {"time", skip.time.ToString()}},
             out);
}

}  // namespace daybook::cli
