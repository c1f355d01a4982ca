// Appends of many threads, conditional ones and repeated ones, and what was said of them: is there
// an order, one at a time, in which all of it is true?

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/mutex.h"
#include "concurrency/linear_history.h"
#include "crash/process.h"
#include "tests/catch.h"
#include "tests/counted.h"
#include "tests/temp_store.h"

namespace daybook::testing {
namespace {

using Outcome = Operation::Outcome;

// ---- Histories made by hand, of which the checker must know good from bad. ----

EventId Id(std::uint64_t number) {
  EventId::Bytes bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[15 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  bytes[0] = 1;
  return EventId(bytes);
}

// An append of one event to stream "a", at a place.
Operation Appended(std::uint64_t invoked, std::uint64_t responded, std::uint64_t position,
                   std::uint64_t version) {
  Operation op;
  op.invoked = invoked;
  op.responded = op.visible_at = responded;
  op.append.events = {{"a", Id(position), "t"}};
  op.placed = {{position, version}};
  return op;
}
Operation Expecting(Operation op, ExpectedVersion expected) {
  op.append.expected = {{"a", expected}};
  return op;
}
Operation Read(std::uint64_t invoked, std::uint64_t responded, Outcome outcome,
               std::uint64_t actual) {
  Operation op;
  op.invoked = invoked;
  op.responded = responded;
  op.outcome = outcome;
  op.stream = "a";
  op.actual = actual;
  op.append.events = {{"a", Id(99), "t"}};
  op.append.expected = {{"a", ExpectedVersion::Exactly(Version(77))}};
  op.append.conditions = {{"t", 1}};
  return op;
}
Operation Again(std::uint64_t invoked, std::uint64_t responded, std::uint64_t position,
                std::uint64_t version) {
  Operation op = Appended(invoked, responded, position, version);
  op.outcome = Outcome::kDuplicate;
  return op;
}
std::string Verdict(std::vector<Operation> operations) {
  return LinearHistory(std::move(operations)).Check();
}

}  // namespace

TEST_CASE("the checker passes what is linearizable", "[linear]") {
  CHECK(Verdict({}) == "");
  CHECK(Verdict({Appended(1, 2, 1, 1), Appended(3, 4, 2, 2)}) == "");
  // Two that overlap may stand in either order.
  CHECK(Verdict({Appended(1, 4, 2, 2), Appended(2, 3, 1, 1)}) == "");
  // A conflict may have seen the state before or after one that overlaps with it.
  for (const std::uint64_t actual : {std::uint64_t{1}, std::uint64_t{2}}) {
    CHECK(Verdict({Appended(1, 2, 1, 1), Appended(3, 6, 2, 2),
                   Read(4, 5, Outcome::kVersionConflict, actual)}) == "");
  }
  CHECK(Verdict({Appended(1, 2, 1, 1), Appended(3, 6, 2, 2), Again(4, 5, 2, 2)}) == "");
  // An asynchronous append is not visible when it returns.
  Operation unseen = Appended(1, 2, 1, 1);
  unseen.visible_at = 7;
  CHECK(Verdict({unseen, Read(3, 4, Outcome::kHead, 0)}) == "");
}

TEST_CASE("the checker finds every bad history", "[linear]") {
  const Operation one = Appended(1, 2, 1, 1), two = Appended(3, 4, 2, 2);
  std::vector<std::pair<const char*, std::vector<Operation>>> bad = {
      {"a lost update",
       {Expecting(one, ExpectedVersion::NoStream()), Expecting(two, ExpectedVersion::NoStream())}},
      {"a gap", {one, Appended(3, 4, 3, 2)}},
      {"a position twice", {one, Appended(3, 4, 1, 2)}},
      {"a version twice", {one, Appended(3, 4, 2, 1)}},
      {"real time", {Appended(1, 2, 2, 2), Appended(3, 4, 1, 1)}},
      {"a conflict with a state of the past", {one, two, Read(5, 6, Outcome::kVersionConflict, 1)}},
      {"a conflict with a state of the future",
       {one, Read(3, 4, Outcome::kVersionConflict, 2), Appended(5, 6, 2, 2)}},
      {"a conflict with a version that never was", {one, Read(3, 4, Outcome::kVersionConflict, 9)}},
      {"a conflict that was none",
       {one, Expecting(Read(3, 4, Outcome::kVersionConflict, 1), ExpectedVersion::Any())}},
      {"time that goes back between two looks",
       {one, Appended(3, 10, 2, 2), Read(4, 5, Outcome::kHead, 2), Read(6, 7, Outcome::kHead, 1)}},
      {"and between two conflicts of other threads",
       {one, Appended(3, 10, 2, 2), Read(4, 6, Outcome::kVersionConflict, 2),
        Read(7, 9, Outcome::kVersionConflict, 1)}},
      {"a head that does not see what is visible", {one, Read(3, 4, Outcome::kHead, 0)}},
      {"a head that sees what was not begun",
       {Read(1, 2, Outcome::kHead, 1), Appended(3, 4, 1, 1)}},
      {"a duplicate of nothing", {one, Again(3, 4, 2, 2)}},
      {"a duplicate of what comes later", {Again(1, 2, 1, 1), Appended(3, 4, 1, 1)}},
      {"something that exists and does not", {one, Read(3, 4, Outcome::kAlreadyExists, 0)}},
      {"a conflict with an event that is not behind",
       {one, two, Read(5, 6, Outcome::kConditionConflict, 1)}},
      {"a conflict with an event that comes later",
       {one, Read(3, 4, Outcome::kConditionConflict, 2), Appended(5, 6, 2, 2)}},
  };
  Operation twice = two;
  twice.append.events[0].id = Id(1);
  bad.push_back({"an id twice", {one, twice}});
  Operation elsewhere = Again(5, 6, 1, 1);
  elsewhere.placed = {{2, 2}};
  bad.push_back({"a duplicate at another place", {one, two, elsewhere}});
  Operation despite = Appended(5, 6, 3, 3);
  despite.append.conditions = {{"t", 1}};
  bad.push_back({"an append although its condition matched", {one, two, despite}});
  Operation half = one;
  half.append.events.push_back({"b", Id(50), "t"});
  half.placed.emplace_back(3, 1);
  bad.push_back({"half a commit", {half, two}});
  Operation pair = one;
  pair.append.events.push_back({"a", Id(50), "t"});
  pair.placed.emplace_back(2, 2);
  bad.push_back({"a head in the middle of a commit", {pair, Read(3, 4, Outcome::kHead, 1)}});
  Operation refused = Again(3, 4, 1, 1);
  refused.outcome = Outcome::kAlreadyExists;
  bad.push_back({"a duplicate that is refused", {one, refused}});
  for (const auto& [what, operations] : bad) {
    INFO(what);
    CHECK(Verdict(operations) != "");
  }
}

namespace {

// ---- Histories of a store. ----

constexpr std::size_t kThreads = 8;

struct Shared {
  explicit Shared(Store* of) : store(of) {}
  Store* const store;
  std::atomic<std::uint64_t> clock{1};
  std::atomic<std::uint64_t> next_id{1};
  Mutex mutex;
  std::vector<PlannedAppend> pool DAYBOOK_GUARDED_BY(mutex);
  std::string wrong DAYBOOK_GUARDED_BY(mutex);

  void Wrong(const std::string& what) {
    MutexLock lock(mutex);
    if (wrong.empty()) wrong = what;
  }
};

class Worker {
 public:
  Worker(Shared* shared, std::uint64_t seed) : shared_(shared), random_(seed) {}

  void Run(int operations) {
    for (int i = 0; i < operations; ++i) {
      if (random_() % 8 == 0) {
        LookAtHead();
      } else {
        Append();
      }
    }
  }
  std::vector<Operation> Take() { return std::move(operations_); }

 private:
  std::string AnyStream() { return "s-" + std::to_string(random_() % 4); }
  std::string AnyTag() { return "tag:" + std::to_string(random_() % 5); }

  void LookAtHead() {
    Operation op;
    op.outcome = Outcome::kHead;
    op.stream = AnyStream();
    op.invoked = shared_->clock++;
    const auto head = shared_->store->Head(op.stream);
    op.responded = shared_->clock++;
    if (!head.ok()) return shared_->Wrong(head.status().ToString());
    op.actual = head->version.value();
    known_[op.stream] = op.actual;
    operations_.push_back(std::move(op));
  }

  ExpectedVersion Guess(const std::string& stream) {
    switch (random_() % 8) {
      case 0:
        return ExpectedVersion::NoStream();
      case 1:
        return ExpectedVersion::StreamExists();
      default:
        return ExpectedVersion::Exactly(Version(known_[stream]));
    }
  }

  PlannedAppend Plan() {
    PlannedAppend plan;
    for (auto n = 1 + random_() % 3; n > 0; --n) {
      plan.events.push_back({AnyStream(), Id(shared_->next_id++), AnyTag()});
    }
    // Of a stream that is written to, or of one that is only checked.
    if (random_() % 2 == 0) {
      const std::string stream = random_() % 2 == 0 ? plan.events[0].stream : AnyStream();
      plan.expected.emplace_back(stream, Guess(stream));
    }
    if (random_() % 4 == 0) {
      plan.conditions.push_back({AnyTag(), shared_->store->visible().value()});
    }
    MutexLock lock(shared_->mutex);
    if (!shared_->pool.empty() && random_() % 4 == 0) {
      // A commit that another thread makes now, or made before; now and then only a part of it.
      plan = shared_->pool[shared_->pool.size() - 1 -
                           random_() % std::min<std::size_t>(shared_->pool.size(), 12)];
      if (random_() % 4 == 0) plan.events.push_back({"s-0", Id(shared_->next_id++), "tag:0"});
    } else {
      shared_->pool.push_back(plan);
    }
    return plan;
  }

  static Commit MakeCommit(const PlannedAppend& plan, Shared* shared) {
    Commit commit;
    absl::Status status;
    for (const PlannedAppend::Event& event : plan.events) {
      NewEvent one;
      one.type = "Happened";
      const std::string data(40 + event.id.bytes()[15], 'x');
      one.data = AsBytes(data);
      one.id = event.id;
      one.tags = {event.tag};
      status.Update(commit.Add(event.stream, one));
    }
    for (const auto& [stream, expected] : plan.expected) {
      status.Update(commit.Expect(stream, expected));
    }
    for (const PlannedAppend::NoneAfter& condition : plan.conditions) {
      status.Update(commit.Require({{{{}, {condition.tag}}}, Position(condition.position)}));
    }
    if (!status.ok()) shared->Wrong(status.ToString());
    return commit;
  }

  void Append() {
    Operation op;
    op.append = Plan();
    Commit commit = MakeCommit(op.append, shared_);
    const bool asynchronous = random_() % 4 == 0;
    op.invoked = shared_->clock++;
    const auto result = asynchronous ? shared_->store->AppendAsync(std::move(commit))
                                     : shared_->store->Append(commit);
    op.responded = shared_->clock++;
    if (!asynchronous) op.visible_at = op.responded;
    if (!Understand(result, &op)) return shared_->Wrong(result.status().ToString());
    if (result.ok() && asynchronous && random_() % 4 != 0) {
      const absl::Status durable = shared_->store->WaitDurable(result->last_position);
      if (!durable.ok()) return shared_->Wrong(durable.ToString());
      op.visible_at = shared_->clock++;
    }
    operations_.push_back(std::move(op));
  }

  bool Understand(const absl::StatusOr<AppendResult>& result, Operation* op) {
    if (result.ok()) {
      op->outcome = result->duplicate ? Outcome::kDuplicate : Outcome::kAppended;
      for (std::size_t i = 0; i < result->events.size(); ++i) {
        const AppendedEvent& event = result->events[i];
        op->placed.emplace_back(event.position.value(), event.version.value());
        known_[op->append.events[i].stream] = event.version.value();
        if (event.id != op->append.events[i].id) shared_->Wrong("the id of an appended event");
      }
      return true;
    }
    if (absl::IsAlreadyExists(result.status())) {
      op->outcome = Outcome::kAlreadyExists;
      return true;
    }
    const auto conflict = ConflictOf(result.status());
    if (!absl::IsAborted(result.status()) || !conflict) return false;
    const bool version = !conflict->stream.empty();
    op->outcome = version ? Outcome::kVersionConflict : Outcome::kConditionConflict;
    op->stream = conflict->stream;
    op->actual = version ? conflict->actual.value() : conflict->matched.value();
    if (version) known_[op->stream] = op->actual;
    return true;
  }

  Shared* shared_;
  std::mt19937_64 random_;
  std::map<std::string, std::uint64_t> known_;
  std::vector<Operation> operations_;
};

// What the store holds is what the history says.
std::string CompareWithStore(const Store& store, const std::vector<Operation>& operations) {
  std::map<std::uint64_t, const PlannedAppend::Event*> events;
  for (const Operation& op : operations) {
    if (op.outcome != Outcome::kAppended) continue;
    for (std::size_t i = 0; i < op.placed.size(); ++i) {
      events[op.placed[i].first] = &op.append.events[i];
    }
  }
  auto cursor = store.Read({});
  if (!cursor.ok()) return cursor.status().ToString();
  std::size_t count = 0;
  const absl::Status read = cursor->ForEach([&](const EventView& event) {
    const auto found = events.find(event.position.value());
    ++count;
    return found != events.end() && found->second->id == event.id &&
                   found->second->stream == event.stream && event.tags.Contains(found->second->tag)
               ? absl::OkStatus()
               : absl::InternalError("another event at " + std::to_string(event.position.value()));
  });
  if (!read.ok()) return read.ToString();
  return count == events.size() ? "" : "the store holds " + std::to_string(count) + " events";
}

struct Totals {
  std::uint64_t histories = 0, operations = 0, overlaps = 0;
  std::map<Outcome, std::uint64_t> outcomes;
};

void RunOne(std::uint64_t seed, int operations, StoreOptions options, Totals* totals) {
  CAPTURE(seed);
  TempFolder folder;
  const auto store = Store::Open(folder / "store", options);
  REQUIRE_OK(store);
  Shared shared(store->get());
  std::vector<Worker> workers;
  for (std::size_t i = 0; i < kThreads; ++i) workers.emplace_back(&shared, seed * 100 + i);
  std::vector<std::thread> threads;
  for (Worker& worker : workers)
    threads.emplace_back([&worker, operations] { worker.Run(operations); });
  for (std::thread& thread : threads) thread.join();
  {
    MutexLock lock(shared.mutex);
    REQUIRE(shared.wrong == "");
  }
  std::vector<Operation> all;
  for (Worker& worker : workers) {
    for (Operation& op : worker.Take()) all.push_back(std::move(op));
  }
  // Of the asynchronous ones nobody may have waited for.
  std::uint64_t last = 0;
  for (const Operation& op : all) {
    for (const auto& [position, version] : op.placed) last = std::max(last, position);
  }
  REQUIRE_OK((*store)->WaitVisible(Position(last), std::chrono::seconds(60)));
  REQUIRE(CompareWithStore(**store, all) == "");
  LinearHistory history(all);
  REQUIRE(history.Check() == "");
  ++totals->histories;
  totals->operations += all.size();
  totals->overlaps += history.Overlaps();
  for (int outcome = 0; outcome <= static_cast<int>(Outcome::kHead); ++outcome) {
    totals->outcomes[static_cast<Outcome>(outcome)] += history.Count(static_cast<Outcome>(outcome));
  }
}

}  // namespace

TEST_CASE("histories of concurrent conditional appends are linearizable", "[linear]") {
  const bool shortened = std::getenv("DAYBOOK_TEST_SHORT") != nullptr;
  const std::uint64_t seed = Seed("daybook_concurrency_test '[linear]'");
  const int histories = Cycles(60, 6);
  Totals totals;
  for (int i = 0; i < histories; ++i) {
    StoreOptions options = SmallSegments();
    if (i % 3 == 1) options.cached_heads_max = 1;
    if (i % 3 == 2) {
      options.durability = Durability::kBuffered;
      options.sync_interval = std::chrono::milliseconds(2);
    }
    RunOne(seed + static_cast<std::uint64_t>(i), shortened ? 60 : 150, options, &totals);
  }
  Counted("linear")
      .Add("histories", totals.histories)
      .Add("operations", totals.operations)
      .Add("overlapping_pairs", totals.overlaps)
      .Add("appended", totals.outcomes[Outcome::kAppended])
      .Add("duplicates", totals.outcomes[Outcome::kDuplicate])
      .Add("already_exist", totals.outcomes[Outcome::kAlreadyExists])
      .Add("version_conflicts", totals.outcomes[Outcome::kVersionConflict])
      .Add("condition_conflicts", totals.outcomes[Outcome::kConditionConflict])
      .Add("heads", totals.outcomes[Outcome::kHead])
      .Add("violations", 0)
      .Print();
  for (const auto& [outcome, count] : totals.outcomes) {
    CAPTURE(static_cast<int>(outcome));
    CHECK(count > 0);
  }
}

}  // namespace daybook::testing
