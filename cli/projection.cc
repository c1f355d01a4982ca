#include "cli/projection.h"

#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/progress.h"
#include "cli/projection_printer.h"
#include "cli/read_each.h"
#include "cli/signals.h"
#include "cli/user_name.h"
#include "daybook/projections.h"

namespace daybook::cli {
namespace {

constexpr std::chrono::milliseconds kLook{100};
constexpr std::chrono::seconds kStopTimeout{60};

// A store that is read, and its projections.
struct Opened {
  std::unique_ptr<Reader> reader;
  std::unique_ptr<Projections> projections;
};

absl::StatusOr<Opened> Open(const ProjectionFlags& flags, Console& console) {
  absl::StatusOr<std::unique_ptr<Reader>> reader = OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  ProjectionsOptions options;
  options.on_notice = console.notice_handler();
  absl::StatusOr<std::unique_ptr<Projections>> projections = Projections::Open(**reader, options);
  if (!projections.ok()) return projections.status();
  return Opened{*std::move(reader), *std::move(projections)};
}

// The projection that is meant: what the flags say it is, or what it was before. A rebuild of
// something else is a new revision.
absl::StatusOr<Projection> ProjectionOf(const ProjectionFlags& flags, const Opened& opened) {
  const absl::StatusOr<ProjectionStatus> status = opened.projections->Status(flags.name);
  if (!status.ok() && !(absl::IsNotFound(status.status()) && flags.builtin)) {
    return status.status();
  }
  absl::StatusOr<BuiltinProjection> builtin = BuiltinProjection();
  builtin = flags.builtin ? *flags.builtin : BuiltinProjection::Parse(status->definition);
  if (!builtin.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(flags.name, " is none of the ready-made projections (", status->definition,
                     "), its own program runs it"));
  }
  Projection projection = builtin->ToProjection(flags.name);
  projection.on_poison = flags.on_poison;
  if (status.ok()) {
    projection.revision = status->revision;
    const bool other = projection.definition != status->definition;
    if (other && flags.action == ProjectionFlags::Action::kRebuild) ++projection.revision;
  }
  return projection;
}

absl::StatusOr<std::unique_ptr<ProjectionRunner>> OpenRunner(const ProjectionFlags& flags,
                                                             const Opened& opened,
                                                             Console& console) {
  absl::StatusOr<Projection> projection = ProjectionOf(flags, opened);
  if (!projection.ok()) return projection.status();
  RunnerOptions options;
  options.on_notice = console.notice_handler();
  return opened.projections->Run(*std::move(projection), options);
}

absl::Status RunOnce(ProjectionRunner& runner, Console& console) {
  Progress progress(console, "projecting", "events");
  const std::uint64_t before = runner.checkpoint().value();
  const std::uint64_t head = runner.status().head.value();
  const absl::Status status = runner.RunUntilCaughtUp({}, [&] {
    const std::uint64_t done = runner.checkpoint().value() - before;
    progress.Update(done, head - before, done);
    return !Interrupted();
  });
  return Interrupted() ? InterruptedError() : status;
}

absl::Status Follow(ProjectionRunner& runner) {
  absl::Status status = runner.Start();
  if (!status.ok()) return status;
  do {
    status = runner.WaitEnded(kLook);
  } while (absl::IsDeadlineExceeded(status) && !PoisonOf(status) && !Interrupted());
  const absl::Status stopped = runner.Stop(kStopTimeout);
  if (!stopped.ok()) return stopped;
  return Interrupted() ? InterruptedError() : status;
}

absl::Status Run(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<std::unique_ptr<ProjectionRunner>> runner =
      OpenRunner(flags, *opened, console);
  if (!runner.ok()) return runner.status();
  const absl::Status status = flags.follow ? Follow(**runner) : RunOnce(**runner, console);
  AppendStatus((*runner)->status(), console.mode(), console.out().buffer());
  return status;
}

absl::Status Status(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  absl::StatusOr<std::vector<std::string>> names = std::vector<std::string>{flags.name};
  if (flags.name.empty()) names = ListProjections(**reader);
  if (!names.ok()) return names.status();
  std::vector<ProjectionStatus> found;
  const absl::Status first_error = ReadEach(
      *names, [&](const std::string& name) { return ReadProjectionStatus(**reader, name); },
      &found);
  std::string& out = console.out().buffer();
  if (flags.prometheus) out.append(PrometheusText(found));
  for (const ProjectionStatus& status : found) {
    if (!flags.prometheus) AppendStatus(status, console.mode(), out);
    const std::string complaint = Complaint(status);
    if (!complaint.empty()) console.PrintNotice(Notice::Severity::kWarning, complaint);
  }
  return first_error;
}

absl::Status Show(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<ProjectionStatus> status = opened->projections->Status(flags.name);
  if (!status.ok()) return status.status();
  const absl::StatusOr<BuiltinProjection> builtin = BuiltinProjection::Parse(status->definition);
  if (!builtin.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        flags.name, " is none of the ready-made projections, its own program knows its tables"));
  }
  const absl::StatusOr<std::unique_ptr<ReadModel>> model =
      opened->projections->OpenModel(flags.name);
  if (!model.ok()) return model.status();
  const absl::StatusOr<ReadSnapshot> snapshot = (*model)->Read();
  if (!snapshot.ok()) return snapshot.status();
  absl::Status printed;
  const absl::Status scanned = ScanBuiltin(*builtin, *snapshot, [&](const BuiltinRow& row) {
    const absl::StatusOr<std::optional<StaleKey>> stale = snapshot->StaleSince(row.group);
    printed = stale.status();
    if (!printed.ok()) return false;
    AppendRow(row, *stale, console.mode(), console.out().buffer());
    printed = Interrupted() ? InterruptedError() : console.out().FlushIfLarge();
    return printed.ok() && !console.out().closed();
  });
  return scanned.ok() ? printed : scanned;
}

absl::Status RebuildIt(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  absl::StatusOr<Projection> projection = ProjectionOf(flags, *opened);
  if (!projection.ok()) return projection.status();
  Progress progress(console, "rebuilding", "events");
  RebuildOptions options;
  options.threads = flags.threads;
  options.on_notice = console.notice_handler();
  options.keep_going = [] { return !Interrupted(); };
  options.on_progress = [&](const RebuildProgress& now) {
    progress.Update(now.scanned.value(), now.target.value(), now.scanned.value());
  };
  const absl::StatusOr<std::unique_ptr<Rebuild>> rebuild =
      opened->projections->StartRebuild(*std::move(projection), options);
  if (!rebuild.ok()) return rebuild.status();
  const absl::Status status = (*rebuild)->Run();
  if (Interrupted()) return InterruptedError();
  if (!status.ok()) return status;
  AppendRebuilt((*rebuild)->progress(), console.mode(), console.out().buffer());
  return absl::OkStatus();
}

absl::Status Compare(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<CompareReport> report = opened->projections->Compare(flags.name);
  if (!report.ok()) return report.status();
  AppendCompare(*report, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

// Promote and rollback: what is live afterwards.
absl::Status Switch(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::Status status = flags.action == ProjectionFlags::Action::kPromote
                                  ? opened->projections->Promote(flags.name)
                                  : opened->projections->Rollback(flags.name);
  if (!status.ok()) return status;
  const absl::StatusOr<ProjectionStatus> now = opened->projections->Status(flags.name);
  if (!now.ok()) return now.status();
  AppendStatus(*now, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

absl::Status Parked(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<std::vector<ParkedKey>> keys = opened->projections->Parked(flags.name);
  if (!keys.ok()) return keys.status();
  for (const ParkedKey& key : *keys) {
    if (console.out().closed()) break;
    AppendParked(key, console.mode(), console.out().buffer());
    DAYBOOK_CLI_RETURN_IF_ERROR(console.out().FlushIfLarge());
  }
  return absl::OkStatus();
}

absl::Status Retry(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<Opened> opened = Open(flags, console);
  if (!opened.ok()) return opened.status();
  const absl::StatusOr<std::unique_ptr<ProjectionRunner>> runner =
      OpenRunner(flags, *opened, console);
  if (!runner.ok()) return runner.status();
  const absl::StatusOr<RetryResult> result =
      flags.key ? (*runner)->Retry(*flags.key) : (*runner)->RetryAll();
  if (!result.ok()) return result.status();
  AppendRetry(*result, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

// The decision is an event, so it takes the lock of the writer.
absl::Status SkipIt(const ProjectionFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Store>> store =
      OpenForAppend(flags.store, /*create=*/false, Durability::kSync, console);
  if (!store.ok()) return store.status();
  ProjectionsOptions options;
  options.on_notice = console.notice_handler();
  const absl::StatusOr<std::unique_ptr<Projections>> projections =
      Projections::Open(**store, options);
  if (!projections.ok()) return projections.status();
  const ProjectionSkip skip{.projection = flags.name,
                            .position = flags.position,
                            .reason = flags.reason,
                            .actor = flags.actor.empty() ? UserName() : flags.actor};
  const absl::StatusOr<ProjectionSkip> recorded = (*projections)->Skip(skip);
  if (!recorded.ok()) return recorded.status();
  AppendSkip(*recorded, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

}  // namespace

absl::Status RunProjection(const ProjectionFlags& flags, Console& console) {
  using Action = ProjectionFlags::Action;
  switch (flags.action) {
    case Action::kRun:
      return Run(flags, console);
    case Action::kStatus:
      return Status(flags, console);
    case Action::kShow:
      return Show(flags, console);
    case Action::kRebuild:
      return RebuildIt(flags, console);
    case Action::kCompare:
      return Compare(flags, console);
    case Action::kPromote:
    case Action::kRollback:
      return Switch(flags, console);
    case Action::kParked:
      return Parked(flags, console);
    case Action::kRetry:
      return Retry(flags, console);
    case Action::kSkip:
      return SkipIt(flags, console);
  }
  return absl::InternalError("there is no such action");
}

}  // namespace daybook::cli
