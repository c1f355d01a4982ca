#include "snapshot/state_cache.h"

#include <memory>
#include <string>

#include "snapshot/snapshot_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using testing::ChainFold;
using testing::History;
using testing::TempFolder;

KnownState At(std::uint64_t version) { return {std::make_shared<int>(1), Version(version)}; }

TEST_CASE("the states that were used last stay", "[cache]") {
  StateCache cache(2);
  cache.Put("a", At(1));
  cache.Put("b", At(2));
  CHECK(cache.Find("a").version == Version(1));
  cache.Put("c", At(3));
  CHECK(cache.Find("a").version == Version(1));
  CHECK(cache.Find("b").state == nullptr);
  CHECK(cache.Find("c").version == Version(3));
}

TEST_CASE("an older state does not take the place of a newer one", "[cache]") {
  StateCache cache(2);
  cache.Put("a", At(5));
  cache.Put("a", At(4));
  CHECK(cache.Find("a").version == Version(5));
  cache.Put("a", At(6));
  CHECK(cache.Find("a").version == Version(6));
  cache.Forget("a");
  cache.Forget("never there");
  CHECK(cache.Find("a").version == Version(0));
  StateCache none(0);
  none.Put("a", At(1));
  CHECK(none.Find("a").state == nullptr);
}

TEST_CASE("a load begins at the state that was loaded last, and leaves it as it was", "[cache]") {
  const TempFolder folder;
  History history(folder / "store", {}, 1);
  const Repository<ChainFold> chains(history.store());
  for (int i = 0; i < 10; ++i) history.Append("s");
  const auto first = chains.Load("s");
  REQUIRE_OK(first);
  CHECK(first->info().folded == 10);
  CHECK(first->info().snapshot == Version(0));
  for (int i = 0; i < 3; ++i) history.Append("s");
  const auto second = chains.Load("s");
  REQUIRE_OK(second);
  CHECK(second->info().folded == 3);
  CHECK(second->info().snapshot == Version(10));
  testing::CheckState(second->state(), second->info(), history.ExpectedAt("s", {}));
  const auto same = chains.Load("s");
  REQUIRE_OK(same);
  CHECK(same->info().folded == 0);
  testing::CheckState(same->state(), same->info(), history.ExpectedAt("s", {}));
  testing::CheckState(first->state(), first->info(),
                      history.ExpectedAt("s", AsOf::AtVersion(Version(10))));
  RepositoryOptions options;
  options.cached_states_max = 0;
  const Repository<ChainFold> uncached(history.store(), {}, options);
  REQUIRE_OK(uncached.Load("s"));
  CHECK(uncached.Load("s")->info().folded == 13);
}

}  // namespace
}  // namespace daybook
