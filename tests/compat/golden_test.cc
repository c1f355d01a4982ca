// Stores written by every version of the format are opened for ever.

#include <filesystem>
#include <fstream>

#include "compat/describe.h"
#include "daybook/store.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kStores = fs::path(DAYBOOK_SOURCE_DIR) / "tests" / "compat";

class Golden {
 public:
  explicit Golden(const std::string& version)
      : expected_(TextOf(kStores / version / "events.txt")) {
    fs::copy(kStores / version / "store", store(), fs::copy_options::recursive);
  }
  [[nodiscard]] fs::path store() const { return folder_ / "store"; }
  [[nodiscard]] const std::string& expected() const { return expected_; }

 private:
  TempFolder folder_;
  std::string expected_;
};

TEST_CASE("a store of format 1.0 reads as it was written") {
  const Golden golden("v1.0");
  REQUIRE(golden.expected().size() > 10000);
  const auto reader = Reader::Open(golden.store(), {});
  REQUIRE_OK(reader);
  CHECK(Describe(**reader).value() == golden.expected());
  const auto report = Verify(golden.store(), {});
  REQUIRE_OK(report);
  CHECK(report->findings.empty());
}

TEST_CASE("a store of format 1.0 opens for writing, with what is derived or without, and goes on") {
  const bool derived = GENERATE(true, false);
  const Golden golden("v1.0");
  if (!derived) {
    fs::remove_all(golden.store() / "index");
    for (const auto& file : fs::directory_iterator(golden.store() / "log")) {
      if (file.path().extension() == ".idx") fs::remove(file.path());
    }
  }
  auto store = Store::Open(golden.store(), {});
  REQUIRE_OK(store);
  CHECK(Describe(**store).value() == golden.expected());
  const auto head = (*store)->Head("account-1");
  REQUIRE_OK(head);
  REQUIRE_OK((*store)->Append("account-1", ExpectedVersion::Exactly(head->version),
                              {{.type = "Later", .data = AsBytes("{}")}}));
  CHECK(Describe(**store).value().substr(0, golden.expected().size()) == golden.expected());
}

}  // namespace
}  // namespace daybook::testing
