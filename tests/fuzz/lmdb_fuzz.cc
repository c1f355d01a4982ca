// The pages of LMDB: where CheckPages passes a file, LMDB itself reads it without harm, and reads
// what LmdbSnapshot reads.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "kv/environment.h"
#include "kv/lmdb_snapshot.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {
namespace {

using Entries = std::vector<std::pair<std::string, std::string>>;

const char* const kTables[] = {"meta", "heads", "catalogue"};

const std::filesystem::path& IndexFolder() {
  static const std::filesystem::path path = [] {
    std::filesystem::create_directories(Folder() / "index");
    return Folder() / "index";
  }();
  return path;
}

Entries ReadWithLmdb(const ReadTransaction& transaction, TableHandle table) {
  Entries entries;
  auto cursor = transaction.OpenCursor(table);
  DAYBOOK_FUZZ_CHECK(cursor.ok());
  auto more = cursor->Seek("");
  for (; more.ok() && *more; more = cursor->Next()) {
    entries.emplace_back(cursor->key(), cursor->value());
    const auto found = transaction.Get(table, cursor->key());
    DAYBOOK_FUZZ_CHECK(found.ok() && *found && **found == cursor->value());
  }
  DAYBOOK_FUZZ_CHECK(more.ok());
  return entries;
}

void CompareWithLmdb(const LmdbSnapshot& snapshot) {
  std::vector<Entries> ours(std::size(kTables));
  for (std::size_t i = 0; i < ours.size(); ++i) {
    DAYBOOK_FUZZ_CHECK(
        snapshot
            .ForEach(kTables[i], [&](std::string_view key,
                                     std::string_view value) { ours[i].emplace_back(key, value); })
            .ok());
  }
  const auto environment = Environment::Open(
      IndexFolder(), {.map_bytes = 4 << 20, .max_tables = 3, .no_meta_sync = true});
  if (!environment.ok()) return;  // it says so, and the index is discarded
  // As HeadStore does: what was cut off, or never written, is as good as a hole.
  const std::filesystem::path file = IndexFolder() / "data.mdb";
  if (std::filesystem::file_size(file) < (*environment)->pages_end()) {
    std::filesystem::resize_file(file, (*environment)->pages_end());
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const auto table = (*environment)->OpenTable(kTables[i]);
    if (!table.ok()) return;
    {
      const auto transaction = (*environment)->BeginRead();
      if (!transaction.ok()) return;
      DAYBOOK_FUZZ_CHECK(ReadWithLmdb(*transaction, *table) == ours[i]);
    }
    // It is written to as well: pages are split, freed and taken from the list of free ones.
    auto writing = (*environment)->BeginWrite();
    if (!writing.ok()) return;
    for (const char* key : {"account-1", "zz", "account-3", "0"}) {
      if (!writing->Put(*table, key, std::string(56, 'x')).ok()) return;
    }
    if (!writing->Commit().ok()) return;
  }
}

// Pages that are in use, and their fields, more often than the rest.
void MutateField(std::uint8_t* data, std::size_t size, Choices& choices) {
  const std::size_t page = choices.Below(size / 4096) * 4096;
  std::size_t at = page + choices.Below(4096);
  switch (choices.Below(4)) {
    case 0:
      at = page + choices.Below(16);  // its header
      break;
    case 1:
      at = page + 16 + choices.Below(160);  // places of nodes, or the meta page
      break;
    default:
      break;
  }
  static constexpr std::uint8_t kBytes[] = {0, 1, 2, 4, 8, 0x10, 0x20, 0x7F, 0x80, 0xFF};
  if (choices.OneIn(2)) {
    data[at] = kBytes[choices.Below(std::size(kBytes))];
  } else {
    data[at] = static_cast<std::uint8_t>(data[at] ^ (1U << choices.Below(8)));
  }
}

}  // namespace
}  // namespace daybook::fuzzing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace daybook::fuzzing;
  Choices choices(seed);
  if (size < 8192 || choices.OneIn(8)) return LLVMFuzzerMutate(data, size, max_size);
  for (std::uint64_t i = choices.Below(3) + 1; i > 0; --i) MutateField(data, size, choices);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook;
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  // LMDB grows its file: what it left is gone before the next.
  WriteFile(IndexFolder() / "data.mdb", {data, size});
  const auto snapshot = LmdbSnapshot::Open(IndexFolder());
  if (!snapshot.ok() || !snapshot->CheckPages().ok()) return 0;
  Tally::Get().Accepted();
  CompareWithLmdb(*snapshot);
  return 0;
}
