#include <string>
#include <vector>

#include "bindings/sql/sql_testing.h"
#include "daybook/sql.h"
#include "tests/catch.h"
#include "tests/temp_store.h"

namespace daybook {
namespace {

using sql::testing::Ask;
using sql::testing::Rows;
using testing::TempFolder;

TEST_CASE("a row of events has every part of an event", "[sql]") {
  const TempFolder folder;
  auto store = Store::Open(folder.path() / "s", {});
  REQUIRE_OK(store);
  NewEvent event;
  event.type = "Deposited";
  event.data = AsBytes(R"({"cents":500})");
  event.tags = {"b", "a\""};
  event.metadata = R"({"actor":"me"})";
  event.effective_at = Timestamp(5);
  event.id = *EventId::Parse("00000000-0000-4000-8000-000000000001");
  REQUIRE_OK((*store)->Append("account-42", ExpectedVersion::Any(), {event}));
  CHECK(Ask(**store,
            "SELECT position, stream, category, version, type, id, effective_at, effective_ns, "
            "data, data_blob, metadata, tags FROM events") ==
        Rows{{"1", "account-42", "account", "1", "Deposited",
              "00000000-0000-4000-8000-000000000001", "1970-01-01T00:00:00.000000005Z", "5",
              R"({"cents":500})", R"(x:{"cents":500})", R"({"actor":"me"})", R"(["a\"","b"])"}});
}

}  // namespace
}  // namespace daybook
