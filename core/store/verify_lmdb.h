// Reads the tables of an LMDB folder from its bytes, without LMDB: with read rights only, changing nothing, taking no lock, and believing
// nothing. LMDB itself writes to its lock file, makes what is missing, and trusts its pages, so that damaged ones can end the process.

#ifndef DAYBOOK_STORE_VERIFY_LMDB_H_
#define DAYBOOK_STORE_VERIFY_LMDB_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "io/mapped_file.h"

namespace daybook {

class LmdbSnapshot {
 public:
  // Opens data.mdb at its last transaction. kNotFound where there is none; kDataLoss names what is damaged (Damage).
  static absl::StatusOr<LmdbSnapshot> Open(const std::filesystem::path& folder);

  using Visit = std::function<void(std::string_view key, std::string_view value)>;
  // Visits a table in order of its keys; a table that is not there is empty. kDataLoss where its pages are damaged.
  absl::Status ForEach(std::string_view table, const Visit& visit) const;

  // Whether a writer has committed since: what was read may then be a mixture.
  [[nodiscard]] bool Changed() const;

 private:
  struct Tree {
    std::uint64_t root = 0;
    std::uint64_t entries = 0;
    std::uint16_t depth = 0;
  };
  LmdbSnapshot(MappedFile map, std::string name) : map_(std::move(map)), name_(std::move(name)) {}
  absl::Status ReadMeta();
  absl::Status Walk(const Tree& tree, const Visit& visit) const;
  absl::Status WalkPage(std::uint64_t number, std::uint32_t level, std::uint64_t* left,
                        const Visit& visit) const;
  absl::Status VisitNode(std::uint64_t page, std::span<const std::byte> node,
                         const Visit& visit) const;
  absl::Status Damaged(std::uint64_t page, const char* what) const;
  [[nodiscard]] bool HasPage(std::uint64_t number) const {
    return number < map_.bytes().size() / page_bytes_;
  }

  MappedFile map_;
  std::string name_;
  std::uint64_t page_bytes_ = 0;
  std::uint64_t transaction_ = 0;
  Tree main_;
};

}  // namespace daybook

#endif  // DAYBOOK_STORE_VERIFY_LMDB_H_
