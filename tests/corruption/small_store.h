// A small store to be damaged: its files as bytes, its events as text, and where each event stands.

#ifndef DAYBOOK_TESTS_CORRUPTION_SMALL_STORE_H_
#define DAYBOOK_TESTS_CORRUPTION_SMALL_STORE_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "daybook/store.h"
#include "tests/corruption/store_tree.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

// What a reader says of every position: its text, or that it is damaged.
struct EventsRead {
  std::map<std::uint64_t, std::string> events;
  std::vector<std::uint64_t> damaged;
  absl::Status status;  // of opening
};
EventsRead ReadEvents(const std::filesystem::path& directory);

// A store of a few sealed segments and an active one, closed cleanly.
class SmallStore {
 public:
  explicit SmallStore(const SmallStoreOptions& options = {});

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] const Tree& tree() const { return tree_; }            // as it was made
  [[nodiscard]] const EventsRead& events() const { return events_; }  // of it
  [[nodiscard]] const std::vector<RecordPlace>& records() const { return records_; }
  [[nodiscard]] const std::vector<std::string>& segments() const { return segments_; }
  [[nodiscard]] const RecordPlace& record(std::uint64_t position) const;
  // The position whose record has this byte.
  [[nodiscard]] std::optional<std::uint64_t> PositionAt(const std::string& file,
                                                        std::uint64_t offset) const;

  // Back to how it was made.
  void Restore() const { WriteTree(path_, tree_); }
  // Changes bytes of a file behind the store's back.
  void Flip(const std::string& file, std::uint64_t offset, unsigned bit = 0) const;
  void Write(const std::string& file, std::uint64_t offset, const std::string& bytes) const;
  void Zero(const std::string& file, std::uint64_t offset, std::uint64_t bytes) const;
  void Truncate(const std::string& file, std::uint64_t bytes) const;
  void Remove(const std::string& file) const;
  // A copy of it as it was made, in another folder.
  void CopyTo(const std::filesystem::path& directory) const { WriteTree(directory, tree_); }

 private:
  void FindRecords();

  TempFolder folder_;
  std::filesystem::path path_;
  Tree tree_;
  EventsRead events_;
  std::vector<RecordPlace> records_;
  std::vector<std::string> segments_;
};

// Appends one event, so as to see that the store goes on; its position.
absl::StatusOr<std::uint64_t> AppendOne(const std::filesystem::path& directory);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_CORRUPTION_SMALL_STORE_H_
