#include "cli/inspect.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/signals.h"
#include "daybook/json_text.h"

namespace daybook::cli {
namespace {

void AppendStream(const StreamInfo& info, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, info.stream, "  version ", info.version.value(), "  positions ",
                    info.first_position.value(), "..", info.last_position.value(), "  last ",
                    info.last_recorded_at.ToString(), "\n");
    return;
  }
  out.append("{\"stream\":");
  AppendJsonString(info.stream, out);
  absl::StrAppend(&out, ",\"version\":", info.version.value(),
                  ",\"first_position\":", info.first_position.value(),
                  ",\"last_position\":", info.last_position.value(), ",\"last_recorded_at\":\"",
                  info.last_recorded_at.ToString(), "\"}\n");
}

const char* NameOf(Durability durability) {
  return durability == Durability::kSync ? "sync" : "buffered";
}

void AppendStatsText(const StoreStats& stats, std::string& out) {
  absl::StrAppend(&out, "store        ", stats.store_id, "\n", "incarnation  ", stats.incarnation,
                  "\n", "format       ", stats.format, "\n", "events       ", stats.events, "\n",
                  "streams      ", stats.streams, "\n", "position     ", stats.position.value(),
                  "\n", "segments     ", stats.segments, "\n");
  absl::StrAppend(&out, "bytes        ", stats.log_bytes, " log, ", stats.sidecar_bytes,
                  " sidecars, ", stats.index_bytes, " index, ", stats.snapshot_bytes,
                  " snapshots, ", stats.projection_bytes, " projections\n");
  absl::StrAppend(&out, "last event   ",
                  stats.position > Position(0) ? stats.last_recorded_at.ToString() : "none", "\n",
                  "durability   ", NameOf(stats.durability), "\n", "clock behind ",
                  stats.clock_behind_ns, " ns\n");
}

nlohmann::ordered_json ToJson(const StoreStats& stats) {
  nlohmann::ordered_json json = {{"store_id", stats.store_id}, {"incarnation", stats.incarnation},
                                 {"format", stats.format},     {"events", stats.events},
                                 {"streams", stats.streams},   {"position", stats.position.value()},
                                 {"segments", stats.segments}};
  json["bytes"] = {{"log", stats.log_bytes},
                   {"sidecars", stats.sidecar_bytes},
                   {"index", stats.index_bytes},
                   {"snapshots", stats.snapshot_bytes},
                   {"projections", stats.projection_bytes}};
  // An empty store has no last event.
  json["last_recorded_at"] = nullptr;
  if (stats.position > Position(0)) json["last_recorded_at"] = stats.last_recorded_at.ToString();
  json["durability"] = NameOf(stats.durability);
  json["clock_behind_ns"] = stats.clock_behind_ns;
  return json;
}

}  // namespace

absl::Status RunStreams(const StreamsFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::vector<StreamInfo>> streams = (*reader)->Streams(flags.options);
  if (!streams.ok()) return streams.status();
  for (const StreamInfo& info : *streams) {
    if (console.out().closed()) break;
    if (Interrupted()) return InterruptedError();
    AppendStream(info, console.mode(), console.out().buffer());
    DAYBOOK_CLI_RETURN_IF_ERROR(console.out().FlushIfLarge());
  }
  return absl::OkStatus();
}

absl::Status RunStats(const StatsFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<StoreStats> stats = (*reader)->Stats();
  if (!stats.ok()) return stats.status();
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kText) {
    AppendStatsText(*stats, out);
  } else {
    out.append(ToJson(*stats).dump()).push_back('\n');
  }
  return CheckReadableToTheEnd(**reader);
}

}  // namespace daybook::cli
