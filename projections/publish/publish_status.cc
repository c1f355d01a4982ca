#include "daybook/publish_status.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "projections/prometheus_text.h"
#include "projections/publish/journal.h"
#include "projections/publish/status_file.h"
#include "projections/record.h"
#include "projections/status_file.h"

namespace daybook {
namespace {

constexpr std::string_view kPublishKind = "publish";
constexpr auto kStatusFile = "STATUS";
constexpr std::string_view kRetriesPrefix = "retries.";
constexpr std::int64_t kDeadAfterNs = 10'000'000'000;

constexpr std::array<std::string_view, 5> kStates = {"idle", "running", "waiting", "poison",
                                                     "failed"};

struct Count {
  std::string_view name, type, help;
  std::uint64_t PublishStatus::*value;
};
// What is kept in the file as a number, and is a metric.
constexpr std::array kCounts = {
    Count{"in_flight", "gauge", "Events sent and not known to be acknowledged.",
          &PublishStatus::in_flight},
    Count{"sent", "counter", "Events sent since the publisher was started.", &PublishStatus::sent},
    Count{"done", "counter", "Events acknowledged since then.", &PublishStatus::done},
    Count{"duplicates", "counter", "Events that the broker said it had.",
          &PublishStatus::duplicates},
    Count{"resends", "counter", "Sends of events that were sent before.", &PublishStatus::resends},
    Count{"rewinds", "counter", "Sessions that ended with a failure.", &PublishStatus::rewinds},
    Count{"sessions", "counter", "Sessions that were begun.", &PublishStatus::sessions},
    Count{"lost_by_broker", "counter", "Events that were acknowledged, found gone and sent again.",
          &PublishStatus::lost_by_broker},
};

absl::StatusOr<PublishStatus> ReadStatusRecord(const std::filesystem::path& folder) {
  DAYBOOK_ASSIGN_OR_RETURN(const Record record, ReadRecordFile(kPublishKind, folder / kStatusFile));
  PublishStatus status;
  std::string state;
  std::int64_t heartbeat = 0;
  RecordFields fields(record);
  fields.Text("state", &state).Text("error", &status.error).Number("heartbeat", &heartbeat);
  for (const Count& count : kCounts) fields.Number(count.name, &(status.*count.value));
  DAYBOOK_RETURN_IF_ERROR(fields.status());
  const auto* const known = std::find(kStates.begin(), kStates.end(), state);
  if (known == kStates.end()) return absl::DataLossError("there is no state " + state);
  status.state = static_cast<PublishState>(known - kStates.begin());
  status.heartbeat = Timestamp(heartbeat);
  for (const auto& [name, value] : record.fields()) {
    if (!name.starts_with(kRetriesPrefix)) continue;
    DAYBOOK_ASSIGN_OR_RETURN(status.retries[name.substr(kRetriesPrefix.size())],
                             record.Number<std::uint64_t>(name));
  }
  return status;
}

bool IsAlive(const PublishStatus& status) {
  return SystemNow().unix_nanoseconds() - status.heartbeat.unix_nanoseconds() < kDeadAfterNs;
}

double Seconds(Timestamp time) { return static_cast<double>(time.unix_nanoseconds()) / 1e9; }

}  // namespace

std::string_view ToString(PublishState state) { return kStates[static_cast<std::size_t>(state)]; }

absl::Status WritePublishStatus(const std::filesystem::path& folder, const PublishStatus& status) {
  Record record;
  record.Set("state", ToString(status.state));
  record.Set("error", status.error);
  record.Set("heartbeat", status.heartbeat.unix_nanoseconds());
  for (const Count& count : kCounts) record.Set(count.name, status.*count.value);
  for (const auto& [kind, count] : status.retries) {
    record.Set(absl::StrCat(ToAbsl(kRetriesPrefix), kind), count);
  }
  return WriteRecordFile(kPublishKind, record, Written::kVolatile, folder / kStatusFile);
}

void FillPublishBehind(const Reader& reader, PublishStatus* status) {
  status->head = reader.durable();
  status->events_behind = 0;
  status->seconds_behind = 0;
  if (status->acknowledged >= status->head) return;
  status->events_behind = status->head.value() - status->acknowledged.value();
  const auto first = reader.EventAt(Position(status->acknowledged.value() + 1));
  if (!first.ok()) return;  // given up by a repair: its age is not known
  status->seconds_behind = std::max(0.0, Seconds(SystemNow()) - Seconds((*first)->recorded_at));
}

absl::StatusOr<PublishStatus> ReadPublishStatus(const Reader& reader, std::string_view name) {
  DAYBOOK_ASSIGN_OR_RETURN(const KnownSink sink, FindSink(reader.directory(), name));
  const SinkState& state = sink.state;
  // The status file may be of a crash of the machine: the journal counts.
  absl::StatusOr<PublishStatus> status = ReadStatusRecord(sink.folder);
  if (!status.ok()) status = PublishStatus();
  const bool is_at_work =
      status->state == PublishState::kRunning || status->state == PublishState::kWaiting;
  if (is_at_work && !IsAlive(*status)) status->state = PublishState::kIdle;
  if (status->state == PublishState::kIdle) status->in_flight = 0;
  status->name = std::string(name);
  status->destination = state.destination();
  status->incarnation = state.incarnation();
  status->acknowledged = state.line();
  status->parked = state.parked_events();
  status->parked_streams = state.parked().size();
  status->oldest_parked = state.oldest_parked();
  if (state.replay()) {
    status->replay = state.replay()->id;
    status->replayed = state.replay()->at;
  }
  FillPublishBehind(reader, &*status);
  return *std::move(status);
}

absl::StatusOr<std::vector<std::string>> ListSinks(const Reader& reader) {
  const std::filesystem::path folder = reader.directory() / "publish";
  absl::StatusOr<std::vector<std::string>> names = Directory::List(folder);
  if (absl::IsNotFound(names.status())) return std::vector<std::string>();
  DAYBOOK_RETURN_IF_ERROR(names.status());
  // One that is damaged is there; one that never began is not.
  std::erase_if(*names, [&](const std::string& name) {
    const absl::Status found = FindSink(reader.directory(), name).status();
    return absl::IsNotFound(found) || absl::IsInvalidArgument(found);
  });
  std::sort(names->begin(), names->end());
  return names;
}

std::string PrometheusText(std::span<const PublishStatus> sinks) {
  std::string text;
  if (sinks.empty()) return text;
  const auto labels = [](const PublishStatus& sink) {
    return absl::StrCat("sink=\"", PrometheusLabel(sink.name), "\"");
  };
  const auto gauge = [&](std::string_view name, std::string_view help, const auto& value) {
    const std::string full = absl::StrCat("daybook_publish_", ToAbsl(name));
    AppendMetricHead(full, "gauge", help, &text);
    for (const PublishStatus& sink : sinks) {
      AppendMetric(full, labels(sink), static_cast<double>(value(sink)), &text);
    }
  };
  AppendMetricHead("daybook_publish_state", "gauge", "1 for the state that the publisher is in.",
                   &text);
  for (const PublishStatus& sink : sinks) {
    for (std::size_t i = 0; i < kStates.size(); ++i) {
      AppendMetric("daybook_publish_state",
                   absl::StrCat(labels(sink), ",state=\"", ToAbsl(kStates[i]), "\""),
                   sink.state == static_cast<PublishState>(i) ? 1 : 0, &text);
    }
  }
  gauge("head_position", "The durable position of the store.",
        [](auto& sink) { return sink.head.value(); });
  gauge("acknowledged_position", "The position up to which everything was acknowledged.",
        [](auto& sink) { return sink.acknowledged.value(); });
  gauge("lag_events", "Events that are not acknowledged yet.",
        [](auto& sink) { return sink.events_behind; });
  gauge("lag_seconds", "The age of the oldest event that is not acknowledged yet.",
        [](auto& sink) { return sink.seconds_behind; });
  gauge("parked_events", "Dead letters, and events that wait behind them.",
        [](auto& sink) { return sink.parked; });
  gauge("parked_streams", "Streams that have dead letters.",
        [](auto& sink) { return sink.parked_streams; });
  gauge("oldest_parked_timestamp_seconds", "When the oldest dead letter was parked; 0: none.",
        [](auto& sink) { return sink.oldest_parked ? Seconds(*sink.oldest_parked) : 0; });
  gauge("heartbeat_timestamp_seconds", "When the publisher last said that it lives.",
        [](auto& sink) { return Seconds(sink.heartbeat); });
  for (const Count& count : kCounts) {
    const bool is_counter = count.type == "counter";
    const std::string name =
        absl::StrCat("daybook_publish_", ToAbsl(count.name), is_counter ? "_total" : "_events");
    AppendMetricHead(name, count.type, count.help, &text);
    for (const PublishStatus& sink : sinks) {
      AppendMetric(name, labels(sink), static_cast<double>(sink.*count.value), &text);
    }
  }
  AppendMetricHead("daybook_publish_retries_total", "counter", "Failures, by their kind.", &text);
  for (const PublishStatus& sink : sinks) {
    for (const auto& [kind, count] : sink.retries) {
      AppendMetric("daybook_publish_retries_total",
                   absl::StrCat(labels(sink), ",class=\"", PrometheusLabel(kind), "\""),
                   static_cast<double>(count), &text);
    }
  }
  return text;
}

}  // namespace daybook
