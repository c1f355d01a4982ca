// A folder for one test, removed at its end.

#ifndef DAYBOOK_TESTS_TEMP_STORE_H_
#define DAYBOOK_TESTS_TEMP_STORE_H_

#include <filesystem>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook::testing {

class TempFolder {
 public:
  TempFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("daybook-" + EventId::NewV7().ToString())) {
    std::filesystem::create_directory(path_);
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path store() const { return path_ / "store"; }

 private:
  std::filesystem::path path_;
};

// The smallest segments, so that a small test goes through many.
inline StoreOptions SmallSegments() {
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  return options;
}

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_TEMP_STORE_H_
