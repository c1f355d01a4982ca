// A store and its projections for one test.

#ifndef DAYBOOK_PROJECTIONS_WORLD_TESTING_H_
#define DAYBOOK_PROJECTIONS_WORLD_TESTING_H_

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daybook/projections.h"
#include "projections/projection_testing.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook::testing {

// A store with its projections; Reopen() is a new process, as far as the files know.
class World {
 public:
  explicit World(int events = 0, int streams = 7) {
    Reopen();
    REQUIRE_OK(AppendMany(store_.get(), events, streams));
  }
  void Reopen() {
    models_.clear();
    projections_.reset();
    store_.reset();
    auto store = Store::Open(folder_ / "store", SmallSegments());
    REQUIRE_OK(store);
    store_ = *std::move(store);
    auto projections = Projections::Open(*store_, {});
    REQUIRE_OK(projections);
    projections_ = *std::move(projections);
  }
  [[nodiscard]] Store* store() const { return store_.get(); }
  Projections* operator->() const { return projections_.get(); }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "store"; }

  [[nodiscard]] std::unique_ptr<ProjectionRunner> Run(Projection projection,
                                                      const RunnerOptions& options = {}) const {
    auto runner = projections_->Run(std::move(projection), options);
    REQUIRE_OK(runner);
    return *std::move(runner);
  }
  [[nodiscard]] ReadSnapshot Read(const std::string& name) const {
    auto model = projections_->OpenModel(name);
    REQUIRE_OK(model);
    auto snapshot = (*model)->Read();
    REQUIRE_OK(snapshot);
    models_.push_back(*std::move(model));
    return *std::move(snapshot);
  }
  void CheckWhole(const std::string& name) const {
    const ReadSnapshot snapshot = Read(name);
    CHECK(snapshot.position() == store_->durable());
    CHECK(ChainsOf(snapshot).value() == ChainsOfLog(*store_).value());
  }

 private:
  TempFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Projections> projections_;
  mutable std::vector<std::unique_ptr<ReadModel>> models_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_PROJECTIONS_WORLD_TESTING_H_
