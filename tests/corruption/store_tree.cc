#include "tests/corruption/store_tree.h"

#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::testing {
namespace {

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

Tree ReadTree(const std::filesystem::path& directory) {
  Tree tree;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file()) continue;
    tree[std::filesystem::relative(entry.path(), directory).generic_string()] =
        ReadAll(entry.path());
  }
  return tree;
}

void WriteTree(const std::filesystem::path& directory, const Tree& tree) {
  std::filesystem::create_directories(directory);
  for (const auto& [name, bytes] : ReadTree(directory)) {
    if (!tree.contains(name)) std::filesystem::remove(directory / name);
  }
  for (const auto& [name, bytes] : tree) {
    const std::filesystem::path path = directory / name;
    std::filesystem::create_directories(path.parent_path());
    if (std::filesystem::exists(path) && ReadAll(path) == bytes) continue;
    std::filesystem::remove(path);
    std::ofstream(path, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
}

absl::Status FillSmallStore(Store& store, const SmallStoreOptions& options) {
  std::uint64_t made = 0;
  while (made < options.events) {
    Commit commit;
    for (std::uint64_t i = 0; i <= made % 3; ++i, ++made) {
      const std::string stream = absl::StrCat(made % 2 == 0 ? "account-" : "order-", made % 7);
      const std::string type = absl::StrCat("Type", made % 3);
      const std::string tag = absl::StrCat("customer:", made % 5);
      const std::string data = absl::StrCat(
          "{\"n\":", made, ",\"text\":\"", std::string(options.data_bytes - made % 50, 'x'), "\"}");
      NewEvent event{.type = type, .data = AsBytes(data)};
      if (made % 4 == 0) event.tags = {tag};
      if (made % 6 == 0) event.effective_at = Timestamp(static_cast<std::int64_t>(made) * 1000);
      if (made % 10 == 0) event.metadata = R"({"actor":"ada"})";
      DAYBOOK_RETURN_IF_ERROR(commit.Add(stream, event));
    }
    DAYBOOK_RETURN_IF_ERROR(store.Append(commit).status());
  }
  return absl::OkStatus();
}

bool IsLogFile(const std::string& file) { return file.ends_with(".log"); }

bool IsDerived(const std::string& file) {
  return file.ends_with(".idx") || file.starts_with("index/") || file == "WAKE" || file == "LOCK" ||
         file == "log/spare";
}

std::string ToText(const Finding& finding) {
  return absl::StrCat(finding.kind, " ", finding.file, " offset ", finding.offset, " positions ",
                      finding.first_position.value(), "-", finding.last_position.value(), ": ",
                      finding.hint);
}

}  // namespace daybook::testing
