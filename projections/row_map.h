// Rows in memory, by key: what a rebuild works on. A key here is the number of its table, as one
// byte, and the bytes of the key behind it, so that rows of all tables sort as one sequence.
//
// An open-addressing table of words, each the address of an entry with some bits of its hash; the
// entries stand one after another in blocks, so that a row costs no allocation of its own.

#ifndef DAYBOOK_PROJECTIONS_ROW_MAP_H_
#define DAYBOOK_PROJECTIONS_ROW_MAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "daybook/event.h"

namespace daybook {

// A key and what is known of its row: there is none (kNone: gone, or never there), or it is `row`.
class RowEntry {
 public:
  [[nodiscard]] std::string_view key() const {
    return {reinterpret_cast<const char*>(this + 1), key_bytes_};
  }
  [[nodiscard]] std::optional<std::string_view> row() const {
    if (row_bytes_ == kNone) return std::nullopt;
    return std::string_view(row_, row_bytes_);
  }
  [[nodiscard]] bool has_row() const { return row_bytes_ != kNone; }
  // Whether the same is known without this entry: it need not be kept when memory is full.
  [[nodiscard]] bool saved() const { return saved_; }
  void set_saved() { saved_ = true; }

 private:
  friend class RowMap;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  char* row_ = nullptr;
  std::uint32_t row_bytes_ = kNone;
  std::uint32_t room_ = 0;
  std::uint32_t hash_ = 0;
  std::uint16_t key_bytes_ = 0;
  bool saved_ = false;
};
static_assert(sizeof(RowEntry) == 24);

// Not thread-safe.
class RowMap {
 public:
  static std::uint64_t HashOf(std::string_view key) { return Hash64(AsBytes(key)); }

  RowMap() = default;
  RowMap(const RowMap&) = delete;
  RowMap& operator=(const RowMap&) = delete;

  // nullptr where nothing is known of the key. Entries stay where they are until Clear().
  [[nodiscard]] RowEntry* Find(std::string_view key, std::uint64_t hash) const;
  // Hints: a key with this hash is looked for soon. First the one, which asks for memory, and a
  // while later the other, which reads that and asks for more.
  void PrefetchSlot(std::uint64_t hash) const;
  void PrefetchEntry(std::uint64_t hash) const;
  // An entry without a row, for a key of which nothing is known.
  RowEntry* Insert(std::string_view key, std::uint64_t hash);
  // The bytes are copied. The entry is not saved any more.
  void SetRow(RowEntry* entry, std::string_view row);
  static void SetNone(RowEntry* entry) {
    entry->row_bytes_ = RowEntry::kNone;
    entry->saved_ = false;
  }

  [[nodiscard]] std::size_t size() const { return entries_; }
  // What it takes, with what is needed to sort it, and to hold one more key if it must grow.
  [[nodiscard]] std::size_t bytes() const {
    const std::size_t words = slots_.size() * sizeof(std::uint64_t);
    return block_bytes_ + words * (entries_ + 1 > Fill(slots_.size()) ? 3 : 1) +
           entries_ * 3 * sizeof(std::uint64_t);
  }
  void Clear();

  // All entries, by key; good until the next Insert or Clear.
  [[nodiscard]] std::vector<const RowEntry*> Sorted() const;

 private:
  // Three quarters of the words at most.
  static std::size_t Fill(std::size_t words) { return words / 4 * 3; }
  char* Allocate(std::size_t bytes);
  void Grow();
  void Place(std::uint64_t word, std::uint32_t hash);

  std::vector<std::uint64_t> slots_;  // 0 is free; their number is a power of two
  std::size_t entries_ = 0;
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t block_bytes_ = 0;
  char* free_ = nullptr;
  std::size_t free_bytes_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_ROW_MAP_H_
