#include <algorithm>
#include <utility>

#include "base/status.h"
#include "daybook/file_sink.h"
#include "projections/publish/line_format.h"
#include "projections/publish/sink_settings.h"

namespace daybook {
namespace {

class StreamSink : public Sink {
 public:
  StreamSink(LineFormat::Kind format, std::string destination,
             std::function<absl::Status(std::string_view)> write)
      : format_(format), destination_(std::move(destination)), write_(std::move(write)) {}

  std::string_view kind() const override { return "stdout"; }
  std::string destination() const override { return destination_; }

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override {
    lines_.emplace(format_, start.incarnation);
    outcomes_.clear();
    return SessionBegun();
  }

  void Send(std::span<const OutgoingEvent> events) override {
    text_.clear();
    for (const OutgoingEvent& event : events) lines_->Append(event, &text_);
    const absl::Status written = write_(text_);
    for (const OutgoingEvent& event : events) {
      outcomes_.push_back(
          {event.sequence, written.ok() ? Outcome::kDone : Outcome::kRetry, written});
    }
  }

  void Poll(std::chrono::milliseconds /*timeout*/, std::vector<SinkOutcome>* outcomes) override {
    std::move(outcomes_.begin(), outcomes_.end(), std::back_inserter(*outcomes));
    outcomes_.clear();
  }

  void Settle(std::chrono::milliseconds timeout, std::vector<SinkOutcome>* outcomes) override {
    Poll(timeout, outcomes);
  }

 private:
  const LineFormat::Kind format_;
  const std::string destination_;
  const std::function<absl::Status(std::string_view)> write_;
  std::optional<LineFormat> lines_;
  std::string text_;
  std::vector<SinkOutcome> outcomes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> OpenStreamSink(
    const SinkSettings& settings, std::function<absl::Status(std::string_view lines)> write) {
  SettingsReader reader(settings, "stdout");
  const std::string format = reader.Option("format").value_or("events");
  DAYBOOK_RETURN_IF_ERROR(reader.NothingElse());
  DAYBOOK_ASSIGN_OR_RETURN(const LineFormat::Kind kind, LineFormat::KindOf(format));
  return std::unique_ptr<Sink>(new StreamSink(kind, settings.url, std::move(write)));
}

}  // namespace daybook
