// A folder for one test, gone with it.

#ifndef DAYBOOK_TESTS_TEMP_FOLDER_H_
#define DAYBOOK_TESTS_TEMP_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace daybook::testing {

class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "daybook-test-XXXXXX").native();
    // Without a folder every use of it fails, with its own message.
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_TEMP_FOLDER_H_
