#include "projections/record.h"

#include <string>

#include "store/store_testing.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

Record Sample() {
  Record record;
  record.Set("name", "a=b\\n\nc\\");
  record.Set("empty", "");
  record.Set("count", std::uint64_t{18446744073709551615u});
  record.Set("below", std::int64_t{-5});
  return record;
}

}  // namespace

TEST_CASE("a record reads back as it was written") {
  const auto record = DecodeRecord("sample", EncodeRecord("sample", Sample()));
  REQUIRE_OK(record);
  CHECK(record->fields() == Sample().fields());
  CHECK(record->Text("name").value() == "a=b\\n\nc\\");
  CHECK(record->Number<std::uint64_t>("count").value() == UINT64_MAX);
  CHECK(record->Number<std::int64_t>("below").value() == -5);
  CHECK(absl::IsDataLoss(record->Number<std::uint32_t>("count").status()));
  CHECK(absl::IsDataLoss(record->Number<std::uint64_t>("below").status()));
  CHECK(absl::IsDataLoss(record->Number<std::uint64_t>("name").status()));
  CHECK(absl::IsDataLoss(record->Text("other").status()));
}

TEST_CASE("a record that is cut short, longer, or has a byte changed is damaged") {
  const std::string whole = EncodeRecord("sample", Sample());
  for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
    CHECK(absl::IsDataLoss(DecodeRecord("sample", whole.substr(0, bytes)).status()));
    std::string changed = whole;
    changed[bytes] = static_cast<char>(changed[bytes] ^ 1);
    CHECK(absl::IsDataLoss(DecodeRecord("sample", changed).status()));
  }
  CHECK(absl::IsDataLoss(DecodeRecord("sample", whole + "x").status()));
  CHECK(absl::IsDataLoss(DecodeRecord("other", whole).status()));
}

TEST_CASE("a record of a newer format is refused and not called damaged") {
  const std::string old = EncodeRecord("sample 2", {});  // begins "daybook sample 2 1"
  CHECK(absl::IsFailedPrecondition(DecodeRecord("sample", old).status()));
}

TEST_CASE("a file with a record is replaced as a whole, and names itself where it is damaged") {
  const testing::TempFolder folder;
  for (const Written written : {Written::kDurable, Written::kVolatile}) {
    const auto path = folder / "RECORD";
    REQUIRE_OK(WriteRecordFile("sample", {}, written, path));
    REQUIRE_OK(WriteRecordFile("sample", Sample(), written, path));
    const auto record = ReadRecordFile("sample", path);
    REQUIRE_OK(record);
    CHECK(record->fields() == Sample().fields());
    testing::FlipByte(path, 20);
    const absl::Status damaged = ReadRecordFile("sample", path).status();
    CHECK(absl::IsDataLoss(damaged));
    CHECK_THAT(std::string(damaged.message()), testing::HasText("RECORD"));
  }
  CHECK(absl::IsNotFound(ReadRecordFile("sample", folder / "NONE").status()));
}

}  // namespace daybook
