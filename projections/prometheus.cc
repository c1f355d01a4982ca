// Projections as Prometheus reads them
// (https://prometheus.io/docs/instrumenting/exposition_formats/, text format 0.0.4).

#include <array>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/projection_status.h"
#include "projections/prometheus_text.h"

namespace daybook {
namespace {

struct Metric {
  std::string_view name, type, help;
  double (*value)(const ProjectionStatus& status);
};

double Number(std::uint64_t value) { return static_cast<double>(value); }

constexpr std::array kMetrics = {
    Metric{"scanned_position", "gauge", "The position up to which events were looked at.",
           [](const ProjectionStatus& status) { return Number(status.scanned.value()); }},
    Metric{"matched_events_total", "counter", "Events that passed the filter, in this generation.",
           [](const ProjectionStatus& status) { return Number(status.matched); }},
    Metric{"head_position", "gauge", "The durable position of the store.",
           [](const ProjectionStatus& status) { return Number(status.head.value()); }},
    Metric{"events_behind", "gauge", "Events that were not looked at yet.",
           [](const ProjectionStatus& status) { return Number(status.events_behind); }},
    Metric{"seconds_behind", "gauge", "The age of the oldest event that was not looked at yet.",
           [](const ProjectionStatus& status) { return status.seconds_behind; }},
    Metric{"parked_events", "gauge", "Events that are parked.",
           [](const ProjectionStatus& status) { return Number(status.parked); }},
    Metric{"parked_keys", "gauge", "Keys that have parked events.",
           [](const ProjectionStatus& status) { return Number(status.parked_keys); }},
    Metric{"effects_waiting", "gauge", "Effects that are kept and not sent yet.",
           [](const ProjectionStatus& status) { return Number(status.effects_waiting); }},
    Metric{"effects_floor_position", "gauge", "Events up to here send no effects any more.",
           [](const ProjectionStatus& status) { return Number(status.effects_floor.value()); }},
    Metric{"events_per_second", "gauge", "Events looked at in a second, of late.",
           [](const ProjectionStatus& status) { return status.events_per_second; }},
    Metric{"heartbeat_timestamp_seconds", "gauge", "When a runner last said that it lives.",
           [](const ProjectionStatus& status) {
             return static_cast<double>(status.heartbeat.unix_nanoseconds()) / 1e9;
           }}};

constexpr std::array kStates = {ProjectionState::kIdle,    ProjectionState::kRunning,
                                ProjectionState::kStuck,   ProjectionState::kPoison,
                                ProjectionState::kWaiting, ProjectionState::kFailed};

std::string Labels(const ProjectionStatus& status) {
  return absl::StrCat("projection=\"", PrometheusLabel(status.name), "\",revision=\"",
                      status.revision, "\",generation=\"", status.generation, "\"");
}

}  // namespace

std::string PrometheusText(std::span<const ProjectionStatus> projections) {
  std::string text;
  if (projections.empty()) return text;
  AppendMetricHead("daybook_projection_state", "gauge",
                   "1 for the state that the projection is in.", &text);
  for (const ProjectionStatus& status : projections) {
    for (const ProjectionState state : kStates) {
      AppendMetric("daybook_projection_state",
                   absl::StrCat(Labels(status), ",state=\"", ToAbsl(ToString(state)), "\""),
                   state == status.state ? 1 : 0, &text);
    }
  }
  for (const Metric& metric : kMetrics) {
    const std::string name = absl::StrCat("daybook_projection_", ToAbsl(metric.name));
    AppendMetricHead(name, metric.type, metric.help, &text);
    for (const ProjectionStatus& status : projections) {
      AppendMetric(name, Labels(status), metric.value(status), &text);
    }
  }
  return text;
}

}  // namespace daybook
