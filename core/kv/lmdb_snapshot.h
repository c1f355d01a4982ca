// Reads the tables of an LMDB folder from its bytes, without LMDB: with read rights only, changing
// nothing, taking no lock, and believing nothing. LMDB itself writes to its lock file, makes what
// is missing, and trusts its pages, so that damaged ones can end the process.

#ifndef DAYBOOK_KV_LMDB_SNAPSHOT_H_
#define DAYBOOK_KV_LMDB_SNAPSHOT_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/file_bytes.h"

namespace daybook {

class LmdbSnapshot {
 public:
  // Opens data.mdb at its last transaction. kNotFound where there is none; kDataLoss names what is
  // damaged (Damage).
  static absl::StatusOr<LmdbSnapshot> Open(const std::filesystem::path& folder,
                                           FileAccess access = FileAccess::kMap);

  // Checks all that LMDB would follow without a look of its own: every page of every table, that
  // lookups find what is there, the list of free pages, and that no page has two uses.
  [[nodiscard]] absl::Status CheckPages() const;

  using Visit = std::function<void(std::string_view key, std::string_view value)>;
  // Visits a table in order of its keys; a table that is not there is empty. kDataLoss where its
  // pages are damaged.
  absl::Status ForEach(std::string_view table, const Visit& visit) const;

  // Whether a writer has committed since: what was read may then be a mixture.
  [[nodiscard]] bool Changed() const;

 private:
  struct Tree {
    std::uint64_t root = 0;
    std::uint64_t entries = 0;
    std::uint16_t depth = 0;
    std::uint16_t flags = 0;
  };
  // Which pages are in use.
  using Pages = std::vector<bool>;
  // Where a walk through one tree is.
  struct Walker {
    const Tree& tree;
    Pages* used;
    const Visit& visit;
    std::uint64_t seen = 0;
    std::string last;   // key
    std::string bound;  // that the next key may not be below
  };
  LmdbSnapshot(FileBytes map, std::string name) : map_(std::move(map)), name_(std::move(name)) {}
  absl::Status ReadMeta();
  absl::Status Walk(const Tree& tree, Pages* used, const Visit& visit) const;
  absl::Status WalkPage(std::uint64_t number, std::uint32_t level, Walker* walker) const;
  absl::Status VisitLeaf(std::uint64_t page, std::span<const std::byte> node, Walker* walker) const;
  absl::Status ReadValue(std::uint64_t page, std::span<const std::byte> bytes, Pages* used,
                         std::span<const std::byte>* value) const;
  absl::Status CheckFree(std::uint64_t page, std::string_view value, Pages* used) const;
  [[nodiscard]] Pages NoPages() const;
  absl::Status Damaged(std::uint64_t page, const char* what) const;
  [[nodiscard]] bool HasPage(std::uint64_t number) const {
    return number >= 2 && number <= last_page_ && number < map_.bytes().size() / page_bytes_;
  }

  FileBytes map_;
  std::string name_;
  std::uint64_t page_bytes_ = 0;
  std::uint64_t transaction_ = 0;
  std::uint64_t last_page_ = 0;
  Tree main_, free_;
};

}  // namespace daybook

#endif  // DAYBOOK_KV_LMDB_SNAPSHOT_H_
