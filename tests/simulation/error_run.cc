#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "simulation/oracle.h"
#include "simulation/system_errors.h"

namespace daybook::simulation {
namespace {

using Code = absl::StatusCode;

// One store with a fault, from its creation to its second closing.
class Run {
 public:
  Run(const Bench& bench, const ErrorRun& run, const StoreOpener& opener, ErrorCounts* counts)
      : bench_(bench),
        run_(run),
        opener_(opener),
        counts_(counts),
        mount_(bench.root(), Disk()),
        random_(run.seed) {
    setting_.durability = run.durability;
    bench_.SetIndex("");
    mount_.SetFault(run.fault);
  }

  std::string Do() {
    Phase(30);
    if (problem_.empty()) Read();
    if (problem_.empty()) Phase(14);
    const std::uint64_t struck = mount_.struck();
    counts_->calls = mount_.calls();
    if (struck == 0) {
      ++counts_->unmet;
    } else {
      ++counts_->runs;
      counts_->strikes += struck;
      ++counts_->by_call[static_cast<std::size_t>(run_.fault.call)];
      if (!was_told_) ++counts_->unnoticed;
    }
    Heal();
    if (problem_.empty()) CheckEnd();
    store_.reset();
    return problem_;
  }

 private:
  void Wrong(const std::string& what) {
    if (problem_.empty()) problem_ = what;
  }
  void Heal() { mount_.SetFault(std::nullopt); }

  // Opens, appends so many commits, and closes; what fails is looked at, healed, and gone on from.
  void Phase(int commits) {
    Open();
    for (int i = 0; i < commits && problem_.empty(); ++i) {
      Append(random_() % 3 == 0 ? 1 + random_() % 4 : 1);
      if (random_() % 6 == 0 && problem_.empty()) Flush();
      if (i == commits / 2 && problem_.empty()) WaitIndexed();
    }
    if (!problem_.empty()) return;
    Flush();
    WaitIndexed();
    Close();
  }

  void Open() {
    for (int attempt = 0; attempt < 2 && problem_.empty(); ++attempt) {
      auto store = opener_(bench_.store(), setting_.Options(&errors_));
      if (store.ok()) {
        store_ = *std::move(store);
        CheckOpened();
        return;
      }
      if (attempt == 1) return Wrong("open after healing: " + store.status().ToString());
      was_told_ = true;
      ++counts_->open_refused;
      if (!IsErrorOfFault(store.status())) Wrong("open: " + store.status().ToString());
      Heal();
    }
  }

  // What the code of a failed call must be where it is handed on.
  [[nodiscard]] bool IsErrorOfFault(const absl::Status& status) const {
    switch (run_.fault.error) {
      case EIO:
        return status.code() == Code::kDataLoss;
      case ENOSPC:
      case EDQUOT:
        return status.code() == Code::kResourceExhausted;
      default:  // interrupted, where that is not gone on from
        return status.code() == Code::kFailedPrecondition;
    }
  }

  void CheckOpened() {
    std::uint64_t found = 0;
    const std::string what = history_.Check(*store_, acknowledged_, history_.size(), &found);
    if (!what.empty()) return Wrong("opened: " + what);
    if (store_->durable().value() != found)
      return Wrong("opened: durable() is not all that is there");
    // What was unknown is known now. What is not there may be appended by another id.
    history_.CutBehind(found);
    acknowledged_ = found;
    CheckDevice(found, "opened");
  }

  // If the power went now, so many events were there.
  void CheckDevice(std::uint64_t durable, const char* when) {
    ++counts_->device_compared;
    devices_.push_back({mount_.disk(), durable, history_, when});
    if (devices_.size() > 4) devices_.erase(devices_.begin());
  }

  void Append(std::size_t events) {
    const std::uint64_t first = history_.size() + 1;
    history_.Plan(events, {4, 500}, &random_);
    Commit commit = history_.MakeCommit(first);
    auto result = store_->Append(commit);
    bool healed = false;
    if (absl::IsResourceExhausted(result.status())) {
      was_told_ = true;
      ++counts_->append_refused;
      CheckNothingWritten(first);
      if (run_.fault.error == 0) Wrong("append: refused without cause");
      // The same store goes on once there is room.
      Heal();
      healed = true;
      result = store_->Append(commit);
      if (result.ok()) ++counts_->healthy_after_full_disk;
    }
    if (!result.ok() && healed)
      return Wrong("append after room was made: " + result.status().ToString());
    if (!result.ok()) return AppendFailed(first, result.status());
    if (std::string what = history_.Acknowledge(first, *result); !what.empty()) return Wrong(what);
    if (run_.durability == Durability::kSync) acknowledged_ = history_.size();
  }

  void CheckNothingWritten(std::uint64_t first) {
    std::uint64_t found = 0;
    const std::string what = history_.Check(*store_, acknowledged_, first - 1, &found);
    if (!what.empty()) Wrong("append refused for a full disk: " + what);
  }

  void AppendFailed(std::uint64_t first, const absl::Status& status) {
    was_told_ = true;
    const bool is_unknown = absl::IsUnknown(status);
    if (is_unknown) ++counts_->outcome_unknown;
    if (!is_unknown && !absl::IsFailedPrecondition(status)) {
      return Wrong("append: " + status.ToString());
    }
    // Refused because the store was poisoned before: then nothing of it was written.
    if (!is_unknown) history_.CutBehind(first - 1);
    CheckPoisoned();
    Reopen();
    if (!problem_.empty() || !is_unknown) return;
    Retry(first);
  }

  // After an unknown outcome the same commit is appended again; its ids say whether it is there.
  void Retry(std::uint64_t first) {
    const bool is_there = history_.size() >= first;
    if (!is_there) return;  // it was forgotten with what was not found
    Commit commit = history_.MakeCommit(first);
    const auto result = store_->Append(commit);
    if (!result.ok()) return Wrong("retry: " + result.status().ToString());
    if (!result->duplicate) return Wrong("retry: what is there was appended again");
    if (std::string what = history_.Acknowledge(first, *result); !what.empty())
      Wrong("retry: " + what);
  }

  void CheckPoisoned() {
    ++counts_->poisoned;
    const std::uint64_t durable = store_->durable().value();
    if (store_->visible().value() != durable) return Wrong("poisoned: visible() is not durable()");
    if (durable < acknowledged_)
      return Wrong("poisoned: durable() is behind what was acknowledged");
    std::uint64_t found = 0;
    const std::string what = history_.Check(*store_, durable, durable, &found);
    if (!what.empty()) return Wrong("poisoned: " + what);
    History more = history_;
    more.Plan(1, {}, &random_);
    Commit commit = more.MakeCommit(more.size());
    const auto again = store_->Append(commit);
    if (!absl::IsFailedPrecondition(again.status())) {
      return Wrong("poisoned: an append says " + again.status().ToString());
    }
    const absl::Status waited = store_->Flush();
    if (!waited.ok()) return Wrong("poisoned: what is durable is waited for: " + waited.ToString());
    CheckDevice(durable, "poisoned");
  }

  void Reopen() {
    store_.reset();
    errors_.clear();
    // The cache goes on and shows what the device may never have got.
    if (run_.fault.times == 1 && random_() % 2 == 0) Heal();
    if (problem_.empty()) Open();
  }

  void Flush() {
    const absl::Status flushed = store_->Flush();
    if (flushed.ok()) {
      acknowledged_ = std::max(acknowledged_, store_->durable().value());
      if (acknowledged_ < history_.size()) Wrong("flush: durable() is behind");
      return;
    }
    was_told_ = true;
    ++counts_->outcome_unknown;
    if (!absl::IsUnknown(flushed)) return Wrong("flush: " + flushed.ToString());
    CheckPoisoned();
    Reopen();
  }

  // What cannot be indexed is told, and nothing depends on it.
  void WaitIndexed() {
    const absl::Status indexed = store_->WaitIndexed();
    if (indexed.ok()) return;
    was_told_ = true;
    if (!IsErrorOfFault(indexed)) Wrong("index: " + indexed.ToString());
  }

  void Close() {
    const std::uint64_t durable = store_->durable().value();
    store_.reset();
    was_told_ = was_told_ || !errors_.empty();
    errors_.clear();
    CheckDevice(durable, "closed");
  }

  // Another process that reads, while the fault is there.
  void Read() {
    const auto reader = Reader::Open(bench_.store(), {});
    if (!reader.ok()) {
      was_told_ = true;
      if (!IsErrorOfFault(reader.status())) Wrong("reader: " + reader.status().ToString());
      return;
    }
    auto cursor = (*reader)->Read({});
    if (!cursor.ok()) {
      was_told_ = true;
      if (!IsErrorOfFault(cursor.status())) Wrong("read: " + cursor.status().ToString());
      return;
    }
    std::uint64_t position = 0;
    const absl::Status read = cursor->ForEach([&](const EventView& event) {
      if (++position > history_.size()) {
        Wrong("reader: more than was appended");
      } else if (const char* what = history_.at(position).Compare(event)) {
        Wrong(std::string("reader: ") + what);
      }
      return absl::OkStatus();
    });
    if (!read.ok()) {
      was_told_ = true;
      if (!IsErrorOfFault(read)) Wrong("read: " + read.ToString());
    }
  }

  void CheckEnd() {
    Open();
    if (!problem_.empty()) return;
    store_.reset();
    const auto report = Verify(bench_.store(), {});
    if (!report.ok()) return Wrong("verify: " + report.status().ToString());
    for (const Finding& finding : report->findings) {
      Wrong("verify: " + finding.kind + " " + finding.file + ": " + finding.hint);
    }
  }

 public:
  struct Device {
    Disk disk;
    std::uint64_t durable;
    History history;
    const char* when;
  };
  // What the device held at some moments; looked at after the mount is gone.
  std::vector<Device> TakeDevices() { return std::move(devices_); }
  [[nodiscard]] const Setting& setting() const { return setting_; }

 private:
  const Bench& bench_;
  const ErrorRun& run_;
  const StoreOpener& opener_;
  ErrorCounts* const counts_;
  Mount mount_;
  Random random_;
  Setting setting_;
  History history_;
  std::uint64_t acknowledged_ = 0;
  bool was_told_ = false;
  std::string errors_, problem_;
  std::vector<Device> devices_;
  std::unique_ptr<Store> store_;
};

}  // namespace

std::string RunWithFault(const Bench& bench, const ErrorRun& run, const StoreOpener& opener,
                         ErrorCounts* counts) {
  std::vector<Run::Device> devices;
  Setting setting;
  {
    Run one(bench, run, opener, counts);
    std::string what = one.Do();
    if (!what.empty()) return what;
    devices = one.TakeDevices();
    setting = one.setting();
  }
  Random random(run.seed);
  for (Run::Device& device : devices) {
    for (const Choice::Kind kind : {Choice::Kind::kLost, Choice::Kind::kSectors}) {
      CrashState state;
      state.setting = setting;
      state.disk = device.disk.Crash({kind, 0, random()});
      state.history = device.history;
      state.acknowledged = device.durable;
      state.handed_over = device.history.size();
      const std::string what = CheckCrashState(bench, std::move(state), {}, opener, nullptr);
      if (!what.empty()) return std::string(device.when) + ", and then the power goes: " + what;
    }
  }
  return "";
}

}  // namespace daybook::simulation
