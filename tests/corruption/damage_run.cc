#include "tests/corruption/damage_run.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <iostream>
#include <new>

#include "absl/strings/str_cat.h"
#include "tests/counted.h"

namespace daybook::testing {
namespace {

constexpr std::size_t kWorkers = 2;
constexpr std::size_t kFailuresMax = 20;
constexpr std::size_t kFailuresShown = 12;
constexpr std::size_t kChunk = 32;
constexpr unsigned kSecondsMax = 60;  // for one case; a hang, else

// What the processes share. A job that is being judged stands in `at`, so that a death has a name.
struct Shared {
  struct Worker {
    std::atomic<std::size_t> at{SIZE_MAX};
    std::atomic<std::size_t> end{0};  // of the chunk
    Counts counts{};
  };
  struct Failure {
    std::size_t job = 0;
    char text[1000] = {};
  };
  std::atomic<std::size_t> next{0};
  std::atomic<std::size_t> failures{0};
  std::array<Worker, kWorkers> workers;
  std::array<Failure, kFailuresMax> failed;

  void Fail(std::size_t job, const std::string& text) {
    const std::size_t place = failures.fetch_add(1);
    if (place >= kFailuresMax) return;
    failed[place].job = job;
    std::strncpy(failed[place].text, text.c_str(), sizeof failed[place].text - 1);
  }
};

class Run {
 public:
  Run(const Suite& suite, const std::vector<Shape>& shapes, std::filesystem::path folder)
      : suite_(suite), shapes_(shapes), folder_(std::move(folder)), jobs_(suite.jobs(shapes)) {
    void* memory =
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    shared_ = new (memory) Shared;
  }
  ~Run() { munmap(shared_, sizeof(Shared)); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  bool Do();

 private:
  [[noreturn]] void Work(std::size_t worker);
  void Await();
  void Report(double seconds) const;
  [[nodiscard]] std::string Name(std::size_t job) const {
    const DamageCase& damage = jobs_[job].damage;
    return ToText(damage, shapes_[damage.shape].name, shapes_[damage.shape].names);
  }

  const Suite& suite_;
  const std::vector<Shape>& shapes_;
  const std::filesystem::path folder_;
  const std::vector<Job> jobs_;
  Shared* shared_;
  std::array<pid_t, kWorkers> pids_{};
};

// A worker that follows a dead one goes on behind the job that killed it.
void Run::Work(std::size_t worker) {
  Lab lab(folder_ / absl::StrCat("lab-", worker), shapes_);
  Shared::Worker& mine = shared_->workers[worker];
  for (;;) {
    std::size_t at = mine.at.load();
    at = at == SIZE_MAX ? SIZE_MAX : at + 1;
    if (at == SIZE_MAX || at >= mine.end.load()) {
      at = shared_->next.fetch_add(kChunk);
      mine.end.store(std::min(at + kChunk, jobs_.size()));
    }
    if (at >= jobs_.size() || shared_->failures.load() >= kFailuresMax) _exit(0);
    mine.at.store(at);
    alarm(kSecondsMax);
    const std::string wrong = lab.Judge(jobs_[at].damage, jobs_[at].levels, &mine.counts);
    alarm(0);
    if (!wrong.empty()) shared_->Fail(at, wrong);
  }
}

void Run::Await() {
  std::size_t running = kWorkers;
  while (running > 0) {
    int ended = 0;
    const pid_t pid = waitpid(-1, &ended, 0);
    const auto worker =
        static_cast<std::size_t>(std::find(pids_.begin(), pids_.end(), pid) - pids_.begin());
    if (pid < 0) return;
    if (worker == kWorkers) continue;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) {
      --running;
      continue;
    }
    const std::size_t job = shared_->workers[worker].at.load();
    shared_->Fail(job, WIFSIGNALED(ended)
                           ? absl::StrCat("killed the process: ", strsignal(WTERMSIG(ended)))
                           : absl::StrCat("ended the process with ", WEXITSTATUS(ended)));
    std::filesystem::remove_all(folder_ / absl::StrCat("lab-", worker));
    pids_[worker] = fork();
    if (pids_[worker] == 0) Work(worker);
  }
}

bool Run::Do() {
  const auto start = std::chrono::steady_clock::now();
  std::cout.flush();
  for (std::size_t worker = 0; worker < kWorkers; ++worker) {
    pids_[worker] = fork();
    if (pids_[worker] == 0) Work(worker);
  }
  Await();
  Report(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  const std::size_t failures = shared_->failures.load();
  if (suite_.must_fail) return failures == jobs_.size();
  return failures == 0 && !jobs_.empty();
}

void Run::Report(double seconds) const {
  const std::size_t failures = shared_->failures.load();
  std::filesystem::path kept;
  if (failures != 0 && !suite_.must_fail) {
    kept = std::filesystem::current_path() / "damage-failed";
    SaveShapes(shapes_, kept);
  }
  for (std::size_t i = 0; i < std::min(failures, kFailuresShown); ++i) {
    const std::string name = Name(shared_->failed[i].job);
    std::cout << (suite_.must_fail ? "fails, as it must: " : "FAILED: ") << name << ": "
              << shared_->failed[i].text << "\n";
    if (!kept.empty()) {
      std::cout << "  again: daybook_damage --store " << kept.native() << " --case '" << name
                << "'\n";
    }
  }
  testing::Counted counted("damage." + std::string(suite_.name));
  counted.Add("jobs", jobs_.size());
  for (std::size_t c = 0; c < kCounts; ++c) {
    std::uint64_t sum = 0;
    for (const Shared::Worker& worker : shared_->workers) sum += worker.counts[c];
    counted.Add(NameOf(static_cast<Count>(c)), sum);
  }
  counted.Add(suite_.must_fail ? "failed_as_they_must" : "failed", failures)
      .AddSeconds("seconds", seconds)
      .Print();
}

}  // namespace

bool RunSuite(const Suite& suite, const std::vector<Shape>& shapes,
              const std::filesystem::path& folder) {
  return Run(suite, shapes, folder).Do();
}

}  // namespace daybook::testing
