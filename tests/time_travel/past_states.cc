// Prints the states of all streams of a store, at moments, by a fold of a host's own.
//
//   past_states STORE FOLD [--snapshots N] [--verify-one-in N] [--false-snapshots] [--ending TEXT]
//               MOMENT...
//   past_states STORE FOLD --verify-snapshots
//
// FOLD is fine, supplier, account, chain, or twice:FOLD-OF-THE-COMMAND. MOMENT is `latest`, or
// `position=P`, `effective=T`, or both with a comma between. Prints a line for each state,
// {"moment","stream","events","state"}, with the index of the moment, and at the end a line with
// what was counted: {"loads","folded_max", ...}. With --snapshots one is taken at every N-th
// version and all are kept. With --ending only streams whose names end like this.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daybook/repository.h"
#include "daybook/snapshots.h"
#include "daybook/store.h"
#include "time_travel/folds.h"

namespace daybook::time_travel {
namespace {

struct Arguments {
  std::string store;
  std::string fold;
  std::uint64_t snapshots = 0;  // every so many; 0: without
  std::uint64_t verify_one_in = 0;
  bool false_snapshots = false;
  bool verify_snapshots = false;
  std::string ending;  // of the names of the streams
  std::vector<AsOf> moments;
};

int Fail(std::string_view what) {
  std::cerr << "past_states: " << what << "\n";
  return 1;
}

int Fail(const absl::Status& status) { return Fail(status.ToString()); }

std::optional<AsOf> ParseMoment(std::string_view text) {
  AsOf moment;
  while (!text.empty() && text != "latest") {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.starts_with("position=")) {
      moment.position = Position(std::stoull(std::string(part.substr(9))));
    } else if (part.starts_with("effective=")) {
      const absl::StatusOr<Timestamp> time = Timestamp::Parse(part.substr(10));
      if (!time.ok()) return std::nullopt;
      moment.effective_at = *time;
    } else {
      return std::nullopt;
    }
  }
  return moment;
}

std::optional<Arguments> ParseArguments(const std::vector<std::string>& words) {
  if (words.size() < 3) return std::nullopt;
  Arguments arguments{.store = words[0], .fold = words[1]};
  for (std::size_t i = 2; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--false-snapshots") {
      arguments.false_snapshots = true;
    } else if (word == "--verify-snapshots") {
      arguments.verify_snapshots = true;
    } else if (word == "--ending" && i + 1 < words.size()) {
      arguments.ending = words[++i];
    } else if ((word == "--snapshots" || word == "--verify-one-in") && i + 1 < words.size()) {
      const std::uint64_t count = std::stoull(words[++i]);
      (word == "--snapshots" ? arguments.snapshots : arguments.verify_one_in) = count;
    } else if (const std::optional<AsOf> moment = ParseMoment(word)) {
      arguments.moments.push_back(*moment);
    } else {
      return std::nullopt;
    }
  }
  return arguments;
}

// What the loads of one run had to do.
struct Work {
  std::uint64_t loads = 0;
  std::uint64_t folded_max = 0;
  // Streams that are long enough to have a snapshot, and loads that began at one.
  std::uint64_t could_hit = 0;
  std::uint64_t began_at_snapshot = 0;
};

template <class F>
absl::Status PrintStates(const Reader& reader, const Arguments& arguments, const F& fold,
                         const Repository<F>& repository, Work& work) {
  for (std::size_t i = 0; i < arguments.moments.size(); ++i) {
    const AsOf& as_of = arguments.moments[i];
    AsOf known = as_of;
    known.effective_at.reset();
    const absl::StatusOr<std::vector<StreamInfo>> streams = reader.Streams({.as_of = known});
    if (!streams.ok()) return streams.status();
    for (const StreamInfo& stream : *streams) {
      if (!stream.stream.ends_with(arguments.ending)) continue;
      const auto past = repository.LoadAt(stream.stream, as_of);
      if (!past.ok()) return past.status();
      const StateInfo& info = past->info();
      ++work.loads;
      work.folded_max = std::max(work.folded_max, info.folded);
      if (info.basis.version.value() >= arguments.snapshots) ++work.could_hit;
      if (info.snapshot > Version(0)) ++work.began_at_snapshot;
      const Json line = {{"moment", i},
                         {"stream", stream.stream},
                         {"events", info.events},
                         {"state", fold.ToJson(past->state())}};
      std::cout << line.dump() << '\n';
    }
  }
  return absl::OkStatus();
}

template <class F>
int VerifyAll(const Reader& reader, const F& fold) {
  const std::shared_ptr<const AnyFold> any = std::make_shared<FoldAdapter<F>>(fold);
  const absl::StatusOr<SnapshotVerifyReport> report =
      VerifySnapshots(reader, [&any](std::string_view id, std::uint32_t revision) {
        return id == any->id() && revision == any->revision() ? any : nullptr;
      });
  if (!report.ok()) return Fail(report.status());
  Json findings = Json::array();
  for (const Finding& finding : report->findings) {
    findings.push_back({{"kind", finding.kind}, {"hint", finding.hint}});
  }
  const Json line = {{"ok", report->ok()},
                     {"replayed", report->replayed},
                     {"checked", report->checked},
                     {"findings", findings}};
  std::cout << line.dump() << '\n';
  return 0;
}

template <class F>
int Run(const Reader& reader, const Arguments& arguments, const F& fold) {
  if (arguments.verify_snapshots) return VerifyAll(reader, fold);
  std::shared_ptr<SnapshotStore> snapshots;
  if (arguments.snapshots > 0) {
    absl::StatusOr<std::unique_ptr<SnapshotStore>> opened = SnapshotStore::Open(reader, {});
    if (!opened.ok()) return Fail(opened.status());
    snapshots = *std::move(opened);
  }
  Work work;
  {
    const Repository<F> repository(
        reader, fold,
        {.snapshots = snapshots,
         .policy = {.every_events = arguments.snapshots, .retention = SnapshotRetention::All()},
         .verify_one_in = arguments.verify_one_in,
         .cached_states_max = 0});
    const absl::Status printed = PrintStates(reader, arguments, fold, repository, work);
    if (!printed.ok()) return Fail(printed);
  }
  Json line = {{"loads", work.loads},
               {"folded_max", work.folded_max},
               {"could_hit", work.could_hit},
               {"began_at_snapshot", work.began_at_snapshot}};
  if (snapshots != nullptr) {
    const absl::Status flushed = snapshots->Flush();
    if (!flushed.ok()) return Fail(flushed);
    const SnapshotStats stats = snapshots->stats();
    line.update({{"hits", stats.hits},
                 {"misses", stats.misses},
                 {"taken", stats.taken},
                 {"dropped", stats.dropped},
                 {"verified", stats.verified},
                 {"false_states", stats.false_states}});
  }
  std::cout << line.dump() << '\n';
  return 0;
}

template <class F>
int RunTrueOrFalse(const Reader& reader, const Arguments& arguments) {
  if (arguments.false_snapshots) return Run(reader, arguments, FalseSnapshots<F>());
  return Run(reader, arguments, F());
}

int Main(const std::vector<std::string>& words) {
  const std::optional<Arguments> arguments = ParseArguments(words);
  if (!arguments.has_value()) return Fail("usage: see the head of past_states.cc");
  const absl::StatusOr<std::unique_ptr<Reader>> reader = Reader::Open(arguments->store, {});
  if (!reader.ok()) return Fail(reader.status());
  const std::string& name = arguments->fold;
  if (name == "fine") return RunTrueOrFalse<FineFold>(**reader, *arguments);
  if (name == "supplier") return RunTrueOrFalse<SupplierFold>(**reader, *arguments);
  if (name == "account") return RunTrueOrFalse<AccountFold>(**reader, *arguments);
  if (name == "chain") return RunTrueOrFalse<ChainFold>(**reader, *arguments);
  if (name.starts_with("twice:")) {
    const absl::StatusOr<JsonFold> fold = JsonFold::Parse(std::string_view(name).substr(6));
    if (!fold.ok()) return Fail(fold.status());
    return Run(**reader, *arguments, TwiceFold(*fold));
  }
  return Fail("no such fold");
}

}  // namespace
}  // namespace daybook::time_travel

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  return daybook::time_travel::Main(std::vector<std::string>(argv + 1, argv + argc));
}
