#include "io/directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "daybook/event.h"
#include "io/file.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::HasText;
using testing::TempFolder;
using Names = std::vector<std::string>;

void Write(const std::filesystem::path& path, std::string_view text) {
  auto file = File::OpenOrCreate(path);
  REQUIRE_OK(file);
  REQUIRE_OK(file->Resize(0));
  REQUIRE_OK(file->WriteAt(0, AsBytes(text)));
}

std::string Read(const std::filesystem::path& path) {
  auto file = File::OpenRead(path);
  REQUIRE_OK(file);
  std::string text(*file->Size(), '?');
  REQUIRE_OK(file->ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

TEST_CASE("a list has every name once, sorted bytewise, hidden ones too") {
  TempFolder folder;
  CHECK(*Directory::List(folder.path()) == Names{});
  for (const char* name : {"b", "a", "B", ".hidden", "é", "00000000000000000002.log"}) {
    Write(folder / name, "");
  }
  REQUIRE_OK(Directory::Create(folder / "c"));
  CHECK(*Directory::List(folder.path()) ==
        Names{".hidden", "00000000000000000002.log", "B", "a", "b", "c", "é"});
  CHECK(Directory::List(folder / "none").status().code() == absl::StatusCode::kNotFound);
  CHECK(Directory::List(folder / "a").status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a folder is created once, and a second time is fine, unless the name is a file's") {
  TempFolder folder;
  const mode_t mask = umask(0);
  CHECK_OK(Directory::Create(folder / "d"));
  umask(mask);
  struct stat info;
  REQUIRE(stat((folder / "d").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0755);
  CHECK_OK(Directory::Create(folder / "d"));
  Write(folder / "f", "");
  CHECK(Directory::Create(folder / "f").code() == absl::StatusCode::kAlreadyExists);
  CHECK(Directory::Create(folder / "x" / "y").code() == absl::StatusCode::kNotFound);
}

TEST_CASE("the name of a folder is synced however the folder is called") {
  TempFolder folder;
  REQUIRE_OK(Directory::Create(folder / "d"));
  for (const char* name : {"d", "d/", "d/.", "d/.."})
    CHECK_OK(Directory::SyncNameOf(folder / name));
  CHECK_OK(Directory::SyncNameOf("d"));
  CHECK_OK(Directory::SyncNameOf("."));
  CHECK(absl::IsNotFound(Directory::SyncNameOf(folder / "none" / "d")));
}

TEST_CASE("a rename takes the place of what was there") {
  TempFolder folder;
  Write(folder / "a", "new");
  Write(folder / "b", "old");
  CHECK_OK(Directory::Rename(folder / "a", folder / "b"));
  CHECK(*Directory::List(folder.path()) == Names{"b"});
  CHECK(Read(folder / "b") == "new");
  const absl::Status status = Directory::Rename(folder / "none", folder / "b");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(status.message()), HasText((folder / "none").native()));
}

TEST_CASE("a rename without replacing leaves both where the name is taken") {
  TempFolder folder;
  Write(folder / "spare", "new");
  Write(folder / "taken", "old");
  const absl::Status status = Directory::RenameNoReplace(folder / "spare", folder / "taken");
  CHECK(status.code() == absl::StatusCode::kAlreadyExists);
  CHECK_THAT(std::string(status.message()), HasText((folder / "taken").native()));
  CHECK(Read(folder / "spare") == "new");
  CHECK(Read(folder / "taken") == "old");
  CHECK_OK(Directory::RenameNoReplace(folder / "spare", folder / "free"));
  CHECK(*Directory::List(folder.path()) == Names{"free", "taken"});
  CHECK(Directory::RenameNoReplace(folder / "none", folder / "x").code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("a file or an empty folder is removed, and nothing there is fine") {
  TempFolder folder;
  Write(folder / "f", "");
  REQUIRE_OK(Directory::Create(folder / "d"));
  Write(folder / "d" / "inside", "");
  CHECK_OK(Directory::Remove(folder / "f"));
  CHECK_OK(Directory::Remove(folder / "f"));
  CHECK(Directory::Remove(folder / "d").code() == absl::StatusCode::kFailedPrecondition);
  CHECK_OK(Directory::Remove(folder / "d" / "inside"));
  CHECK_OK(Directory::Remove(folder / "d"));
  CHECK(*Directory::List(folder.path()) == Names{});
}

TEST_CASE("a folder is synced, and what is none is refused") {
  TempFolder folder;
  CHECK_OK(Directory::Sync(folder.path()));
  Write(folder / "f", "");
  CHECK(Directory::Sync(folder / "f").code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Directory::Sync(folder / "none").code() == absl::StatusCode::kNotFound);
}

TEST_CASE("files and folders exist, and a link to nothing does not") {
  TempFolder folder;
  Write(folder / "f", "");
  REQUIRE(symlink("nowhere", (folder / "link").c_str()) == 0);
  CHECK(Directory::Exists(folder.path()));
  CHECK(Directory::Exists(folder / "f"));
  CHECK_FALSE(Directory::Exists(folder / "none"));
  CHECK_FALSE(Directory::Exists(folder / "link"));
}

TEST_CASE("a local file system is no network one, and a path that is not there is an error") {
  TempFolder folder;
  const auto network = Directory::IsNetworkFileSystem("/proc");
  REQUIRE_OK(network);
  CHECK_FALSE(*network);
  CHECK(Directory::IsNetworkFileSystem(folder / "none").status().code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE("a file has a size, and a tree the sum of them") {
  TempFolder folder;
  Write(folder / "a", "12345");
  REQUIRE_OK(Directory::Create(folder / "d"));
  REQUIRE_OK(Directory::Create(folder / "d" / "e"));
  Write(folder / "d" / "b", "123");
  Write(folder / "d" / "e" / "c", "1");
  REQUIRE(symlink((folder / "a").c_str(), (folder / "link").c_str()) == 0);
  CHECK(*Directory::FileSize(folder / "a") == 5);
  CHECK(Directory::FileSize(folder / "none").status().code() == absl::StatusCode::kNotFound);
  CHECK(*Directory::TreeBytes(folder.path()) == 9);  // a link is not followed
  CHECK(*Directory::TreeBytes(folder / "d") == 4);
  CHECK(*Directory::TreeBytes(folder / "a") == 5);
  CHECK(*Directory::TreeBytes(folder / "none") == 0);
}

TEST_CASE("a file that is written atomically has all of its bytes and leaves nothing beside it") {
  TempFolder folder;
  CHECK_OK(Directory::WriteFileAtomically(folder / "STORE", AsBytes("first, and longer")));
  CHECK(Read(folder / "STORE") == "first, and longer");
  CHECK_OK(Directory::WriteFileAtomically(folder / "STORE", AsBytes("second")));
  CHECK(Read(folder / "STORE") == "second");
  CHECK(*Directory::List(folder.path()) == Names{"STORE"});
}

TEST_CASE("what a writer left that died half-way does not disturb the next") {
  TempFolder folder;
  Write(folder / "STORE", "old");
  Write(folder / "STORE.tmp", "half of something that was longer");
  CHECK_OK(Directory::WriteFileAtomically(folder / "STORE", AsBytes("new")));
  CHECK(Read(folder / "STORE") == "new");
  CHECK(*Directory::List(folder.path()) == Names{"STORE"});
}

TEST_CASE("a file that cannot be replaced stays as it was, and what was written aside is gone") {
  TempFolder folder;
  REQUIRE_OK(Directory::Create(folder / "STORE"));
  Write(folder / "STORE" / "inside", "");
  CHECK_FALSE(Directory::WriteFileAtomically(folder / "STORE", AsBytes("new")).ok());
  CHECK(*Directory::List(folder.path()) == Names{"STORE"});
  CHECK(Directory::WriteFileAtomically(folder / "none" / "STORE", AsBytes("new")).code() ==
        absl::StatusCode::kNotFound);
}

}  // namespace

TEST_CASE("the room that is left is known, and that of a path that is not there is not") {
  const auto free = Directory::FreeBytes("/tmp");
  REQUIRE_OK(free);
  CHECK(*free > 0);
  CHECK(absl::IsNotFound(Directory::FreeBytes("/tmp/is/not/there").status()));
}

}  // namespace daybook
