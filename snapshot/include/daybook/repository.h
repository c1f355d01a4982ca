// Aggregates: the state of a stream, now and at any moment, and decisions made on it.
//
//   daybook::Repository<AccountFold> accounts(*store, AccountFold(), {.snapshots = snapshots});
//   auto account = accounts.Load("account-42");                    // now
//   auto past = accounts.LoadAt("account-42", daybook::AsOf::RecordedAt(then));
//   auto done = accounts.Transact("account-42",
//       [&](const Account& account, daybook::Decision& decision) -> absl::Status {
//         if (account.cents < 500) return absl::FailedPreconditionError("not enough money");
//         return decision.Add({.type = "Withdrawn", .data = daybook::AsBytes(R"({"cents":500})")});
//       });

#ifndef DAYBOOK_REPOSITORY_H_
#define DAYBOOK_REPOSITORY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/fold.h"
#include "daybook/moment.h"
#include "daybook/snapshots.h"
#include "daybook/store.h"

namespace daybook {

// In which order the events of a state were folded.
enum class FoldOrder : std::uint8_t {
  kPosition,   // as they were recorded
  kEffective,  // by (effective_at, position): wherever there is an effective bound
};

// What a state rests on.
struct StateInfo {
  Basis basis;
  std::uint64_t events = 0;  // that the state is made of
  FoldOrder order = FoldOrder::kPosition;
  std::uint64_t folded = 0;  // of them, those that this load had to fold
  Version snapshot;          // the version of the snapshot (or cached state) it began at; 0: none
};

// The latest state of a stream: what a decision can be based on. Cheap to copy; the state is shared
// and does not change.
template <class State>
class Aggregate {
 public:
  Aggregate(std::string stream, std::shared_ptr<const State> state, StateInfo info)
      : stream_(std::move(stream)), state_(std::move(state)), info_(info) {}
  [[nodiscard]] const std::string& stream() const { return stream_; }
  [[nodiscard]] const State& state() const { return *state_; }
  [[nodiscard]] Version version() const { return info_.basis.version; }
  [[nodiscard]] const StateInfo& info() const { return info_; }

 private:
  std::string stream_;
  std::shared_ptr<const State> state_;
  StateInfo info_;
};

// The state of a stream at a moment in the past: to be read, and nothing else. It does not convert
// to an Aggregate, so nothing can be appended on the strength of it.
template <class State>
class PastState {
 public:
  PastState(std::shared_ptr<const State> state, StateInfo info)
      : state_(std::move(state)), info_(info) {}
  [[nodiscard]] const State& state() const { return *state_; }
  [[nodiscard]] const StateInfo& info() const { return info_; }
  [[nodiscard]] const Basis& basis() const { return info_.basis; }

 private:
  std::shared_ptr<const State> state_;
  StateInfo info_;
};

// What a decide function has decided: events for the aggregate's own stream, in order.
class Decision {
 public:
  // Adds an event; what it points to is read at once and not kept. kInvalidArgument as Commit::Add.
  // Where it has no id it gets one, and keeps it when the function is called again after a
  // conflict.
  absl::Status Add(const NewEvent& event);
  // The same for another stream, to be committed together; a version is expected of that stream
  // only if Expect says so. Of the aggregate's own stream the version that the decision was made on
  // is expected, and nothing else can be (kInvalidArgument).
  absl::Status Add(std::string_view stream, const NewEvent& event);
  absl::Status Expect(std::string_view stream, ExpectedVersion expected);
  // A query condition; conflicts with it are decided anew, too.
  absl::Status Require(AppendCondition condition);
  [[nodiscard]] std::size_t events() const { return commit_.events(); }

 private:
  friend class Transactor;
  Decision(std::string_view stream, std::vector<EventId>* ids) : stream_(stream), ids_(ids) {}
  std::string_view stream_;
  std::vector<EventId>* ids_;
  Commit commit_;
};

struct TransactOptions {
  // How often the decision is made at most, the first time included.
  int attempts_max = 16;
  AppendOptions append;
  // The ids of the events, in the order in which they are added. Those that are missing are made
  // and put here. Keep the vector where the outcome is unknown (kUnknown) and call again with it
  // after reopening the store: where one of them stands in the stream already, the outcome is that
  // of the first time and nothing is decided anew.
  std::vector<EventId>* ids = nullptr;
};

struct TransactResult {
  AppendResult append;  // empty where the decision was to append nothing
  int attempts = 1;     // how often it was decided; 0 where the ids were there already
};

struct RepositoryOptions {
  // Shared with other repositories of the store; nullptr: without. Must not outlive the reader.
  std::shared_ptr<SnapshotStore> snapshots;
  SnapshotPolicy policy;
  // One load of so many that begin at a snapshot is held against a replay from the start, which
  // takes as long as that: a false snapshot is removed, reported and counted, and the answer is the
  // replay's. 0: never.
  std::uint64_t verify_one_in = 1000;
  // How many latest states are kept in memory, the last used ones. 0: none.
  std::size_t cached_states_max = 1024;
  // Asked now and then while events are read; false ends the load with kCancelled. Must not throw;
  // empty is never asked.
  std::function<bool()> keep_going;
  NoticeHandler on_notice;
};

// The part of a Repository that knows no types. Thread-safe.
class Loader {
 public:
  Loader(const Reader& reader, std::shared_ptr<const AnyFold> fold, RepositoryOptions options);
  ~Loader();
  struct Loaded {
    std::shared_ptr<const void> state;
    StateInfo info;
  };
  [[nodiscard]] absl::StatusOr<Loaded> Load(std::string_view stream) const;
  [[nodiscard]] absl::StatusOr<Loaded> LoadAt(std::string_view stream, const AsOf& as_of) const;
  // The same, from the state `near` of the stream on where nothing nearer is known. `near` was
  // loaded by this loader and has no effective bound; where it is empty or too late it is ignored.
  [[nodiscard]] absl::StatusOr<Loaded> LoadAt(std::string_view stream, const AsOf& as_of,
                                              const Loaded& near) const;

  // Calls `visit` with the state after each event up to the moment, in the order of the fold, until
  // it returns false or an error. From the start; snapshots are neither used nor taken.
  using Visit = std::function<absl::StatusOr<bool>(const void* state, const EventView& event)>;
  absl::StatusOr<StateInfo> Walk(std::string_view stream, const AsOf& as_of,
                                 const Visit& visit) const;
  [[nodiscard]] const Reader& reader() const;
  [[nodiscard]] const AnyFold& fold() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

// Makes decisions: load, decide, append, and again where somebody was faster.
class Transactor {
 public:
  using Decide = std::function<absl::Status(const void* state, Decision& decision)>;
  static absl::StatusOr<TransactResult> Run(Store& store, const Loader& loader,
                                            std::string_view stream, const Decide& decide,
                                            const TransactOptions& options);
};

struct BisectOptions {
  AsOf as_of;
  // The predicate, once true, stays true: then it is asked O(log n) times, of states loaded through
  // snapshots that together fold no more events than one walk does. (With an effective bound the
  // stream is walked and every state asked.)
  bool monotone = false;
};

// Where a predicate holds for the first time.
struct FirstMatch {
  Version version;
  Position position;
  std::uint64_t asked = 0;  // how often the predicate was
};

// Thread-safe. The reader (or store) must outlive it.
template <Fold F>
class Repository {
 public:
  using State = typename F::State;
  using Decide = std::function<absl::Status(const State& state, Decision& decision)>;

  explicit Repository(const Reader& reader, F fold = F(), RepositoryOptions options = {})
      : loader_(reader, std::make_shared<FoldAdapter<F>>(std::move(fold)), std::move(options)) {}

  // The latest visible state. A stream that holds nothing has the state of the empty stream, at
  // version 0. Errors of the fold come with the event named (kFailedPrecondition, or the code that
  // the fold gave); kDataLoss where the events cannot be read.
  [[nodiscard]] absl::StatusOr<Aggregate<State>> Load(std::string_view stream) const {
    absl::StatusOr<Loader::Loaded> loaded = loader_.Load(stream);
    if (!loaded.ok()) return loaded.status();
    return Aggregate<State>(std::string(stream), StateOf(*loaded), loaded->info);
  }

  // The state at a moment. kInvalidArgument as Reader::Read says: a version or position beyond the
  // head names the head.
  [[nodiscard]] absl::StatusOr<PastState<State>> LoadAt(std::string_view stream,
                                                        const AsOf& as_of) const {
    absl::StatusOr<Loader::Loaded> loaded = loader_.LoadAt(stream, as_of);
    if (!loaded.ok()) return loaded.status();
    return PastState<State>(StateOf(*loaded), loaded->info);
  }

  // Loads, calls `decide`, appends what it decided at the version that was loaded, and starts over
  // where that conflicts (kAborted is returned when the attempts are used up). `decide` is a pure
  // function of the state: it may be called several times. An error from it ends the transaction
  // and is returned; no events mean that nothing is appended. What is durable on return is as for
  // Store::Append, whose errors are returned too.
  absl::StatusOr<TransactResult> Transact(Store& store, std::string_view stream,
                                          const Decide& decide,
                                          const TransactOptions& options = {}) const {
    return Transactor::Run(
        store, loader_, stream,
        [&decide](const void* state, Decision& decision) {
          return decide(*static_cast<const State*>(state), decision);
        },
        options);
  }

  // Appends events on the strength of a state: at its version, once. kAborted where the stream has
  // moved on.
  absl::StatusOr<AppendResult> Append(Store& store, const Aggregate<State>& aggregate,
                                      const std::vector<NewEvent>& events,
                                      const AppendOptions& options = {}) const {
    return store.Append(aggregate.stream(), ExpectedVersion::Exactly(aggregate.version()), events,
                        options);
  }

  // Calls `visit` with the state after each event, in the order of the fold, until it says false.
  using Visit = std::function<absl::StatusOr<bool>(const State& state, const EventView& event)>;
  absl::StatusOr<StateInfo> Walk(std::string_view stream, const AsOf& as_of,
                                 const Visit& visit) const {
    return loader_.Walk(stream, as_of, [&visit](const void* state, const EventView& event) {
      return visit(*static_cast<const State*>(state), event);
    });
  }

  // The first event after which `predicate` holds; nothing where it never does. An error of the
  // predicate ends it and is returned.
  using Predicate = std::function<absl::StatusOr<bool>(const State& state, const EventView& event)>;
  absl::StatusOr<std::optional<FirstMatch>> Bisect(std::string_view stream,
                                                   const Predicate& predicate,
                                                   const BisectOptions& options = {}) const;

  [[nodiscard]] const Loader& loader() const { return loader_; }

 private:
  static std::shared_ptr<const State> StateOf(const Loader::Loaded& loaded) {
    return std::static_pointer_cast<const State>(loaded.state);
  }
  Loader loader_;
};

// What Repository::Bisect calls.
absl::StatusOr<std::optional<FirstMatch>> BisectStates(const Loader& loader,
                                                       std::string_view stream,
                                                       const Loader::Visit& predicate,
                                                       const BisectOptions& options);

template <Fold F>
absl::StatusOr<std::optional<FirstMatch>> Repository<F>::Bisect(
    std::string_view stream, const Predicate& predicate, const BisectOptions& options) const {
  return BisectStates(
      loader_, stream,
      [&predicate](const void* state, const EventView& event) {
        return predicate(*static_cast<const State*>(state), event);
      },
      options);
}

}  // namespace daybook

#endif  // DAYBOOK_REPOSITORY_H_
