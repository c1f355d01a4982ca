#include "cli/import_id.h"

#include <set>

#include "tests/catch.h"

namespace daybook::cli {
namespace {

constexpr std::string_view kLine =
    R"({"stream":"a-1","type":"T","time":"2026-01-31T09:00:00Z","data":{"cents":500}})";

// Computed by a separate program. These ids stand in stores: they never change.
TEST_CASE("the ids of imported lines are as they ever were", "[cli][import]") {
  CHECK(ImportIds("").Compute(kLine, 1)->ToString() == "2bf96f97-20aa-8cd7-aedf-747d85d8a921");
  CHECK(ImportIds("").Compute(kLine, 2)->ToString() == "863dae5a-840f-8d6a-82cf-77a36753ba01");
  CHECK(ImportIds("bank").Compute(kLine, 1)->ToString() == "808cc9ff-bd52-8d0e-88a6-339732706744");
  CHECK(ImportIds("").Compute("", 1)->ToString() == "31190090-408f-837a-a1dc-44bf75404af3");
  CHECK(ImportIds("\u00e9").Compute("x", 3)->ToString() == "10ff76c0-7122-8aec-bc3d-c9907ac39b9f");
}

TEST_CASE("identical lines get an id each, the same in every run", "[cli][import]") {
  ImportIds first("s");
  ImportIds second("s");
  std::set<EventId> ids;
  for (int i = 0; i < 5; ++i) {
    const EventId id = first.Next(kLine).value();
    CHECK(id == first.Compute(kLine, static_cast<std::uint64_t>(i) + 1).value());
    ids.insert(id);
    ids.insert(first.Next("another").value());
    CHECK_OK(second.Next("in between"));
    CHECK(second.Next(kLine).value() == id);
  }
  CHECK(ids.size() == 10);
}

TEST_CASE("where the source's name ends cannot be mistaken", "[cli][import]") {
  CHECK(ImportIds("ab").Compute("c", 1).value() != ImportIds("a").Compute("bc", 1).value());
}

}  // namespace
}  // namespace daybook::cli
