// Backups and a restore at work. A crash in the middle must leave the backup that was there, or the
// next one, and a folder that is no store, or a whole one.

#include <utility>

#include "daybook/backup.h"
#include "io/directory.h"
#include "simulation/oracle.h"
#include "simulation/recording.h"

namespace daybook::simulation {
namespace {

std::string BackupOf(const Bench& bench) { return bench.root() + "/backup"; }

// As a sink leaves it: a file that a backup takes along.
absl::Status PutCursor(const Bench& bench, const std::string& text) {
  for (const char* folder : {"/publish", "/publish/bus"}) {
    const absl::Status made = Directory::Create(bench.store() + folder);
    if (!made.ok()) return made;
  }
  return Directory::WriteFileAtomically(bench.store() + "/publish/bus/cursor",
                                        AsBytes(std::string_view(text)));
}

// A store with several segments at work, and its backups.
class BackupDriver {
 public:
  BackupDriver(std::uint64_t seed, const StoreOpener& opener)
      : mount_(bench_.root(), Disk()), driver_(&bench_, &mount_, Setting(), seed, opener) {
    has_cursor_ = driver_.random()() % 2 == 0;
  }

  void Append(int commits) {
    for (int i = 0; i < commits; ++i) driver_.Append(1 + driver_.random()() % 3);
  }
  // From here on all is recorded.
  void Begin() {
    Disk now;
    mount_.StartLog(&now);
    base_ = now.Crash({Choice::Kind::kKept, 0, 0});
    driver_.SetBackedUp(backed_up_);
  }
  void Backup() {
    if (!driver_.problem().empty()) return;
    if (has_cursor_) problem_ = TextOf(PutCursor(bench_, std::to_string(driver_.random()())));
    int appended = 0;
    BackupOptions options;
    options.fast = driver_.random()() % 2 == 0;
    options.on_progress = [&](std::uint64_t, std::uint64_t) {
      if (++appended <= 2) driver_.Append(1);
    };
    const auto report = daybook::Backup(bench_.store(), BackupOf(bench_), options);
    if (!report.ok()) {
      problem_ = "backup: " + report.status().ToString();
      return;
    }
    backed_up_ = report->position.value();
    driver_.SetBackedUp(backed_up_);
  }
  void Run(std::uint64_t part) {
    driver_.set_shape({5, 2500});
    driver_.Open();
    Append(14);
    if (part == 0) Begin();
    Backup();
    Append(4);
    if (part == 0) return;
    if (part == 1) Begin();
    Append(4);
    Backup();
  }
  Recording Take(std::uint64_t part, std::string* problem) {
    Recording recording = driver_.Take("backup");
    recording.subject = Subject::kBackup;
    recording.base = std::move(base_);
    recording.indexes.clear();
    driver_.Close();
    *problem = !problem_.empty() ? problem_ : driver_.problem();
    if (part == 2) recording.base = mount_.disk().Crash({Choice::Kind::kKept, 0, 0});
    recording.history.CutBehind(part == 2 ? backed_up_ : recording.history.size());
    return recording;
  }

 private:
  static std::string TextOf(const absl::Status& status) {
    return status.ok() ? "" : status.ToString();
  }

  const Bench bench_;
  Mount mount_;
  Driver driver_;
  Disk base_;
  std::uint64_t backed_up_ = 0;
  bool has_cursor_ = false;
  std::string problem_;
};

}  // namespace

Recording RecordBackup(std::uint64_t seed, const StoreOpener& opener, std::string* problem) {
  const std::uint64_t part = (seed >> 32) % kBackupParts;
  Recording recording;
  {
    BackupDriver driver(seed, opener);
    driver.Run(part);
    recording = driver.Take(part, problem);
  }
  if (part != 2 || !problem->empty()) return recording;
  // Restored where the store was, which is moved away.
  Disk* const disk = &recording.base;
  disk->Apply({.kind = Op::Kind::kRename,
               .inode = disk->Find("store"),
               .folder = Disk::kRoot,
               .to_folder = Disk::kRoot,
               .name = "store",
               .to_name = "original"},
              1);
  disk->Apply({.kind = Op::Kind::kSyncFolder, .inode = Disk::kRoot}, 1);
  recording.name = "restore";
  recording.subject = Subject::kRestore;
  const Bench bench;
  Mount mount(bench.root(), *disk);
  const std::uint64_t all = recording.history.size();
  mount.StartLog();
  mount.Mark(0, all, all);
  const auto report = Restore(BackupOf(bench), bench.store(), {});
  if (!report.ok()) *problem = "restore: " + report.status().ToString();
  mount.Mark(all, all, all);
  recording.log = mount.TakeLog();
  return recording;
}

namespace {

// One look at a state of a backup that crashed.
class BackupCheck {
 public:
  BackupCheck(const Bench& bench, CrashState* state, const CheckPlan& plan,
              const StoreOpener& opener, Mount* mount)
      : bench_(bench),
        state_(*state),
        plan_(plan),
        opener_(opener),
        mount_(*mount),
        backed_up_(state->backed_up),
        random_(plan.seed) {}

  std::string Run() {
    // Before the first mark.
    if (state_.handed_over == 0) state_.handed_over = state_.history.size();
    Mark(state_.acknowledged, state_.handed_over);
    std::string what = CheckAsItIs();
    if (!what.empty()) return "the backup that the crash left: " + what;
    if (random_() % 2 == 0) {
      // Of a store that nobody has recovered: what is proven to be durable.
      what = BackUp(backed_up_);
      if (!what.empty()) return "before recovery: " + what;
    }
    std::string errors;
    state_.setting.clock += std::int64_t{3600} * 1'000'000'000;
    auto store = opener_(bench_.store(), state_.setting.Options(&errors));
    if (!store.ok()) return "open: " + store.status().ToString();
    std::uint64_t found = 0;
    what = state_.history.Check(**store, state_.acknowledged, state_.handed_over, &found);
    if (!what.empty()) return "after recovery: " + what;
    if (backed_up_ > found) return "the backup has more than what was recovered";
    state_.history.CutBehind(found);
    Mark(found, found);
    const std::uint64_t first = found + 1;
    state_.history.Plan(2, {}, &random_);
    Mark(found, found + 2);
    Commit commit = state_.history.MakeCommit(first);
    const auto appended = (*store)->Append(commit);
    if (!appended.ok()) return "append after recovery: " + appended.status().ToString();
    what = state_.history.Acknowledge(first, *appended);
    if (!what.empty()) return "append after recovery: " + what;
    const std::uint64_t all = state_.history.size();
    Mark(all, all);
    what = BackUp(all);
    if (what.empty()) what = CheckRestored("/restored-all-", all);
    if (!what.empty()) return "after going on: " + what;
    return errors.empty() ? "" : "notices: " + errors;
  }

 private:
  void Mark(std::uint64_t acknowledged, std::uint64_t handed_over) {
    state_.acknowledged = acknowledged;
    state_.handed_over = handed_over;
    mount_.Mark(acknowledged, handed_over, backed_up_);
  }

  std::string CheckAsItIs() {
    const auto report = Look(plan_.verifies);
    if (absl::IsNotFound(report.status())) {
      return backed_up_ == 0 ? "" : "it is gone, and Backup had returned";
    }
    if (!report.ok()) return report.status().ToString();
    for (const Finding& finding : report->findings) return finding.file + ": " + finding.hint;
    if (report->positions < backed_up_) {
      return "it ends at " + std::to_string(report->positions) + ", and Backup had returned " +
             std::to_string(backed_up_);
    }
    if (report->positions > state_.handed_over) return "it has more than was appended";
    if (!plan_.reads_first) return "";
    if (report->positions != 0) return CheckRestored("/restored-first-", report->positions);
    const auto none = Restore(BackupOf(bench_), bench_.root() + "/none", {});
    return absl::IsFailedPrecondition(none.status()) ? "" : none.status().ToString();
  }

  absl::StatusOr<VerifyReport> Look(bool generally) const {
    // Verify of a folder that is nothing yet speaks of a store.
    return generally && backed_up_ != 0 ? Verify(BackupOf(bench_), {})
                                        : VerifyBackup(BackupOf(bench_), {});
  }

  std::string BackUp(std::uint64_t least) {
    BackupOptions options;
    options.fast = random_() % 2 == 0;
    const auto report = Backup(bench_.store(), BackupOf(bench_), options);
    if (!report.ok()) return "the next backup: " + report.status().ToString();
    backed_up_ = report->position.value();
    Mark(state_.acknowledged, state_.handed_over);
    if (backed_up_ < least) {
      return "the next backup ends at " + std::to_string(backed_up_) + ", not at " +
             std::to_string(least);
    }
    const auto verified = Look(plan_.verifies);
    if (!verified.ok()) return "verify of the next backup: " + verified.status().ToString();
    for (const Finding& finding : verified->findings) {
      return "verify of the next backup: " + finding.file + ": " + finding.hint;
    }
    return verified->positions == backed_up_ ? "" : "the next backup has another position";
  }

  std::string CheckRestored(const char* name, std::uint64_t positions) {
    // A name that no crash before has left.
    const std::string path = bench_.root() + name + std::to_string(random_());
    const auto report = Restore(BackupOf(bench_), path, {});
    if (!report.ok()) return "restore: " + report.status().ToString();
    const auto reader = Reader::Open(path, {});
    if (!reader.ok()) return "what was restored: " + reader.status().ToString();
    std::uint64_t found = 0;
    const std::string what = state_.history.Check(**reader, positions, positions, &found);
    return what.empty() ? "" : "what was restored: " + what;
  }

  const Bench& bench_;
  CrashState& state_;
  const CheckPlan& plan_;
  const StoreOpener& opener_;
  Mount& mount_;
  std::uint64_t backed_up_;
  Random random_;
};

}  // namespace

std::string CheckBackupState(const Bench& bench, CrashState state, const CheckPlan& plan,
                             const StoreOpener& opener, Recording* again) {
  Mount mount(bench.root(), again != nullptr ? Disk(state.disk) : std::move(state.disk));
  bench.SetIndex(state.index);
  if (again != nullptr) mount.StartLog();
  std::string what = BackupCheck(bench, &state, plan, opener, &mount).Run();
  if (again != nullptr) {
    again->name = "backup again";
    again->subject = Subject::kBackup;
    again->setting = state.setting;
    again->base = std::move(state.disk);
    again->log = mount.TakeLog();
    again->history = std::move(state.history);
    again->indexes = {{0, std::move(state.index)}};
  }
  return what;
}

std::string CheckRestoreState(const Bench& bench, CrashState state, const CheckPlan& plan,
                              const StoreOpener& opener, Recording* again) {
  if (state.disk.Find("store/STORE") != 0) {
    CheckPlan whole = plan;
    whole.verifies = true;
    return CheckOpening(bench, std::move(state), whole, opener, again);
  }
  if (state.acknowledged != 0) return "there is no store, and Restore had returned";
  // Behind the restored ones, what an opening was about to append when it crashed.
  if (state.backed_up != 0) state.history.CutBehind(state.backed_up);
  const std::uint64_t all = state.history.size();
  Mount mount(bench.root(), again != nullptr ? Disk(state.disk) : std::move(state.disk));
  bench.SetIndex("");
  if (again != nullptr) mount.StartLog();
  mount.Mark(0, all, all);
  const absl::Status opened = Reader::Open(bench.store(), {}).status();
  if (!absl::IsNotFound(opened)) return "what is no store yet opens: " + opened.ToString();
  std::string path = bench.store();
  absl::StatusOr<BackupReport> report = Restore(BackupOf(bench), path, {});
  const bool is_refused = absl::IsInvalidArgument(report.status()) &&
                          report.status().message().find("remove the folder") != std::string::npos;
  if (is_refused) {
    path = bench.root() + "/elsewhere-" + std::to_string(plan.seed);
    report = Restore(BackupOf(bench), path, {});
  }
  if (!report.ok()) return "the next restore: " + report.status().ToString();
  if (!is_refused) mount.Mark(all, all, all);
  if (again != nullptr) {
    again->name = "restore again";
    again->subject = Subject::kRestore;
    again->setting = state.setting;
    again->base = std::move(state.disk);
    again->log = mount.TakeLog();
    again->history = state.history;
  }
  const auto reader = Reader::Open(path, {});
  if (!reader.ok()) return "what was restored: " + reader.status().ToString();
  std::uint64_t found = 0;
  const std::string what = state.history.Check(**reader, all, all, &found);
  return what.empty() ? "" : "what was restored: " + what;
}

}  // namespace daybook::simulation
