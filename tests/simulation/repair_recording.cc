// A repair at work: a store is damaged in ways that can be mended, and mended. A crash in the
// middle must leave what the next repair mends.

#include <algorithm>
#include <utility>

#include "simulation/oracle.h"
#include "simulation/recording.h"

namespace daybook::simulation {
namespace {

// Writes to a disk that is not mounted, durably.
void Put(Disk* disk, std::uint32_t file, std::uint64_t offset, std::vector<std::byte> bytes) {
  Op op{.kind = Op::Kind::kWrite, .inode = file, .offset = offset};
  op.bytes = std::move(bytes);
  disk->Apply(op, 1);
  disk->Apply({.kind = Op::Kind::kSync, .inode = file}, 1);
}

void FlipBit(Disk* disk, std::uint32_t file, std::uint64_t bit) {
  std::byte byte = disk->Bytes(file).data()[bit / 8];
  byte ^= std::byte{1} << static_cast<int>(bit % 8);
  Put(disk, file, bit / 8, {byte});
}

// One bit of a frame, perhaps one of STORE, and perhaps a sidecar or two.
void Damage(Disk* disk, Random* random) {
  const std::uint32_t log = disk->Find("/store/log");
  std::vector<std::uint32_t> segments;
  for (const std::string& name : disk->Names(log)) {
    const std::uint32_t file = disk->FindIn(log, name);
    if (name.ends_with(".log")) segments.push_back(file);
    if (!name.ends_with(".idx")) continue;
    const std::uint64_t what = (*random)() % 4;
    if (what == 0) {
      disk->Apply({.kind = Op::Kind::kRemove, .inode = file, .folder = log, .name = name}, 1);
      disk->Apply({.kind = Op::Kind::kSyncFolder, .inode = log}, 1);
    } else if (what == 1) {
      FlipBit(disk, file, (*random)() % (disk->Bytes(file).size() * 8));
    }
  }
  const std::uint32_t segment = segments[(*random)() % segments.size()];
  const FileBytes& bytes = disk->Bytes(segment);
  std::uint64_t end = bytes.size();
  while (end > 0 && bytes.data()[end - 1] == std::byte{0}) --end;
  FlipBit(disk, segment, (*random)() % (end * 8));
  if ((*random)() % 4 == 0) {
    const std::uint32_t store = disk->Find("/store/STORE");
    FlipBit(disk, store, (*random)() % (disk->Bytes(store).size() * 8));
  }
}

}  // namespace

Recording RecordRepair(std::uint64_t seed, const StoreOpener& opener, std::string* problem) {
  Recording store = RecordWorkload(1, seed, opener, problem);
  if (!problem->empty()) return store;
  Disk whole = store.base;
  for (std::size_t i = 0; i < store.log.size(); ++i) {
    whole.Apply(store.log[i], static_cast<std::uint32_t>(i + 1));
  }
  whole = whole.Crash({Choice::Kind::kKept, 0, 0});
  const Bench bench;
  Random random(seed);
  for (int attempt = 0; attempt < 50; ++attempt) {
    Disk damaged = whole;
    Damage(&damaged, &random);
    bench.SetIndex(store.indexes.back().data);
    Mount mount(bench.root(), damaged);
    mount.StartLog();
    mount.Mark(store.history.size(), store.history.size());
    const auto report = Repair(bench.store(), {});
    // Not every bit can be told by its hash, and not every damage is one of the log.
    if (!report.ok() || report->restored + report->rebuilt == 0) continue;
    store.subject = Subject::kRepair;
    store.name = "repair";
    store.base = std::move(damaged);
    store.log = mount.TakeLog();
    store.indexes = {{0, std::move(store.indexes.back().data)}};
    return store;
  }
  *problem = "no damage could be repaired";
  return store;
}

std::string CheckRepairState(const Bench& bench, CrashState state, const CheckPlan& plan,
                             const StoreOpener& opener, Recording* again) {
  Mount mount(bench.root(), again != nullptr ? Disk(state.disk) : std::move(state.disk));
  bench.SetIndex(state.index);
  mount.StartLog();
  const std::uint64_t all = state.history.size();
  mount.Mark(all, all);
  const auto report = Repair(bench.store(), {});
  if (!report.ok()) return "the next repair: " + report.status().ToString();
  if (report->lost != 0) return "the next repair gives up events";
  const auto findings = Verify(bench.store(), {});
  if (!findings.ok()) return "verify after the next repair: " + findings.status().ToString();
  for (const Finding& finding : findings->findings) {
    return "verify after the next repair: " + finding.kind + " " + finding.file + ": " +
           finding.hint;
  }
  if (again != nullptr) {
    again->name = "repair again";
    again->subject = Subject::kRepair;
    again->setting = state.setting;
    again->base = std::move(state.disk);
    again->log = mount.TakeLog();
    again->history = state.history;
    again->indexes = {{0, state.index}};
  }
  std::string errors;
  const auto store = opener(bench.store(), state.setting.Options(&errors));
  if (!store.ok()) return "open after the next repair: " + store.status().ToString();
  std::uint64_t found = 0;
  std::string what = state.history.Check(**store, all, all, &found);
  if (!what.empty()) return "after the next repair: " + what;
  Random random(plan.seed);
  state.history.Plan(1, {}, &random);
  Commit commit = state.history.MakeCommit(all + 1);
  const auto appended = (*store)->Append(commit);
  return appended.ok() ? "" : "append after the next repair: " + appended.status().ToString();
}

}  // namespace daybook::simulation
