#include "kv/environment.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using std::chrono::milliseconds;
using testing::HasText;
using testing::TempFolder;
using Entries = std::vector<std::pair<std::string, std::string>>;

std::unique_ptr<Environment> Open(const std::filesystem::path& folder,
                                  const EnvironmentOptions& options = {}) {
  auto environment = Environment::Open(folder, options);
  REQUIRE_OK(environment);
  return *std::move(environment);
}

TableHandle OpenTable(Environment& environment, std::string_view name) {
  auto table = environment.OpenTable(name);
  REQUIRE_OK(table);
  return *table;
}

WriteTransaction Write(Environment& environment) {
  auto transaction = environment.BeginWrite();
  REQUIRE_OK(transaction);
  return *std::move(transaction);
}

ReadTransaction Read(Environment& environment) {
  auto transaction = environment.BeginRead();
  REQUIRE_OK(transaction);
  return *std::move(transaction);
}

void PutAll(Environment& environment, TableHandle table, const Entries& entries) {
  WriteTransaction transaction = Write(environment);
  for (const auto& [key, value] : entries) REQUIRE_OK(transaction.Put(table, key, value));
  REQUIRE_OK(transaction.Commit());
}

std::optional<std::string> Get(const Transaction& transaction, TableHandle table,
                               std::string_view key) {
  const auto value = transaction.Get(table, key);
  REQUIRE_OK(value);
  if (!value->has_value()) return std::nullopt;
  return std::string(**value);
}

std::optional<std::string> Get(Environment& environment, TableHandle table, std::string_view key) {
  return Get(Read(environment), table, key);
}

// Everything from the first key ≥ `from` on.
Entries Walk(const Transaction& transaction, TableHandle table, std::string_view from) {
  auto cursor = transaction.OpenCursor(table);
  REQUIRE_OK(cursor);
  Entries entries;
  auto found = cursor->Seek(from);
  for (; found.ok() && *found; found = cursor->Next()) {
    entries.emplace_back(cursor->key(), cursor->value());
  }
  REQUIRE_OK(found);
  return entries;
}

TEST_CASE("what was committed is there, also after the folder is opened again") {
  TempFolder folder;
  {
    const auto environment = Open(folder.path());
    const TableHandle table = OpenTable(*environment, "heads");
    PutAll(*environment, table, {{"a", "1"}, {"b", ""}, {std::string("\0", 1), "zero"}});
    PutAll(*environment, table, {{"a", "2"}});
    CHECK(Get(*environment, table, "a") == "2");
  }
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "heads");
  CHECK(Get(*environment, table, "a") == "2");
  CHECK(Get(*environment, table, "b") == "");
  CHECK(Get(*environment, table, std::string_view("\0", 1)) == "zero");
  CHECK(Get(*environment, table, "c") == std::nullopt);
  CHECK(*Read(*environment).Count(table) == 3);
}

TEST_CASE("tables are apart, and a name opens the same one each time") {
  TempFolder folder;
  const auto environment = Open(folder.path(), {.max_tables = 2});
  const TableHandle first = OpenTable(*environment, "first"),
                    second = OpenTable(*environment, "second");
  PutAll(*environment, first, {{"key", "of the first"}});
  CHECK(Get(*environment, second, "key") == std::nullopt);
  CHECK(Get(*environment, OpenTable(*environment, "first"), "key") == "of the first");
  CHECK_FALSE(environment->OpenTable("a third").ok());
}

TEST_CASE("a write transaction that is not committed leaves no trace") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  {
    WriteTransaction transaction = Write(*environment);
    REQUIRE_OK(transaction.Put(table, "a", "1"));
    CHECK(Get(transaction, table, "a") == "1");  // it sees its own writes
  }
  CHECK(Get(*environment, table, "a") == std::nullopt);
}

TEST_CASE("a read transaction sees the commit before it began, and no later one") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "old"}});
  const ReadTransaction reader = Read(*environment);
  PutAll(*environment, table, {{"a", "new"}, {"b", "new"}});
  CHECK(Get(reader, table, "a") == "old");
  CHECK(Get(reader, table, "b") == std::nullopt);
  CHECK(Get(*environment, table, "a") == "new");
}

TEST_CASE("a delete says whether there was something") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "1"}, {"b", "2"}});
  WriteTransaction transaction = Write(*environment);
  CHECK(*transaction.Delete(table, "a"));
  CHECK_FALSE(*transaction.Delete(table, "a"));
  REQUIRE_OK(transaction.Commit());
  CHECK(Walk(Read(*environment), table, "") == Entries{{"b", "2"}});
}

TEST_CASE("a cursor walks the keys in bytewise order from the first that is not smaller") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"b", "2"}, {"\xFF", "5"}, {"a", "1"}, {"ba", "3"}, {"c", "4"}});
  const ReadTransaction reader = Read(*environment);
  CHECK(Walk(reader, table, "") ==
        Entries{{"a", "1"}, {"b", "2"}, {"ba", "3"}, {"c", "4"}, {"\xFF", "5"}});
  CHECK(Walk(reader, table, "b") == Entries{{"b", "2"}, {"ba", "3"}, {"c", "4"}, {"\xFF", "5"}});
  CHECK(Walk(reader, table, "bb") == Entries{{"c", "4"}, {"\xFF", "5"}});
  CHECK(Walk(reader, table, "\xFF\x01").empty());
  CHECK(Walk(reader, table, std::string(600, 'b')) == Entries{{"c", "4"}, {"\xFF", "5"}});

  auto cursor = reader.OpenCursor(table);
  REQUIRE_OK(cursor);
  REQUIRE(*cursor->Next());
  CHECK(cursor->key() == "a");
  TableCursor moved = *std::move(cursor);
  REQUIRE(*moved.Next());
  CHECK(moved.key() == "b");
  REQUIRE(*moved.Seek("\xFF"));
  CHECK_FALSE(*moved.Next());
  CHECK_FALSE(*moved.Next());
  REQUIRE(*moved.Seek("a"));
  CHECK(moved.value() == "1");
}

TEST_CASE("a cursor goes to the last key that is not greater, and back from there") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t"), empty = OpenTable(*environment, "empty");
  PutAll(*environment, table, {{"b", "1"}, {"bb", "2"}, {"d", "3"}});
  const ReadTransaction reader = Read(*environment);
  auto cursor = reader.OpenCursor(table);
  REQUIRE_OK(cursor);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a", ""},   {"b", "b"}, {"ba", "b"}, {"bb", "bb"},
      {"c", "bb"}, {"d", "d"}, {"e", "d"},  {std::string(600, 'z'), "d"}};
  for (const auto& [key, wanted] : cases) {
    const auto found = cursor->SeekBack(key);
    REQUIRE_OK(found);
    CHECK(*found == !wanted.empty());
    if (*found) CHECK(cursor->key() == wanted);
  }
  REQUIRE(*cursor->Previous());
  CHECK(cursor->key() == "bb");
  REQUIRE(*cursor->Previous());
  CHECK_FALSE(*cursor->Previous());
  auto none = reader.OpenCursor(empty);
  REQUIRE_OK(none);
  CHECK_FALSE(*none->SeekBack("a"));
}

TEST_CASE("an empty table has no first entry") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  CHECK(Walk(Read(*environment), table, "").empty());
  CHECK(Walk(Read(*environment), table, "a").empty());
  CHECK(*Read(*environment).Count(table) == 0);
}

TEST_CASE("a key has 1 to 511 bytes") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  WriteTransaction transaction = Write(*environment);
  const std::string longest(511, 'k'), too_long(512, 'k');
  CHECK_OK(transaction.Put(table, longest, "v"));
  for (const std::string& key : {std::string(), too_long}) {
    CHECK(transaction.Put(table, key, "v").code() == absl::StatusCode::kInvalidArgument);
    CHECK(transaction.Delete(table, key).status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(transaction.Get(table, key).status().code() == absl::StatusCode::kInvalidArgument);
  }
  REQUIRE_OK(transaction.Commit());  // a refused key does no harm
  CHECK(Get(*environment, table, longest) == "v");
}

TEST_CASE("a transaction that is over refuses everything, and gives the writer's place free") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  WriteTransaction transaction = Write(*environment);
  REQUIRE_OK(transaction.Commit());
  CHECK(transaction.Commit().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(transaction.Put(table, "a", "1").code() == absl::StatusCode::kFailedPrecondition);
  CHECK(transaction.Get(table, "a").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(transaction.OpenCursor(table).status().code() == absl::StatusCode::kFailedPrecondition);
  transaction = Write(*environment);  // another in its place
  CHECK_OK(transaction.Put(table, "a", "1"));
}

// Fills the table until the map is full; the number of the entry that had no more room.
int FillUp(Environment& environment, TableHandle table) {
  const std::string value(40'000, 'v');
  for (int i = 0;; ++i) {
    WriteTransaction transaction = Write(environment);
    absl::Status status = transaction.Put(table, std::to_string(i), value);
    if (status.ok()) status = transaction.Commit();
    if (status.ok()) continue;
    CHECK(status.code() == absl::StatusCode::kResourceExhausted);
    CHECK_THAT(std::string(status.message()), HasText("grow the map"));
    return i;
  }
}

TEST_CASE("a full map is kResourceExhausted; once it has grown, the same transaction succeeds") {
  TempFolder folder;
  const auto environment = Open(folder.path(), {.map_bytes = 1 << 20, .no_meta_sync = true});
  const TableHandle table = OpenTable(*environment, "t");
  CHECK(environment->map_bytes() == 1 << 20);
  const int refused = FillUp(*environment, table);
  CHECK(refused > 10);
  CHECK(Get(*environment, table, std::to_string(refused)) == std::nullopt);
  REQUIRE_OK(environment->GrowMap());
  CHECK(environment->map_bytes() == 2 << 20);
  PutAll(*environment, table, {{std::to_string(refused), "fits"}});
  CHECK(Get(*environment, table, "0")->size() == 40'000);
  CHECK(FillUp(*environment, table) > refused);
}

TEST_CASE("the map does not grow under an open transaction, but after it") {
  TempFolder folder;
  const auto environment = Open(folder.path(), {.map_bytes = 1 << 20});
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "1"}});
  {
    const ReadTransaction reader = Read(*environment);
    const absl::Status status = environment->GrowMap(milliseconds(20));
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(status.message()), HasText("1 transactions are open"));
    CHECK(environment->map_bytes() == 1 << 20);
    CHECK(Get(reader, table, "a") == "1");
  }
  std::atomic<bool> reading = false;
  Thread thread("reads", [&] {
    const auto reader = environment->BeginRead();
    reading = true;
    usleep(20'000);
  });
  while (!reading) usleep(100);
  CHECK_OK(environment->GrowMap());
  CHECK(environment->map_bytes() == 2 << 20);
}

TEST_CASE("a folder that is not there is kNotFound, and a damaged file kDataLoss") {
  TempFolder folder;
  CHECK(Environment::Open(folder / "none", {}).status().code() == absl::StatusCode::kNotFound);
  std::ofstream(folder / "data.mdb") << std::string(100'000, 'x');
  const absl::Status status = Environment::Open(folder.path(), {}).status();
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(status.message()), HasText(folder.path().native()));
}

TEST_CASE("without syncing the last page the commits are there, and can be synced later") {
  TempFolder folder;
  {
    const auto environment = Open(folder.path(), {.no_meta_sync = true});
    const TableHandle table = OpenTable(*environment, "t");
    PutAll(*environment, table, {{"a", "1"}});
    CHECK_OK(environment->Sync());
  }
  const auto environment = Open(folder.path());
  CHECK(Get(*environment, OpenTable(*environment, "t"), "a") == "1");
}

TEST_CASE("a read transaction belongs to no thread, and one thread may have several") {
  TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "1"}});
  ReadTransaction first = Read(*environment), second = Read(*environment);
  std::string seen;
  Thread("reads", [moved = std::make_shared<ReadTransaction>(std::move(first)), &seen, table] {
    const auto value = moved->Get(table, "a");
    if (value.ok() && value->has_value()) seen = **value;
  }).Join();
  CHECK(seen == "1");
  CHECK(Get(second, table, "a") == "1");
}

TEST_CASE("threads read while others write, and each sees one commit as a whole") {
  TempFolder folder;
  const auto environment = Open(folder.path(), {.no_meta_sync = true});
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "0"}, {"b", "0"}});
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0, reads = 0;
  const auto write = [&] {
    for (int i = 0; i < 50 || reads == 0; ++i) {  // until somebody has read beside it
      auto transaction = environment->BeginWrite();
      const std::string value = std::to_string(i);
      const bool ok = transaction.ok() && transaction->Put(table, "a", value).ok() &&
                      transaction->Put(table, "b", value).ok() && transaction->Commit().ok();
      if (!ok) ++wrong;
    }
  };
  const auto read = [&] {
    while (!stop) {
      const auto reader = environment->BeginRead();
      const auto a = reader->Get(table, "a"), b = reader->Get(table, "b");
      if (!a.ok() || !b.ok() || **a != **b) ++wrong;
      ++reads;
    }
  };
  {
    Thread first_reader("reads", read), second_reader("reads", read);
    {
      Thread first_writer("writes", write), second_writer("writes", write);
      CHECK_OK(environment->GrowMap());
    }
    stop = true;
  }
  CHECK(wrong == 0);
  CHECK(reads > 0);
}

// Runs a function in a child process; the code that it ended with.
template <class Body>
int InChild(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(body());
  }
  int status = -1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_CASE("a map that another process has grown is taken over by the next transaction") {
  TempFolder folder;
  auto environment = Open(folder.path(), {.map_bytes = 1 << 20});
  const TableHandle table = OpenTable(*environment, "t");
  const int code = InChild([&] {
    const auto mine = Environment::Open(folder.path(), {.map_bytes = 8 << 20});
    if (!mine.ok()) return 1;
    const auto same = (*mine)->OpenTable("t");
    auto transaction = (*mine)->BeginWrite();
    if (!same.ok() || !transaction.ok()) return 2;
    if (!transaction->Put(*same, "big", std::string(4 << 20, 'v')).ok()) return 3;
    return transaction->Commit().ok() ? 0 : 4;
  });
  REQUIRE(code == 0);
  CHECK(Get(*environment, table, "big")->size() == 4 << 20);
  CHECK(environment->map_bytes() == 8 << 20);
  PutAll(*environment, table, {{"small", "1"}});
}

TEST_CASE("a forked child is refused, and destroys what it inherited without harm to the parent") {
  TempFolder folder;
  auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "old"}});
  auto reader = std::make_unique<ReadTransaction>(Read(*environment));
  auto writer = std::make_unique<WriteTransaction>(Write(*environment));
  REQUIRE_OK(writer->Put(table, "a", "new"));
  const int code = InChild([&] {
    if (environment->BeginRead().status().code() != absl::StatusCode::kFailedPrecondition) return 1;
    if (environment->BeginWrite().status().code() != absl::StatusCode::kFailedPrecondition)
      return 2;
    if (writer->Commit().code() != absl::StatusCode::kFailedPrecondition) return 3;
    writer.reset();
    reader.reset();
    environment.reset();
    return 0;
  });
  CHECK(code == 0);
  REQUIRE_OK(writer->Commit());
  // The reader still holds its pages: what it sees stays as it was while others are written over
  // and over.
  for (int i = 0; i < 20; ++i) PutAll(*environment, table, {{"a", std::to_string(i)}});
  CHECK(Get(*reader, table, "a") == "old");
}

}  // namespace
TEST_CASE("keys in order can be appended, and a key that is not in order cannot") {
  const TempFolder folder;
  const auto environment = Open(folder.path());
  const TableHandle table = OpenTable(*environment, "t");
  PutAll(*environment, table, {{"a", "1"}});
  {
    WriteTransaction transaction = Write(*environment);
    CHECK_OK(transaction.Append(table, "b", "2"));
    CHECK(absl::IsInvalidArgument(transaction.Append(table, "b", "3")));
  }
  WriteTransaction transaction = Write(*environment);
  CHECK_OK(transaction.Append(table, "b", "2"));
  CHECK_OK(transaction.Append(table, "c", "3"));
  CHECK_OK(transaction.Commit());
  const ReadTransaction read = Read(*environment);
  CHECK(Walk(read, table, "") == Entries{{"a", "1"}, {"b", "2"}, {"c", "3"}});
  CHECK(read.Pages(table).value() == 1);
}

TEST_CASE("a table is found without writing where it is, and not made where it is not") {
  const TempFolder folder;
  {
    const auto environment = Open(folder.path());
    PutAll(*environment, OpenTable(*environment, "t"), {{"a", "1"}});
  }
  const auto environment = Open(folder.path());
  const auto table = environment->FindTable("t");
  REQUIRE_OK(table);
  CHECK(Get(*environment, *table, "a") == "1");
  CHECK(absl::IsNotFound(environment->FindTable("u").status()));
  CHECK(absl::IsNotFound(environment->FindTable("u").status()));
}

}  // namespace daybook
