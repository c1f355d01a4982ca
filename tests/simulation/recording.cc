#include "simulation/recording.h"

#include <stdlib.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

namespace daybook::simulation {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFirstClock = std::int64_t{1'700'000'000} * 1'000'000'000;

}  // namespace

Bench::Bench() {
  const char* const parent = fs::exists("/dev/shm") ? "/dev/shm" : "/tmp";
  std::string name = std::string(parent) + "/daybook-simulation-XXXXXX";
  // Without a folder every use of it fails, with its own message.
  if (mkdtemp(name.data()) != nullptr) root_ = name;
  fs::create_directories(store() + "/index");
}

Bench::~Bench() {
  std::error_code ignored;
  if (!root_.empty()) fs::remove_all(root_, ignored);
}

std::string Bench::Index() const {
  std::ifstream in(store() + "/index/data.mdb", std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Bench::SetIndex(const std::string& data) const {
  const std::string folder = store() + "/index/";
  fs::remove(folder + "lock.mdb");
  fs::remove(folder + "data.mdb");
  if (data.empty()) return;
  std::ofstream out(folder + "data.mdb", std::ios::binary);
  out.write(data.data(), static_cast<std::streamsize>(data.size()));
}

StoreOptions Setting::Options(std::string* errors) const {
  StoreOptions options;
  options.segment_bytes_max = segment_bytes;
  options.durability = durability;
  options.sync_interval = std::chrono::hours(1);
  options.clock = [now = std::make_shared<std::atomic<std::int64_t>>(kFirstClock + clock)] {
    return Timestamp(now->fetch_add(1000));
  };
  if (errors != nullptr) {
    options.on_notice = [errors](const Notice& notice) {
      if (notice.severity == Notice::Severity::kError) *errors += notice.message + "\n";
    };
  }
  return options;
}

Driver::Driver(const Bench* bench, Mount* mount, Setting setting, std::uint64_t seed,
               StoreOpener opener)
    : bench_(bench),
      mount_(mount),
      setting_(setting),
      seed_(seed),
      opener_(std::move(opener)),
      random_(seed) {
  bench_->SetIndex("");
  mount_->StartLog();
}

Driver::~Driver() {
  mount_->MarkAtSyncs(nullptr);
  store_.reset();
}

void Driver::Failed(const std::string& what) {
  if (problem_.empty()) problem_ = what;
}

void Driver::Mark() { mount_->Mark(acknowledged_, history_.size(), backed_up_); }

void Driver::SetBackedUp(std::uint64_t events) {
  backed_up_ = events;
  Mark();
}

void Driver::KeepIndex() { indexes_.push_back({mount_->log_size(), bench_->Index()}); }

void Driver::Open() {
  if (!problem_.empty()) return;
  auto store = opener_(bench_->store(), setting_.Options(&errors_));
  if (!store.ok()) return Failed("open: " + store.status().ToString());
  store_ = *std::move(store);
  // What somebody can see who is told of durable events only, a crash within the next sync must not
  // take away.
  mount_->MarkAtSyncs([store = store_.get(), syncs = setting_.durability == Durability::kSync] {
    return (syncs ? store->visible() : store->durable()).value();
  });
}

void Driver::Close() {
  mount_->MarkAtSyncs(nullptr);
  store_.reset();
  if (!errors_.empty()) Failed("notice: " + errors_);
  acknowledged_ = history_.size();
  Mark();
  KeepIndex();
}

void Driver::Append(std::size_t events) {
  if (!problem_.empty()) return;
  const std::uint64_t first = history_.size() + 1;
  history_.Plan(events, shape_, &random_);
  Commit commit = history_.MakeCommit(first);
  Mark();
  const auto result = store_->Append(commit);
  if (!result.ok()) return Failed("append: " + result.status().ToString());
  if (std::string what = history_.Acknowledge(first, *result); !what.empty()) return Failed(what);
  acknowledged_ = std::max(acknowledged_, store_->durable().value());
  if (setting_.durability == Durability::kSync && acknowledged_ < history_.size()) {
    return Failed("append: durable() is behind what was acknowledged");
  }
  Mark();
}

void Driver::AppendAsync(std::size_t events) {
  if (!problem_.empty()) return;
  const std::uint64_t first = history_.size() + 1;
  history_.Plan(events, shape_, &random_);
  Commit commit = history_.MakeCommit(first);
  Mark();
  const auto result = store_->AppendAsync(std::move(commit));
  if (!result.ok()) return Failed("append: " + result.status().ToString());
  if (std::string what = history_.Acknowledge(first, *result); !what.empty()) return Failed(what);
}

void Driver::Flush() {
  if (!problem_.empty()) return;
  const absl::Status waited = store_->WaitDurable(Position(history_.size()));
  if (!waited.ok()) return Failed("flush: " + waited.ToString());
  acknowledged_ = history_.size();
  Mark();
}

void Driver::WaitIndexed() {
  if (!problem_.empty()) return;
  const absl::Status waited = store_->WaitIndexed();
  if (!waited.ok()) return Failed("index: " + waited.ToString());
  KeepIndex();
}

void Driver::Idle(std::chrono::milliseconds time) { std::this_thread::sleep_for(time); }

Recording Driver::Take(std::string name) {
  Recording recording;
  recording.name = std::move(name);
  recording.seed = seed_;
  recording.setting = setting_;
  recording.log = mount_->TakeLog();
  recording.history = history_;
  recording.indexes = std::move(indexes_);
  return recording;
}

namespace {

// Made from nothing, three events, closed: small enough for every state there is.
void Creation(Driver* driver) {
  driver->Open();
  driver->Append(1);
  driver->Append(2);
  driver->Close();
}

// Commits of one and of many events over several segments, closed and opened again.
void Segments(Driver* driver) {
  driver->Open();
  for (int i = 0; i < 45; ++i) {
    driver->Append(driver->random()() % 4 == 0 ? 2 + driver->random()() % 5 : 1);
    if (i % 15 == 14) driver->WaitIndexed();
    if (i == 25) {
      driver->Close();
      driver->Open();
    }
  }
  driver->WaitIndexed();
  driver->Close();
}

// Visible before durable; groups of asynchronous appends; the interval sync never comes.
void Buffered(Driver* driver) {
  driver->Open();
  for (int i = 0; i < 40; ++i) {
    const std::size_t events = 1 + driver->random()() % 3;
    if (driver->random()() % 2 == 0) {
      driver->Append(events);
    } else {
      driver->AppendAsync(events);
    }
    if (driver->random()() % 8 == 0) driver->Flush();
    if (i == 20) driver->WaitIndexed();
  }
  driver->Flush();
  driver->Close();
}

// Asynchronous appends in a store that syncs each group.
void Groups(Driver* driver) {
  driver->Open();
  for (int i = 0; i < 12; ++i) {
    for (auto n = driver->random()() % 5; n > 0; --n) {
      driver->AppendAsync(1 + driver->random()() % 3);
    }
    driver->Flush();
  }
  driver->Close();
}

// Commits larger than a segment, also as the first of a segment that is empty.
void LargeCommits(Driver* driver) {
  driver->set_shape({3, 9000});
  driver->Open();
  for (int i = 0; i < 10; ++i) driver->Append(1 + driver->random()() % 6);
  driver->WaitIndexed();
  driver->Close();
  driver->Open();
  driver->Append(5);
  driver->Close();
}

// Opened and closed again and again, with a pause for the idle watermark.
void Reopening(Driver* driver) {
  for (int i = 0; i < 6; ++i) {
    driver->Open();
    for (auto n = driver->random()() % 4; n > 0; --n) driver->Append(1 + driver->random()() % 2);
    if (i % 2 == 1) Driver::Idle(std::chrono::milliseconds(70));
    driver->Close();
  }
}

// Larger segments, sealed by their size at the close.
void LargerSegments(Driver* driver) {
  driver->set_shape({8, 1500});
  driver->Open();
  for (int i = 0; i < 60; ++i) driver->Append(1 + driver->random()() % 3);
  driver->WaitIndexed();
  driver->Close();
}

struct Workload {
  const char* name;
  void (*run)(Driver*);
  Setting setting;
};
const std::array<Workload, kWorkloads> kAllWorkloads = {{
    {"creation", Creation, {}},
    {"segments", Segments, {}},
    {"buffered", Buffered, {.durability = Durability::kBuffered}},
    {"groups", Groups, {}},
    {"large_commits", LargeCommits, {}},
    {"reopening", Reopening, {}},
    {"larger_segments", LargerSegments, {.segment_bytes = 64 << 10}},
    {"repair", nullptr, {}},
    {"backup", nullptr, {}},
}};

}  // namespace

const char* WorkloadName(std::size_t workload) { return kAllWorkloads[workload].name; }

Recording RecordWorkload(std::size_t workload, std::uint64_t seed, const StoreOpener& opener,
                         std::string* problem) {
  const Workload& chosen = kAllWorkloads[workload];
  if (workload == kRepairWorkload) return RecordRepair(seed, opener, problem);
  if (workload == kBackupWorkload) return RecordBackup(seed, opener, problem);
  const Bench bench;
  Mount mount(bench.root(), Disk());
  Driver driver(&bench, &mount, chosen.setting, seed, opener);
  chosen.run(&driver);
  *problem = driver.problem();
  return driver.Take(problem->empty() ? chosen.name : "");
}

}  // namespace daybook::simulation
