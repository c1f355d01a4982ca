#include "simulation/oracle.h"

#include <algorithm>
#include <utility>

#include "simulation/save.h"

namespace daybook::simulation {
namespace {

constexpr std::int64_t kHour = std::int64_t{3600} * 1'000'000'000;

// The view of a process that may only read.
std::string CheckReader(const std::string& path, const History& history, std::uint64_t least,
                        std::uint64_t most, std::uint64_t* found) {
  std::string errors;
  ReaderOptions options;
  options.on_notice = [&errors](const Notice& notice) {
    if (notice.severity == Notice::Severity::kError) errors += notice.message;
  };
  const auto reader = Reader::Open(path, options);
  if (absl::IsNotFound(reader.status()) && least == 0) return "";  // no store yet
  if (!reader.ok()) return reader.status().ToString();
  if (!errors.empty()) return errors;
  return history.Check(**reader, least, most, found);
}

class Check {
 public:
  Check(const Bench& bench, CrashState state, const CheckPlan& plan, const StoreOpener& opener,
        bool keeps_disk)
      : bench_(bench),
        state_(std::move(state)),
        plan_(plan),
        opener_(opener),
        mount_(bench.root(), keeps_disk ? Disk(state_.disk) : std::move(state_.disk)) {
    bench_.SetIndex(state_.index);
  }

  std::string Run(Recording* recovery) {
    if (recovery != nullptr) mount_.StartLog();
    std::string what = RunSteps();
    if (!what.empty() && !errors_.empty()) what += "; notices: " + errors_;
    if (recovery != nullptr) {
      recovery->name = "recovery";
      recovery->subject = state_.subject;
      recovery->setting = state_.setting;
      recovery->base = std::move(state_.disk);
      recovery->log = mount_.TakeLog();
      recovery->history = std::move(state_.history);
      recovery->indexes = {{0, std::move(state_.index)}};
    }
    return what;
  }

 private:
  void Mark(std::uint64_t acknowledged, std::uint64_t handed_over) {
    mount_.Mark(acknowledged, handed_over, state_.backed_up);
  }

  std::string RunSteps() {
    const std::string path = bench_.store();
    std::uint64_t seen = 0;
    if (plan_.reads_first) {
      // It may see less than was acknowledged, where nothing proves it to be durable.
      const std::string what = CheckReader(path, state_.history, 0, state_.handed_over, &seen);
      if (!what.empty()) return "reader before recovery: " + what;
    }
    if (std::string what = Recover(seen); !what.empty()) return what;
    if (seen > found_) return "a reader saw more than what was recovered";
    const History lost = state_.history;
    state_.history.CutBehind(found_);
    if (std::string what = Append(lost); !what.empty()) return what;
    store_.reset();
    Mark(state_.history.size(), state_.history.size());
    if (!errors_.empty()) return "notices";
    return ReadAgain();
  }

  // Leaves the store open, with `found_` events. What a reader has seen before, a crash within this
  // must not take away.
  std::string Recover(std::uint64_t seen) {
    state_.setting.clock += kHour;
    // A restore comes whole or not at all, and may go again before it was acknowledged.
    const bool may_go = state_.subject == Subject::kRestore && state_.acknowledged == 0;
    const std::uint64_t least = may_go ? state_.backed_up : state_.acknowledged;
    Mark(may_go ? 0 : std::max(least, seen), state_.handed_over);
    auto store = opener_(bench_.store(), state_.setting.Options(&errors_));
    if (!store.ok()) return "open: " + store.status().ToString();
    store_ = *std::move(store);
    std::string what = state_.history.Check(*store_, least, state_.handed_over, &found_);
    if (!what.empty()) return "after recovery: " + what;
    if (store_->visible().value() != found_ || store_->durable().value() != found_) {
      return "after recovery: visible() and durable() are not what can be read";
    }
    Mark(found_, found_);
    return "";
  }

  // Most of the time what was lost, in the same commits but with other data: its frames end where
  // the lost ones did, and what may be left of those would fit behind them.
  std::string Append(const History& lost) {
    Random random(plan_.seed);
    const bool alike = random() % 4 != 0;
    std::uint64_t acknowledged = found_;
    for (const std::size_t events : {std::size_t{2}, std::size_t{1}}) {
      const std::uint64_t first = state_.history.size() + 1;
      if (alike && lost.size() >= first) {
        state_.history.PlanAlike(lost, &random);
      } else {
        state_.history.Plan(events, {}, &random);
      }
      Commit commit = state_.history.MakeCommit(first);
      Mark(acknowledged, state_.history.size());
      const auto result = store_->Append(commit);
      if (!result.ok()) return "append after recovery: " + result.status().ToString();
      std::string what = state_.history.Acknowledge(first, *result);
      if (!what.empty()) return "append after recovery: " + what;
      if (state_.setting.durability == Durability::kSync) acknowledged = state_.history.size();
      Mark(acknowledged, state_.history.size());
    }
    return "";
  }

  std::string ReadAgain() {
    const std::string path = bench_.store();
    const std::uint64_t all = state_.history.size();
    std::uint64_t found = 0;
    std::string what;
    if (plan_.reopens) {
      const auto store = opener_(path, state_.setting.Options(&errors_));
      if (!store.ok()) return "second open: " + store.status().ToString();
      what = state_.history.Check(**store, all, all, &found);
      if (what.empty()) what = state_.history.CheckHeads(**store, all);
    } else {
      what = CheckReader(path, state_.history, all, all, &found);
    }
    if (!what.empty()) return "after going on: " + what;
    if (!plan_.verifies) return "";
    const auto report = Verify(path, {});
    if (!report.ok()) return "verify: " + report.status().ToString();
    for (const Finding& finding : report->findings) {
      return "verify: " + finding.kind + " " + finding.file + ": " + finding.hint;
    }
    return report->positions == all ? "" : "verify: another count of positions";
  }

  const Bench& bench_;
  CrashState state_;
  const CheckPlan plan_;
  const StoreOpener& opener_;
  Mount mount_;
  std::string errors_;
  std::uint64_t found_ = 0;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::string CheckCrashState(const Bench& bench, CrashState state, const CheckPlan& plan,
                            const StoreOpener& opener, Recording* recovery) {
  switch (state.subject) {
    case Subject::kRepair:
      return CheckRepairState(bench, std::move(state), plan, opener, recovery);
    case Subject::kBackup:
      return CheckBackupState(bench, std::move(state), plan, opener, recovery);
    case Subject::kRestore:
      return CheckRestoreState(bench, std::move(state), plan, opener, recovery);
    case Subject::kStore:
      break;
  }
  return CheckOpening(bench, std::move(state), plan, opener, recovery);
}

std::string CheckOpening(const Bench& bench, CrashState state, const CheckPlan& plan,
                         const StoreOpener& opener, Recording* recovery) {
  Check check(bench, std::move(state), plan, opener, recovery != nullptr);
  return check.Run(recovery);
}

void CrashState::Save(std::string* out) const {
  PutNumber(static_cast<std::uint64_t>(subject), out);
  PutNumber(setting.segment_bytes, out);
  PutNumber(setting.durability == Durability::kSync ? 1 : 0, out);
  PutNumber(static_cast<std::uint64_t>(setting.clock), out);
  disk.Save(out);
  PutText(index, out);
  history.Save(out);
  PutNumber(acknowledged, out);
  PutNumber(handed_over, out);
  PutNumber(backed_up, out);
}

CrashState CrashState::Load(std::string_view* in) {
  CrashState state;
  state.subject = static_cast<Subject>(TakeNumber(in));
  state.setting.segment_bytes = TakeNumber(in);
  state.setting.durability = TakeNumber(in) == 1 ? Durability::kSync : Durability::kBuffered;
  state.setting.clock = static_cast<std::int64_t>(TakeNumber(in));
  state.disk = Disk::Load(in);
  state.index = std::string(TakeText(in));
  state.history = History::Load(in);
  state.acknowledged = TakeNumber(in);
  state.handed_over = TakeNumber(in);
  state.backed_up = TakeNumber(in);
  return state;
}

}  // namespace daybook::simulation
