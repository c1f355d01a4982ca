#include "cli/publish.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/progress.h"
#include "cli/publish_printer.h"
#include "cli/read_each.h"
#include "cli/signals.h"
#include "cli/sinks.h"
#include "cli/user_name.h"

namespace daybook::cli {
namespace {

// Without --follow nobody waits for ever.
constexpr std::chrono::seconds kPatience{60};

// What the broker says has the contract's codes: one that does not answer is away, and one that
// does not know the user refuses him.
absl::Status OfBroker(const absl::Status& status) {
  if (PoisonOf(status)) return status;
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
      return absl::UnavailableError(status.message());
    case absl::StatusCode::kUnauthenticated:
      return absl::PermissionDeniedError(status.message());
    default:
      return status;
  }
}

absl::Status Publish(const PublishFlags& flags, Publisher& publisher, Console& console) {
  const PublishStatus at_first = publisher.status();
  Progress progress(console, "publishing", "events");
  const auto keep_going = [&] {
    const PublishStatus now = publisher.status();
    const std::uint64_t before = at_first.acknowledged.value();
    progress.Update(now.acknowledged.value() - std::min(before, now.acknowledged.value()),
                    now.head.value() - std::min(before, now.head.value()), now.done);
    return !Interrupted() && !console.out().closed();
  };
  const absl::Status status =
      publisher.Run(flags.follow ? PublishUntil::kStopped : PublishUntil::kCaughtUp, keep_going);
  if (Interrupted()) return InterruptedError();
  if (console.out().closed()) return absl::OkStatus();
  return OfBroker(status);
}

absl::Status RunSink(const PublishFlags& flags, Console& console) {
  const absl::StatusOr<std::string> kind = SinkKindOf(flags.sink.url);
  if (!kind.ok()) return kind.status();
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  PublisherOptions options = flags.options;
  options.name = flags.name.empty() ? *kind : flags.name;
  options.on_notice = console.notice_handler();
  if (!flags.follow && options.patience.count() == 0) options.patience = kPatience;
  SinkSettings settings = flags.sink;
  settings.on_notice = console.notice_handler();
  absl::StatusOr<std::unique_ptr<Sink>> sink = OpenSink(settings, options.name, console);
  if (!sink.ok()) return OfBroker(sink.status());
  const absl::StatusOr<std::unique_ptr<Publisher>> publisher =
      Publisher::Open(**reader, *std::move(sink), options);
  if (!publisher.ok()) return publisher.status();
  const absl::Status status = Publish(flags, **publisher, console);
  // Where the lines go to stdout, nothing else does.
  if (*kind != "stdout") {
    AppendPublishStatus((*publisher)->status(), console.mode(), console.out().buffer());
  }
  if (!status.ok()) return status;
  return CheckReadableToTheEnd(**reader);
}

absl::Status Status(const PublishFlags& flags, const Reader& reader, Console& console) {
  absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>{flags.name};
  if (flags.name.empty()) names = ListSinks(reader);
  if (!names.ok()) return names.status();
  std::vector<PublishStatus> found;
  const absl::Status first_error = ReadEach(
      *names, [&](const std::string& name) { return ReadPublishStatus(reader, name); }, &found);
  std::string& out = console.out().buffer();
  if (flags.prometheus) out.append(PrometheusText(found));
  for (const PublishStatus& status : found) {
    if (!flags.prometheus) AppendPublishStatus(status, console.mode(), out);
  }
  return first_error;
}

absl::Status Parked(const PublishFlags& flags, const Reader& reader, Console& console) {
  const absl::StatusOr<PublishLetters> letters = ReadPublishLetters(reader, flags.name);
  if (!letters.ok()) return letters.status();
  for (const ParkedStream& parked : letters->parked) {
    if (console.out().closed()) break;
    AppendParkedStream(parked, console.mode(), console.out().buffer());
    DAYBOOK_CLI_RETURN_IF_ERROR(console.out().FlushIfLarge());
  }
  return absl::OkStatus();
}

absl::Status Retry(const PublishFlags& flags, const Reader& reader, Console& console) {
  const absl::StatusOr<std::uint64_t> due = RetryLetters(reader, flags.name, flags.stream);
  if (!due.ok()) return due.status();
  AppendLettersDue(*due, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

absl::Status SkipIt(const PublishFlags& flags, const Reader& reader, Console& console) {
  PublishSkip skip;
  skip.position = flags.position;
  skip.reason = flags.reason;
  skip.actor = flags.actor.empty() ? UserName() : flags.actor;
  const absl::StatusOr<PublishSkip> decided = SkipLetter(reader, flags.name, skip);
  if (!decided.ok()) return decided.status();
  AppendPublishSkip(*decided, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

}  // namespace

absl::Status RunPublish(const PublishFlags& flags, Console& console) {
  using Action = PublishFlags::Action;
  if (flags.action == Action::kRun) return RunSink(flags, console);
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  switch (flags.action) {
    case Action::kStatus:
      return Status(flags, **reader, console);
    case Action::kParked:
      return Parked(flags, **reader, console);
    case Action::kRetry:
      return Retry(flags, **reader, console);
    default:
      return SkipIt(flags, **reader, console);
  }
}

}  // namespace daybook::cli
