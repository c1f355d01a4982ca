#include "io/mapped_file.h"

#include <string>
#include <utility>

#include "daybook/event.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::HasText;
using testing::TempFolder;

TEST_CASE("the mapped bytes are the file's, outlive the File, and follow what is written") {
  TempFolder folder;
  auto writer = File::CreateNew(folder / "f");
  REQUIRE_OK(writer);
  REQUIRE_OK(writer->WriteAt(0, AsBytes("abcdef")));
  MappedFile mapped;
  {
    auto reader = File::OpenRead(folder / "f");
    REQUIRE_OK(reader);
    auto map = MappedFile::MapRead(*reader, 4);
    REQUIRE_OK(map);
    mapped = *std::move(map);
  }
  CHECK(AsText(mapped.bytes()) == "abcd");
  REQUIRE_OK(writer->WriteAt(1, AsBytes("X")));
  CHECK(AsText(mapped.bytes()) == "aXcd");
}

TEST_CASE("more bytes than the file has are kDataLoss, not a crash at the first touch") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  REQUIRE_OK(file->WriteAt(0, AsBytes("abc")));
  const auto map = MappedFile::MapRead(*file, 4);
  CHECK(map.status().code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(map.status().message()), HasText("the file ends early, at 3"));
  CHECK(MappedFile::MapRead(*file, 3).ok());
}

TEST_CASE("no bytes are mapped as no bytes") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "empty");
  REQUIRE_OK(file);
  auto map = MappedFile::MapRead(*file, 0);
  REQUIRE_OK(map);
  CHECK(map->bytes().empty());
  map->AdviseWillNeed(0, 100);
  CHECK(MappedFile().bytes().empty());
}

TEST_CASE("moving a mapping leaves its bytes where they are") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  REQUIRE_OK(file->WriteAt(0, AsBytes("abc")));
  auto map = MappedFile::MapRead(*file, 3);
  REQUIRE_OK(map);
  const std::byte* address = map->bytes().data();
  MappedFile moved = *std::move(map);
  CHECK(moved.bytes().data() == address);
  MappedFile& self = moved;
  moved = std::move(self);
  CHECK(AsText(moved.bytes()) == "abc");
}

TEST_CASE("advice about any range is taken and changes no byte") {
  TempFolder folder;
  auto file = File::CreateNew(folder / "f");
  REQUIRE_OK(file);
  const std::string text(20'000, 'x');
  REQUIRE_OK(file->WriteAt(0, AsBytes(text)));
  auto map = MappedFile::MapRead(*file, text.size());
  REQUIRE_OK(map);
  map->AdviseSequential(0, text.size());
  map->AdviseRandom(5000, 1);
  map->AdviseWillNeed(19'999, UINT64_MAX);
  map->AdviseWillNeed(20'000, 1);
  map->AdviseWillNeed(UINT64_MAX, 1);
  CHECK((AsText(map->bytes()) == text));
}

}  // namespace
}  // namespace daybook
