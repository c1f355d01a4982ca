// Backups written by every version of their format are checked, gone on with and restored for ever.

#include "daybook/backup.h"

#include <filesystem>
#include <fstream>
#include <span>

#include "compat/describe.h"
#include "daybook/store.h"
#include "store/backup_manifest.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kBackups = fs::path(DAYBOOK_SOURCE_DIR) / "tests" / "compat";

}  // namespace

TEST_CASE("a manifest of format 1 says what it said when it was written") {
  const std::string text = TextOf(kBackups / "backup-1" / "backup" / "MANIFEST");
  const auto bytes = std::as_bytes(std::span(text));
  const auto manifest = DecodeManifest(bytes);
  REQUIRE_OK(manifest);
  CHECK(manifest->header.generation == 1);
  CHECK(manifest->header.position == 135);
  CHECK(manifest->header.position_frame_hash == 0xc738ef89c739418a);
  CHECK(manifest->header.store.segment_bytes_max == 16384);
  REQUIRE(manifest->segments.size() == 5);
  const BackupSegment last = manifest->segments.back();
  CHECK(last.first_position == 115);
  CHECK(last.next_position == 136);
  CHECK(last.length == 12992);
  CHECK(last.last_frame_offset == 12480);
  CHECK(last.last_frame_hash == manifest->header.position_frame_hash);
  REQUIRE(manifest->files.size() == 1);
  CHECK(manifest->files[0].name == "publish/bus/cursor");
  CHECK(manifest->files[0].bytes == 16);
  // And it is written so to this day.
  const std::vector<std::byte> again = Encode(*manifest);
  CHECK(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()));
}

TEST_CASE("a backup of format 1 verifies, becomes a store, and goes on") {
  const TempFolder folder;
  fs::copy(kBackups / "backup-1" / "backup", folder / "backup", fs::copy_options::recursive);
  const auto verified = Verify(folder / "backup", {});
  REQUIRE_OK(verified);
  CHECK(verified->ok());
  CHECK(verified->positions == 135);
  REQUIRE_OK(Restore(folder / "backup", folder / "restored", {}));
  const auto reader = Reader::Open(folder / "restored", {});
  REQUIRE_OK(reader);
  CHECK(Describe(**reader).value() == TextOf(kBackups / "v1.0" / "events.txt"));
  CHECK(TextOf(folder / "restored" / "publish" / "bus" / "cursor") == "{\"position\":120}");

  fs::copy(kBackups / "v1.0" / "store", folder / "store", fs::copy_options::recursive);
  {
    const auto store = Store::Open(folder / "store", {});
    REQUIRE_OK(store);
    REQUIRE_OK((*store)->Append("account-1", ExpectedVersion::Any(),
                                {{.type = "Later", .data = AsBytes("{}")}}));
  }
  const auto next = Backup(folder / "store", folder / "backup", {});
  REQUIRE_OK(next);
  CHECK(next->position == Position(136));
  CHECK(next->bytes < 2000);
}

}  // namespace daybook::testing
