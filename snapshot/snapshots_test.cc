// States through snapshots are the states without them; snapshots that are not of this history, of
// this fold or of sound bytes are passed over; and a false one is found.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "kv/derived.h"
#include "kv/environment.h"
#include "snapshot/record.h"
#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::Chain;
using testing::ChainFold;
using testing::CheckState;
using testing::HasText;
using testing::History;
using testing::TempFolder;

std::shared_ptr<SnapshotStore> OpenSnapshots(const Reader& reader,
                                             const SnapshotStoreOptions& options = {}) {
  auto snapshots = SnapshotStore::Open(reader, options);
  REQUIRE_OK(snapshots);
  return *std::move(snapshots);
}

RepositoryOptions Options(std::shared_ptr<SnapshotStore> snapshots, std::uint64_t every,
                          SnapshotRetention retention = SnapshotRetention::All()) {
  RepositoryOptions options;
  options.snapshots = std::move(snapshots);
  options.policy.every_events = every;
  options.policy.retention = retention;
  options.verify_one_in = 0;
  options.cached_states_max = 0;
  return options;
}

std::vector<std::uint64_t> VersionsOf(const Reader& reader, std::string_view stream) {
  const auto listed = ListSnapshots(reader, stream);
  REQUIRE_OK(listed);
  std::vector<std::uint64_t> versions;
  for (const SnapshotInfo& info : *listed) versions.push_back(info.version.value());
  return versions;
}

FoldFinder FindChain() {
  return [](std::string_view id, std::uint32_t revision) -> std::shared_ptr<const AnyFold> {
    if (id != ChainFold::id() || revision != 1) return nullptr;
    return std::make_shared<FoldAdapter<ChainFold>>(ChainFold());
  };
}

// Changes the table of snapshots as nobody should. Nobody may have it open.
void Tamper(const Reader& reader,
            const std::function<absl::Status(WriteTransaction*, TableHandle)>& change) {
  const auto directory = reader.directory() / kSnapshotFolder;
  auto environment = Environment::Open(directory, {});
  REQUIRE_OK(environment);
  const auto table = (*environment)->OpenTable(kSnapshotTable);
  REQUIRE_OK(table);
  REQUIRE_OK(WriteGrowing(environment->get(), directory,
                          [&](WriteTransaction* t) { return change(t, *table); }));
}

// Puts another state, or another place, under the key of a snapshot, with checksums that hold.
struct Falsified {
  std::uint64_t version = 0;
  bool state = false;
  bool incarnation = false;
  bool frame_hash = false;
  bool position = false;
};
void Falsify(const Reader& reader, std::string_view stream, const Falsified& what) {
  Tamper(reader, [&](WriteTransaction* transaction, TableHandle table) {
    const std::string key = SnapshotKey(SeriesPrefix({stream, ChainFold::id(), 1}), what.version);
    const auto value = transaction->Get(table, key);
    REQUIRE_OK(value);
    REQUIRE(value->has_value());
    const auto snapshot = SnapshotOf(key, **value);
    REQUIRE(snapshot.has_value());
    SnapshotPlace place = snapshot->place;
    std::string state(snapshot->state);
    if (what.state) state[0] = static_cast<char>(state[0] ^ 1);
    if (what.incarnation) place.incarnation[0] ^= 1;
    if (what.frame_hash) place.frame_hash ^= 1;
    if (what.position) --place.position;
    return transaction->Put(table, key, SnapshotValue(key, place, state));
  });
}

TEST_CASE("with a snapshot every 4 events a load folds at most 4, and every answer stays",
          "[snapshots]") {
  for (std::uint32_t seed = 1; seed <= 4; ++seed) {
    const TempFolder folder;
    History history(folder / "store", testing::SmallSegments(), seed);
    for (int i = 0; i < 60; ++i) history.AppendRandom(3);
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 4));
    for (std::uint32_t s = 0; s < 3; ++s) REQUIRE_OK(chains.Load(History::StreamName(s)));
    CHECK(snapshots->stats().hits == 0);
    CHECK(snapshots->stats().misses == 3);
    for (int round = 0; round < 6; ++round) {
      REQUIRE_OK(snapshots->Flush());
      for (std::uint32_t s = 0; s < 3; ++s) {
        const std::string stream = History::StreamName(s);
        for (std::uint64_t v = 0; v <= history.VersionOf(stream); ++v) {
          const AsOf as_of = AsOf::AtVersion(Version(v));
          const auto past = chains.LoadAt(stream, as_of);
          REQUIRE_OK(past);
          CAPTURE(seed, round, stream, v);
          CheckState(past->state(), past->info(), history.ExpectedAt(stream, as_of));
          CHECK(past->info().folded <= 4);
          CHECK(past->info().snapshot == Version(v / 4 * 4));
        }
      }
      for (int i = 0; i < 40; ++i) {
        const std::string stream = History::StreamName(history.Random(4));
        const AsOf as_of = history.RandomMoment(stream);
        const auto past = chains.LoadAt(stream, as_of);
        REQUIRE_OK(past);
        CheckState(past->state(), past->info(), history.ExpectedAt(stream, as_of));
      }
      for (int i = 0; i < 8; ++i) {
        history.AppendRandom(3);
        for (std::uint32_t s = 0; s < 3; ++s) {
          const auto now = chains.Load(History::StreamName(s));
          REQUIRE_OK(now);
          CHECK(now->info().folded < 8);
        }
      }
    }
    REQUIRE_OK(snapshots->Flush());
    const SnapshotStats stats = snapshots->stats();
    CHECK(stats.hits > 100);
    CHECK(stats.taken > 20);
    CHECK(stats.ignored == 0);
    CHECK(stats.dropped == 0);
    const auto report = VerifySnapshots(history.store(), FindChain());
    REQUIRE_OK(report);
    CHECK(report->ok());
    CHECK(report->replayed == stats.taken);
    CHECK(report->checked == 0);
  }
}

TEST_CASE("from every rung of ladder and grid every moment is as a full fold says", "[snapshots]") {
  for (const SnapshotRetention retention :
       {SnapshotRetention::Ladder(), SnapshotRetention::EvenGrid(8), SnapshotRetention::All()}) {
    const TempFolder folder;
    History history(folder / "store", testing::SmallSegments(), 9);
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5, retention));
    const Repository<ChainFold> plain(history.store());
    constexpr std::uint64_t kEvents = 240;
    for (std::uint64_t i = 0; i < kEvents; ++i) {
      history.Append("s");
      // Now and then somebody looks, at today or at the past.
      if (i % 7 == 0) REQUIRE_OK(chains.Load("s"));
      if (i % 31 == 0) {
        REQUIRE_OK(chains.LoadAt(
            "s", AsOf::AtVersion(Version(history.Random(static_cast<std::uint32_t>(i + 1))))));
      }
    }
    REQUIRE_OK(snapshots->Flush());
    REQUIRE(VersionsOf(history.store(), "s").size() >= 5);
    for (std::uint64_t v = 0; v <= kEvents; ++v) {
      const AsOf as_of = AsOf::AtVersion(Version(v));
      const auto through = chains.LoadAt("s", as_of);
      const auto full = plain.LoadAt("s", as_of);
      REQUIRE_OK(through);
      REQUIRE_OK(full);
      CHECK(through->state() == full->state());
      CHECK(through->info().events == v);
      if (retention.kind() == SnapshotRetention::Kind::kLadder) {
        CHECK(through->info().folded <= std::max<std::uint64_t>(kEvents - v, 7) + 7);
      }
    }
    CHECK(snapshots->stats().hits > 100);  // the first rung of a ladder may stand in the middle
    const auto report = VerifySnapshots(history.store(), FindChain());
    REQUIRE_OK(report);
    CHECK(report->ok());
    CHECK(report->replayed >= 5);
  }
}

TEST_CASE("snapshots are taken after events of a type", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const auto snapshots = OpenSnapshots(history.store());
  RepositoryOptions options = Options(snapshots, 0);
  options.policy.at_types = {"Closed", "Audited"};
  const Repository<ChainFold> chains(history.store(), {}, options);
  for (int i = 1; i <= 20; ++i) {
    history.Append("s", i == 13 ? "Audited" : i % 6 == 0 ? "Closed" : "Happened");
  }
  REQUIRE_OK(chains.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  CHECK(VersionsOf(history.store(), "s") == std::vector<std::uint64_t>{6, 12, 13, 18});
  CHECK(chains.Load("s")->info().folded == 2);
  CHECK(chains.LoadAt("s", AsOf::AtVersion(Version(17)))->info().snapshot == Version(13));
}

TEST_CASE("what is kept is bounded, and said in the statistics of the store", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), {},
                                     Options(snapshots, 1, SnapshotRetention::Ladder()));
  for (int i = 0; i < 300; ++i) {
    history.Append("s");
    REQUIRE_OK(chains.Load("s"));
  }
  REQUIRE_OK(snapshots->Flush());
  CHECK(VersionsOf(history.store(), "s").size() <= 20);
  CHECK(snapshots->stats().thinned >= 280);
  const auto stats = history.store().Stats();
  REQUIRE_OK(stats);
  CHECK(stats->snapshot_bytes > 4096);
}

TEST_CASE("snapshots outlive the process that took them", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", testing::SmallSegments(), 1);
  for (int i = 0; i < 100; ++i) history.Append("s");
  {
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 10));
    REQUIRE_OK(chains.Load("s"));
  }
  history.Reopen();
  {
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 10));
    const auto loaded = chains.LoadAt("s", AsOf::AtVersion(Version(57)));
    REQUIRE_OK(loaded);
    CHECK(loaded->info().folded == 7);
    CheckState(loaded->state(), loaded->info(),
               history.ExpectedAt("s", AsOf::AtVersion(Version(57))));
  }
  // Also for a reader of its own.
  const auto reader = Reader::Open(history.store().directory(), {});
  REQUIRE_OK(reader);
  const auto snapshots = OpenSnapshots(**reader);
  const Repository<ChainFold> chains(**reader, {}, Options(snapshots, 10));
  CHECK(chains.Load("s")->info().folded == 0);
}

TEST_CASE("who comes second goes without, and who may not write lists and verifies",
          "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 20; ++i) history.Append("s");
  CHECK(ListSnapshots(history.store())->empty());
  CHECK(VerifySnapshots(history.store(), FindChain())->ok());
  const auto snapshots = OpenSnapshots(history.store());
  CHECK(ListSnapshots(history.store())->empty());
  CHECK(absl::IsUnavailable(SnapshotStore::Open(history.store(), {}).status()));
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
  REQUIRE_OK(chains.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  const auto reader = Reader::Open(history.store().directory(), {});
  REQUIRE_OK(reader);
  const auto listed = ListSnapshots(**reader);
  REQUIRE_OK(listed);
  REQUIRE(listed->size() == 4);
  CHECK((*listed)[1].stream == "s");
  CHECK((*listed)[1].fold == "chain");
  CHECK((*listed)[1].revision == 1);
  CHECK((*listed)[1].version == Version(10));
  CHECK((*listed)[1].position == Position(10));
  CHECK((*listed)[1].bytes == sizeof(Chain));
  CHECK(VerifySnapshots(**reader, FindChain())->replayed == 4);
  CHECK(ListSnapshots(**reader, "another")->empty());
}

TEST_CASE("snapshots are dropped by stream, or all of them, and what waits with them",
          "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
  for (const std::string stream : {"a", "ab", "b"}) {
    for (int i = 0; i < 20; ++i) history.Append(stream);
    REQUIRE_OK(chains.Load(stream));
  }
  REQUIRE_OK(snapshots->Flush());
  const auto dropped = snapshots->Drop("a");
  REQUIRE_OK(dropped);
  REQUIRE(dropped->size() == 4);
  CHECK(dropped->front().stream == "a");
  CHECK(dropped->front().version == Version(5));
  CHECK(dropped->front().position == Position(5));
  CHECK(ListSnapshots(history.store())->size() == 8);
  CHECK(chains.Load("a")->info().folded == 20);
  CHECK(snapshots->Drop()->size() >= 8);
  CHECK(ListSnapshots(history.store())->empty());
  CHECK(snapshots->Drop()->empty());
}

TEST_CASE("a false snapshot gives a false answer, which verification finds", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 22; ++i) history.Append("s");
  {
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
    REQUIRE_OK(chains.Load("s"));
  }
  Falsify(history.store(), "s", {.version = 15, .state = true});

  const auto report = VerifySnapshots(history.store(), FindChain());
  REQUIRE_OK(report);
  CHECK(report->replayed == 4);
  REQUIRE(report->findings.size() == 1);
  CHECK(report->findings[0].kind == "snapshot");
  CHECK(report->findings[0].file == "snapshots/data.mdb");
  CHECK(report->findings[0].first_position == Position(15));
  CHECK_THAT(report->findings[0].hint, HasText("stream 's' by fold 'chain' revision 1 at version "
                                               "15: its state is false"));

  const auto snapshots = OpenSnapshots(history.store());
  const AsOf as_of = AsOf::AtVersion(Version(17));
  const Repository<ChainFold> trusting(history.store(), {}, Options(snapshots, 0));
  const auto wrong = trusting.LoadAt("s", as_of);
  REQUIRE_OK(wrong);
  CHECK_FALSE(wrong->state() == history.ExpectedAt("s", as_of).state);

  std::vector<std::string> told;
  RepositoryOptions options = Options(snapshots, 5);
  options.verify_one_in = 1;
  options.on_notice = [&told](const Notice& notice) {
    CHECK(notice.severity == Notice::Severity::kError);
    told.push_back(notice.message);
  };
  const Repository<ChainFold> verifying(history.store(), {}, options);
  const auto good = verifying.LoadAt("s", AsOf::AtVersion(Version(12)));
  REQUIRE_OK(good);
  CHECK(told.empty());
  CHECK(snapshots->stats().verified == 1);
  const auto right = verifying.LoadAt("s", as_of);
  REQUIRE_OK(right);
  CheckState(right->state(), right->info(), history.ExpectedAt("s", as_of));
  CHECK(right->info().folded == 17);
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], HasText("at version 15 by fold 'chain' revision 1 is false"));
  CHECK(snapshots->stats().false_states == 1);
  // It is gone, with the one behind it that may have come from it; the next load takes both anew.
  CHECK(VersionsOf(history.store(), "s") == std::vector<std::uint64_t>{5, 10});
  REQUIRE_OK(verifying.LoadAt("s", AsOf::AtVersion(Version(21))));
  REQUIRE_OK(snapshots->Flush());
  CHECK(VersionsOf(history.store(), "s") == std::vector<std::uint64_t>{5, 10, 15, 20});
  CHECK(VerifySnapshots(history.store(), FindChain())->ok());
}

TEST_CASE("one load in so many is verified", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 22; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  RepositoryOptions options = Options(snapshots, 5);
  options.verify_one_in = 3;
  const Repository<ChainFold> chains(history.store(), {}, options);
  for (int i = 0; i < 10; ++i) REQUIRE_OK(chains.Load("s"));
  CHECK(snapshots->stats().hits == 9);
  CHECK(snapshots->stats().verified == 3);
}

TEST_CASE("a snapshot of another incarnation, history or place is passed over and replaced",
          "[snapshots]") {
  for (const Falsified& what :
       {Falsified{.version = 15, .incarnation = true}, Falsified{.version = 15, .frame_hash = true},
        Falsified{.version = 15, .position = true}}) {
    const TempFolder folder;
    History history(folder / "store", {}, 1);
    for (int i = 0; i < 17; ++i) history.Append("s");
    {
      const auto snapshots = OpenSnapshots(history.store());
      const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
      REQUIRE_OK(chains.Load("s"));
    }
    Falsify(history.store(), "s", what);
    const auto report = VerifySnapshots(history.store(), FindChain());
    REQUIRE_OK(report);
    CHECK(report->findings.size() == 1);
    CHECK(report->replayed == 2);

    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {},
                                       Options(snapshots, 5, SnapshotRetention::Ladder()));
    const auto loaded = chains.Load("s");
    REQUIRE_OK(loaded);
    CHECK(loaded->info().snapshot == Version(10));
    CheckState(loaded->state(), loaded->info(), history.ExpectedAt("s", {}));
    CHECK(snapshots->stats().ignored == 1);
    REQUIRE_OK(snapshots->Flush());
    CHECK(chains.Load("s")->info().snapshot == Version(15));
    CHECK(VerifySnapshots(history.store(), FindChain())->ok());
  }
}

TEST_CASE("snapshots of another revision are not used, and make way for the new one",
          "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 17; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> first(history.store(), ChainFold{.of_revision = 1},
                                    Options(snapshots, 5));
  REQUIRE_OK(first.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  const Repository<ChainFold> second(history.store(), ChainFold{.of_revision = 2},
                                     Options(snapshots, 10));
  const auto loaded = second.Load("s");
  REQUIRE_OK(loaded);
  CHECK(loaded->info().folded == 17);
  CHECK(snapshots->stats().ignored == 1);
  REQUIRE_OK(snapshots->Flush());
  const auto listed = ListSnapshots(history.store());
  REQUIRE_OK(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().revision == 2);
  const auto report = VerifySnapshots(history.store(), FindChain());
  REQUIRE_OK(report);
  CHECK(report->checked == 1);  // a fold that is not known here
  CHECK(report->replayed == 0);
}

TEST_CASE("a state that does not parse is passed over and replaced", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 17; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  // The same revision by a mistake, though what it saves is something else.
  const Repository<ChainFold> longer(history.store(), ChainFold{.padding = 3},
                                     Options(snapshots, 5));
  REQUIRE_OK(longer.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
  const auto loaded = chains.Load("s");
  REQUIRE_OK(loaded);
  CheckState(loaded->state(), loaded->info(), history.ExpectedAt("s", {}));
  CHECK(loaded->info().folded == 17);
  CHECK(snapshots->stats().ignored == 3);
  REQUIRE_OK(snapshots->Flush());
  CHECK(chains.Load("s")->info().folded == 2);
}

TEST_CASE("a value that was moved under another fold's key is passed over", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 7; ++i) {
    history.Append("s");
    history.Append("t");
  }
  {
    const auto snapshots = OpenSnapshots(history.store());
    const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
    REQUIRE_OK(chains.Load("s"));
  }
  Tamper(history.store(), [&](WriteTransaction* transaction, TableHandle table) {
    const auto value =
        transaction->Get(table, SnapshotKey(SeriesPrefix({"s", ChainFold::id(), 1}), 5));
    REQUIRE_OK(value);
    const std::string copy(**value);
    return transaction->Put(table, SnapshotKey(SeriesPrefix({"t", ChainFold::id(), 1}), 5), copy);
  });
  CHECK(absl::IsDataLoss(ListSnapshots(history.store()).status()));
  CHECK_OK(ListSnapshots(history.store(), "s"));
  const auto report = VerifySnapshots(history.store(), FindChain());
  REQUIRE_OK(report);
  CHECK(report->findings.size() == 1);
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
  const auto loaded = chains.Load("t");
  REQUIRE_OK(loaded);
  CheckState(loaded->state(), loaded->info(), history.ExpectedAt("t", {}));
  CHECK(snapshots->stats().ignored == 1);
}

TEST_CASE("only what is durable is written", "[snapshots]") {
  const TempFolder folder;
  StoreOptions options{.durability = Durability::kBuffered};
  options.sync_interval = std::chrono::hours(1);
  History history(folder / "store", options, 1);
  for (int i = 0; i < 11; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 5));
  REQUIRE_OK(chains.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it has the time to do wrong
  CHECK(VersionsOf(history.store(), "s").empty());
  // Who reads here sees what the log will have.
  CHECK(chains.Load("s")->info().folded == 1);
  REQUIRE_OK(history.store().Flush());
  REQUIRE_OK(snapshots->Flush());
  CHECK(VersionsOf(history.store(), "s") == std::vector<std::uint64_t>{5, 10});
}

TEST_CASE("what waits is bounded, and what is too much is dropped and counted", "[snapshots]") {
  const TempFolder folder;
  StoreOptions store_options{.durability = Durability::kBuffered};
  store_options.sync_interval = std::chrono::hours(1);  // so that all of it waits
  History history(folder / "store", store_options, 1);
  for (int i = 0; i < 10; ++i) history.Append("s");
  SnapshotStoreOptions options;
  options.pending_bytes_max = 5000;
  const auto snapshots = OpenSnapshots(history.store(), options);
  const Repository<ChainFold> chains(history.store(), ChainFold{.padding = 1000},
                                     Options(snapshots, 1));
  REQUIRE_OK(chains.Load("s"));
  CHECK(snapshots->stats().dropped == 7);
  REQUIRE_OK(history.store().Flush());
  REQUIRE_OK(snapshots->Flush());
  CHECK(snapshots->stats().taken == 3);
}

TEST_CASE("the map grows with the snapshots", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  for (int i = 0; i < 40; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), ChainFold{.padding = std::size_t{1} << 20},
                                     Options(snapshots, 1));
  REQUIRE_OK(chains.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  CHECK(snapshots->stats().taken == 40);
  CHECK(history.store().Stats()->snapshot_bytes > std::uint64_t{40} << 20);
  CHECK(chains.LoadAt("s", AsOf::AtVersion(Version(33)))->info().folded == 0);
}

TEST_CASE("a folder of another store's snapshots is discarded, with a notice", "[snapshots]") {
  const TempFolder folder;
  History one(folder / "one", {}, 1), other(folder / "other", {}, 2);
  for (int i = 0; i < 10; ++i) {
    one.Append("s");
    other.Append("s");
  }
  {
    const auto snapshots = OpenSnapshots(one.store());
    const Repository<ChainFold> chains(one.store(), {}, Options(snapshots, 5));
    REQUIRE_OK(chains.Load("s"));
  }
  std::filesystem::copy(folder / "one" / "snapshots", folder / "other" / "snapshots");
  CHECK(VerifySnapshots(other.store(), FindChain())->findings.size() == 2);
  std::vector<std::string> told;
  SnapshotStoreOptions options;
  options.on_notice = [&told](const Notice& notice) { told.push_back(notice.message); };
  const auto snapshots = OpenSnapshots(other.store(), options);
  REQUIRE(told.size() == 1);
  CHECK_THAT(told[0], HasText("discarded"));
  CHECK(ListSnapshots(other.store())->empty());
  // Nor are those that are open for one store used for another.
  const auto of_one = OpenSnapshots(one.store());
  const Repository<ChainFold> chains(other.store(), {}, Options(of_one, 5));
  CHECK(chains.Load("s")->info().folded == 10);
}

TEST_CASE("a bisection through snapshots folds little", "[snapshots]") {
  const TempFolder folder;
  History history(folder / "store", testing::SmallSegments(), 1);
  for (int i = 0; i < 400; ++i) history.Append("s");
  const auto snapshots = OpenSnapshots(history.store());
  const Repository<ChainFold> chains(history.store(), {}, Options(snapshots, 10));
  REQUIRE_OK(chains.Load("s"));
  REQUIRE_OK(snapshots->Flush());
  const std::uint64_t hits = snapshots->stats().hits;
  const auto match = chains.Bisect(
      "s",
      [](const Chain& chain, const EventView&) { return absl::StatusOr<bool>(chain.events >= 77); },
      {.as_of = {}, .monotone = true});
  REQUIRE_OK(match);
  REQUIRE(match->has_value());
  CHECK((*match)->version == Version(77));
  CHECK(snapshots->stats().hits > hits);
}

}  // namespace
}  // namespace daybook
