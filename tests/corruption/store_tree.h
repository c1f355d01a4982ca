// A small store as bytes: its files, what is done to them, and what is appended to it. For tests of
// any kind: nothing here needs Catch2.

#ifndef DAYBOOK_TESTS_CORRUPTION_STORE_TREE_H_
#define DAYBOOK_TESTS_CORRUPTION_STORE_TREE_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "daybook/store.h"

namespace daybook::testing {

// Paths relative to the store, and what the files hold.
using Tree = std::map<std::string, std::string>;
Tree ReadTree(const std::filesystem::path& directory);
// Makes the folder hold exactly this; files that are there as they should be are not touched.
void WriteTree(const std::filesystem::path& directory, const Tree& tree);

// Where the bytes of a record stand.
struct RecordPlace {
  std::string file;
  std::uint64_t begin = 0, end = 0;
  std::uint64_t position = 0;
};

struct SmallStoreOptions {
  std::uint64_t events = 150;
  std::uint64_t segment_bytes = std::uint64_t{16} << 10;
  std::uint64_t data_bytes = 120;  // of most events
};
// Appends what the tests here count on: streams, types, tags and times of some variety.
absl::Status FillSmallStore(Store& store, const SmallStoreOptions& options);

bool IsLogFile(const std::string& file);
// What is made anew from the log, or holds nothing.
bool IsDerived(const std::string& file);

std::string ToText(const Finding& finding);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_STORE_TREE_H_
