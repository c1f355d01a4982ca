#include "projections/status_file.h"

#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/poison.h"
#include "projections/record.h"

namespace daybook {
namespace {

constexpr std::string_view kStatusKind = "status";
constexpr std::chrono::seconds kInterval{1};
constexpr std::chrono::seconds kRateOver{10};
constexpr auto kFile = "STATUS";

constexpr std::array<std::string_view, 6> kStateNames = {"idle",   "running", "stuck",
                                                         "poison", "waiting", "failed"};

absl::StatusOr<ProjectionState> StateOf(std::string_view name) {
  for (std::size_t i = 0; i < kStateNames.size(); ++i) {
    if (kStateNames[i] == name) return static_cast<ProjectionState>(i);
  }
  return absl::DataLossError(absl::StrCat("there is no state '", ToAbsl(name), "'"));
}

}  // namespace

std::string_view ToString(ProjectionState state) {
  return kStateNames[static_cast<std::size_t>(state)];
}

Timestamp SystemNow() {
  return Timestamp(
      std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()));
}

absl::Status WriteStatusFile(const std::filesystem::path& projection,
                             const ProjectionStatus& status) {
  Record record;
  record.Set("name", status.name);
  record.Set("revision", std::uint64_t{status.revision});
  record.Set("generation", status.generation);
  record.Set("state", ToString(status.state));
  record.Set("definition", status.definition);
  record.Set("incarnation", status.incarnation);
  record.Set("scanned", status.scanned.value());
  record.Set("matched", status.matched);
  record.Set("parked", status.parked);
  record.Set("parked_keys", status.parked_keys);
  record.Set("effects_waiting", status.effects_waiting);
  record.Set("events_per_1000s", static_cast<std::uint64_t>(status.events_per_second * 1000));
  record.Set("heartbeat", status.heartbeat.unix_nanoseconds());
  record.Set("error", status.error);
  if (status.poison) SetPoison(*status.poison, &record);
  return WriteRecordFile(kStatusKind, record, Written::kVolatile, projection / kFile);
}

absl::StatusOr<ProjectionStatus> ReadStatusFile(const std::filesystem::path& projection) {
  DAYBOOK_ASSIGN_OR_RETURN(const Record record, ReadRecordFile(kStatusKind, projection / kFile));
  ProjectionStatus status;
  std::string state;
  std::uint64_t events_per_1000s = 0;
  std::int64_t heartbeat = 0;
  const RecordFields fields = RecordFields(record)
                                  .Text("name", &status.name)
                                  .Number("revision", &status.revision)
                                  .Number("generation", &status.generation)
                                  .Text("state", &state)
                                  .Text("definition", &status.definition)
                                  .Text("incarnation", &status.incarnation)
                                  .Number("scanned", &status.scanned)
                                  .Number("matched", &status.matched)
                                  .Number("parked", &status.parked)
                                  .Number("parked_keys", &status.parked_keys)
                                  .Number("effects_waiting", &status.effects_waiting)
                                  .Number("events_per_1000s", &events_per_1000s)
                                  .Number("heartbeat", &heartbeat)
                                  .Text("error", &status.error);
  DAYBOOK_RETURN_IF_ERROR(fields.status());
  DAYBOOK_ASSIGN_OR_RETURN(status.state, StateOf(state));
  status.events_per_second = static_cast<double>(events_per_1000s) / 1000;
  status.heartbeat = Timestamp(heartbeat);
  DAYBOOK_ASSIGN_OR_RETURN(status.poison, GetPoison(record));
  return status;
}

absl::Status FillBehind(const Reader& reader, ProjectionStatus* status) {
  status->head = reader.durable();
  status->events_behind = 0;
  status->seconds_behind = 0;
  if (status->scanned >= status->head) return absl::OkStatus();
  status->events_behind = status->head.value() - status->scanned.value();
  DAYBOOK_ASSIGN_OR_RETURN(const EventHandle first,
                           reader.EventAt(Position(status->scanned.value() + 1)));
  const std::int64_t age = SystemNow().unix_nanoseconds() - first->recorded_at.unix_nanoseconds();
  status->seconds_behind = std::max(0.0, static_cast<double>(age) / 1e9);
  return absl::OkStatus();
}

void RateMeter::Add(std::chrono::steady_clock::time_point now, Position scanned) {
  samples_.push_back({now, scanned});
  while (samples_.size() > 2 && now - samples_[1].time >= kRateOver) samples_.pop_front();
}

double RateMeter::per_second() const {
  if (samples_.size() < 2 || samples_.back().scanned <= samples_.front().scanned) return 0;
  const std::chrono::duration<double> time = samples_.back().time - samples_.front().time;
  return static_cast<double>(samples_.back().scanned.value() - samples_.front().scanned.value()) /
         std::max(time.count(), 1e-3);
}

StatusWriter::StatusWriter(std::filesystem::path projection,
                           std::function<ProjectionStatus()> status, NoticeHandler on_notice)
    : projection_(std::move(projection)),
      status_(std::move(status)),
      on_notice_(std::move(on_notice)),
      thread_("daybook-status", [this] { Run(); }) {}

StatusWriter::~StatusWriter() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  thread_.Join();
}

void StatusWriter::Soon() {
  const MutexLock lock(mutex_);
  soon_ = true;
  changed_.NotifyAll();
}

void StatusWriter::Run() {
  for (;;) {
    WriteOnce();
    const auto deadline = std::chrono::steady_clock::now() + kInterval;
    MutexLock lock(mutex_);
    while (!soon_ && !stopping_ && changed_.WaitUntil(mutex_, deadline)) {
    }
    soon_ = false;
    if (stopping_) break;
  }
  WriteOnce();
}

void StatusWriter::WriteOnce() {
  const absl::Status written = WriteStatusFile(projection_, status_());
  if (!written.ok() && !failing_ && on_notice_) {
    on_notice_(
        {Notice::Severity::kWarning,
         absl::StrCat("the status file in ", projection_.string(),
                      " cannot be written, so its heartbeat stands still: ", written.message())});
  }
  failing_ = !written.ok();
}

}  // namespace daybook
