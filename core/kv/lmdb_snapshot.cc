#include "kv/lmdb_snapshot.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "io/file.h"

namespace daybook {
namespace {

// The structs of LMDB 0.9 (mdb.c) on a 64-bit little-endian machine.
struct PageHeader {
  std::uint64_t number;
  std::uint16_t pad;
  std::uint16_t flags;
  std::uint16_t lower;
  std::uint16_t upper;
};
static_assert(sizeof(PageHeader) == 16);

struct TreeRecord {
  std::uint32_t page_bytes;  // in the first of a meta page
  std::uint16_t flags;
  std::uint16_t depth;
  std::uint64_t branch_pages, leaf_pages, overflow_pages, entries, root;
};
static_assert(sizeof(TreeRecord) == 48);

struct Meta {
  std::uint32_t magic, version;
  std::uint64_t address, map_bytes;
  TreeRecord trees[2];  // of free pages, and of tables
  std::uint64_t last_page, transaction;
};
static_assert(sizeof(Meta) == 136);

struct Node {
  std::uint16_t low, high, flags, key_bytes;
};

constexpr std::uint32_t kMagic = 0xBEEFC0DE;
constexpr std::uint32_t kVersion = 1;
constexpr std::uint16_t kBranch = 0x01, kLeaf = 0x02, kOverflow = 0x04, kMetaPage = 0x08;
constexpr std::uint16_t kIntegerKeys = 0x08;  // of the tree of free pages
constexpr std::uint16_t kBigData = 0x01, kSubData = 0x02;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint16_t kDepthMax = 32;
constexpr std::uint16_t kKeyBytesMax = 511;
// Pages that a transaction took and gave back may lie behind the end of the file.
constexpr std::uint64_t kUnwrittenPagesMax = 8192;

template <class T>
T At(std::span<const std::byte> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool IsBelow(std::string_view a, std::string_view b, std::uint16_t flags) {
  if ((flags & kIntegerKeys) == 0) return a < b;
  if (a.size() != 8 || b.size() != 8) return false;
  return At<std::uint64_t>(std::as_bytes(std::span(a)), 0) <
         At<std::uint64_t>(std::as_bytes(std::span(b)), 0);
}

// LMDB keeps the nodes of a page without a gap between them and behind them, each of even size. So
// no length of a key or a value can be wrong by itself. The header of the page has been checked.
bool NodesFillPage(std::span<const std::byte> page, bool is_leaf) {
  const auto header = At<PageHeader>(page, 0);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> nodes;  // where each begins and ends
  for (std::uint64_t at = sizeof(PageHeader); at < header.lower; at += 2) {
    const std::uint64_t begin = At<std::uint16_t>(page, at);
    if (begin < header.upper || begin > page.size() - sizeof(Node)) return false;
    const auto node = At<Node>(page, begin);
    if (node.key_bytes > kKeyBytesMax) return false;
    std::uint64_t bytes = sizeof(Node) + node.key_bytes;
    if (is_leaf) {
      const bool is_apart = (node.flags & kBigData) != 0;
      bytes += is_apart ? sizeof(std::uint64_t) : node.low | std::uint64_t{node.high} << 16;
    }
    nodes.emplace_back(begin, begin + bytes + bytes % 2);
  }
  std::sort(nodes.begin(), nodes.end());
  std::uint64_t end = header.upper;
  for (const auto& node : nodes) {
    if (node.first != end) return false;
    end = node.second;
  }
  return end == page.size();
}

}  // namespace

absl::Status LmdbSnapshot::Damaged(std::uint64_t page, const char* what) const {
  return DataLossAt({name_, page * page_bytes_, Position(0), Position(0)}, what);
}

absl::StatusOr<LmdbSnapshot> LmdbSnapshot::Open(const std::filesystem::path& folder,
                                                FileAccess access) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(folder / "data.mdb"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  DAYBOOK_ASSIGN_OR_RETURN(FileBytes map, FileBytes::Open(file, size, access));
  DAYBOOK_RETURN_IF_ERROR(map.Load(0, size));
  LmdbSnapshot snapshot(std::move(map), (folder.filename() / "data.mdb").generic_string());
  DAYBOOK_RETURN_IF_ERROR(snapshot.ReadMeta());
  return snapshot;
}

absl::Status LmdbSnapshot::ReadMeta() {
  const auto bytes = map_.bytes();
  if (bytes.size() < sizeof(PageHeader) + sizeof(Meta))
    return Damaged(0, "the table file is cut off");
  // The size of the pages stands in the first.
  page_bytes_ = At<Meta>(bytes, sizeof(PageHeader)).trees[0].page_bytes;
  if (page_bytes_ < 512 || page_bytes_ > 65536 || (page_bytes_ & (page_bytes_ - 1)) != 0 ||
      bytes.size() < 2 * page_bytes_) {
    page_bytes_ = 4096;
    return Damaged(0, "the table file does not begin as one does");
  }
  std::uint64_t transactions[2];
  for (std::uint64_t page = 0; page < 2; ++page) {
    const auto header = At<PageHeader>(bytes, page * page_bytes_);
    const auto meta = At<Meta>(bytes, page * page_bytes_ + sizeof(PageHeader));
    transactions[page] = meta.transaction;
    // LMDB takes the newer of the two without looking further: neither may be bad.
    if (header.flags != kMetaPage || meta.magic != kMagic || meta.version != kVersion ||
        meta.trees[0].page_bytes != page_bytes_ || meta.trees[0].flags != kIntegerKeys ||
        meta.trees[1].flags != 0 ||
        meta.last_page >= bytes.size() / page_bytes_ + kUnwrittenPagesMax) {
      return Damaged(page, "the table file does not begin as one does");
    }
    if (page == 1 && transactions[1] < transactions[0]) continue;
    transaction_ = meta.transaction;
    last_page_ = meta.last_page;
    const auto tree = [](const TreeRecord& record) {
      return Tree{record.root, record.entries, record.depth, record.flags};
    };
    free_ = tree(meta.trees[0]);
    main_ = tree(meta.trees[1]);
  }
  // Transactions write them by turns.
  const std::uint64_t older = std::min(transactions[0], transactions[1]);
  const bool in_turn = (transactions[1] % 2 == 1 || transactions[1] == 0) &&
                       transactions[0] % 2 == 0 && transaction_ - older <= 1;
  return in_turn ? absl::OkStatus() : Damaged(0, "the table file does not begin as one does");
}

bool LmdbSnapshot::Changed() const {
  if (!map_.Load(0, 2 * page_bytes_).ok()) return true;
  for (std::uint64_t page = 0; page < 2; ++page) {
    if (At<Meta>(map_.bytes(), page * page_bytes_ + sizeof(PageHeader)).transaction >
        transaction_) {
      return true;
    }
  }
  return false;
}

LmdbSnapshot::Pages LmdbSnapshot::NoPages() const {
  return Pages(static_cast<std::size_t>(last_page_ + 1));
}

absl::Status LmdbSnapshot::ForEach(std::string_view table, const Visit& visit) const {
  Tree tree;
  tree.root = kNoPage;
  bool is_good = true;
  Pages used = NoPages();
  DAYBOOK_RETURN_IF_ERROR(Walk(main_, &used, [&](std::string_view key, std::string_view value) {
    if (key != table) return;
    is_good = value.size() == sizeof(TreeRecord);
    if (!is_good) return;
    const auto record = At<TreeRecord>(std::as_bytes(std::span(value)), 0);
    tree = {record.root, record.entries, record.depth, record.flags};
  }));
  if (!is_good || tree.flags != 0) return Damaged(main_.root, "a table has no root");
  return Walk(tree, &used, visit);
}

absl::Status LmdbSnapshot::CheckPages() const {
  Pages used = NoPages();
  std::vector<Tree> tables;
  bool is_good = true;
  DAYBOOK_RETURN_IF_ERROR(Walk(main_, &used, [&](std::string_view, std::string_view value) {
    is_good = is_good && value.size() == sizeof(TreeRecord);
    if (!is_good) return;
    const auto record = At<TreeRecord>(std::as_bytes(std::span(value)), 0);
    is_good = record.flags == 0;
    tables.push_back({record.root, record.entries, record.depth, record.flags});
  }));
  if (!is_good) return Damaged(main_.root, "a table has no root");
  const auto nothing = [](std::string_view, std::string_view) {};
  for (const Tree& table : tables) DAYBOOK_RETURN_IF_ERROR(Walk(table, &used, nothing));
  std::vector<std::string> lists;
  DAYBOOK_RETURN_IF_ERROR(Walk(
      free_, &used, [&](std::string_view, std::string_view value) { lists.emplace_back(value); }));
  for (const std::string& list : lists) {
    DAYBOOK_RETURN_IF_ERROR(CheckFree(free_.root, list, &used));
  }
  return absl::OkStatus();
}

// A list of free pages: their count, then their numbers from the largest down.
absl::Status LmdbSnapshot::CheckFree(std::uint64_t page, std::string_view value,
                                     Pages* used) const {
  const auto bytes = std::as_bytes(std::span(value));
  const char* const kDamaged = "the list of free pages is damaged";
  if (bytes.size() < 8 || bytes.size() % 8 != 0) return Damaged(page, kDamaged);
  const auto count = At<std::uint64_t>(bytes, 0);
  if (count > bytes.size() / 8 - 1) return Damaged(page, kDamaged);
  std::uint64_t before = kNoPage;
  for (std::uint64_t i = 1; i <= count; ++i) {
    const auto number = At<std::uint64_t>(bytes, 8 * i);
    if (number >= before || number < 2 || number > last_page_ || (*used)[number])
      return Damaged(page, kDamaged);
    (*used)[number] = true;
    before = number;
  }
  return absl::OkStatus();
}

absl::Status LmdbSnapshot::Walk(const Tree& tree, Pages* used, const Visit& visit) const {
  if (tree.root == kNoPage) {
    return tree.entries == 0 && tree.depth == 0 ? absl::OkStatus()
                                                : Damaged(0, "a table has no root");
  }
  if (tree.depth > kDepthMax) return Damaged(0, "a table is too deep");
  Walker walker{.tree = tree, .used = used, .visit = visit, .last = {}, .bound = {}};
  DAYBOOK_RETURN_IF_ERROR(WalkPage(tree.root, 1, &walker));
  if (walker.seen == tree.entries) return absl::OkStatus();
  return Damaged(tree.root, "a table has not as many entries as it says");
}

absl::Status LmdbSnapshot::WalkPage(std::uint64_t number, std::uint32_t level,
                                    Walker* walker) const {
  // Each page at most once: a tree with a loop in it ends.
  if (!HasPage(number) || (*walker->used)[number] || level > walker->tree.depth) {
    return Damaged(0, "a page leads out of its table");
  }
  (*walker->used)[number] = true;
  const char* const kDamaged = "a page of a table is damaged";
  const auto page = map_.bytes().subspan(number * page_bytes_, page_bytes_);
  const auto header = At<PageHeader>(page, 0);
  const bool is_leaf = level == walker->tree.depth;
  if (header.number != number || header.flags != (is_leaf ? kLeaf : kBranch) ||
      header.lower < sizeof(PageHeader) || header.lower > header.upper ||
      header.upper > page_bytes_ || header.lower % 2 != 0) {
    return Damaged(number, kDamaged);
  }
  const std::uint64_t nodes = (header.lower - sizeof(PageHeader)) / 2;
  if (nodes < (is_leaf ? 1 : 2) || !NodesFillPage(page, is_leaf)) return Damaged(number, kDamaged);
  for (std::uint64_t i = 0; i < nodes; ++i) {
    const auto at = At<std::uint16_t>(page, sizeof(PageHeader) + 2 * i);
    if (at < header.upper || at > page_bytes_ - sizeof(Node)) return Damaged(number, kDamaged);
    const auto node = At<Node>(page, at);
    if (node.key_bytes > page_bytes_ - sizeof(Node) - at) return Damaged(number, kDamaged);
    if (is_leaf) {
      DAYBOOK_RETURN_IF_ERROR(VisitLeaf(number, page.subspan(at), walker));
      continue;
    }
    // The key of a branch parts what is left of it from what is right: else lookups go astray.
    if (i > 0) {
      const std::string_view key = Text(page.subspan(at + sizeof(Node), node.key_bytes));
      if (!IsBelow(walker->last, key, walker->tree.flags)) return Damaged(number, kDamaged);
      walker->bound = key;
    }
    const std::uint64_t child =
        node.low | std::uint64_t{node.high} << 16 | std::uint64_t{node.flags} << 32;
    DAYBOOK_RETURN_IF_ERROR(WalkPage(child, level + 1, walker));
  }
  return absl::OkStatus();
}

absl::Status LmdbSnapshot::VisitLeaf(std::uint64_t page, std::span<const std::byte> node,
                                     Walker* walker) const {
  const std::uint16_t flags = walker->tree.flags;
  const std::string_view key = Text(node.subspan(sizeof(Node), At<Node>(node, 0).key_bytes));
  std::span<const std::byte> value;
  DAYBOOK_RETURN_IF_ERROR(ReadValue(page, node, walker->used, &value));
  const bool in_order = (walker->seen == 0 || IsBelow(walker->last, key, flags)) &&
                        (walker->bound.empty() || !IsBelow(key, walker->bound, flags));
  if (key.empty() || !in_order || (flags == kIntegerKeys && key.size() != 8)) {
    return Damaged(page, "the keys of a table are not in order");
  }
  walker->last = key;
  ++walker->seen;
  walker->visit(key, Text(value));
  return absl::OkStatus();
}

absl::Status LmdbSnapshot::ReadValue(std::uint64_t page, std::span<const std::byte> bytes,
                                     Pages* used, std::span<const std::byte>* value) const {
  const char* const kDamaged = "an entry of a table is damaged";
  const auto node = At<Node>(bytes, 0);
  const std::uint64_t begin = sizeof(Node) + node.key_bytes;
  const std::uint64_t size = node.low | std::uint64_t{node.high} << 16;
  if ((node.flags & ~(kBigData | kSubData)) != 0) return Damaged(page, kDamaged);
  if ((node.flags & kBigData) == 0) {
    if (size > bytes.size() - begin) return Damaged(page, kDamaged);
    *value = bytes.subspan(begin, size);
    return absl::OkStatus();
  }
  if (bytes.size() < begin + sizeof(std::uint64_t)) return Damaged(page, kDamaged);
  const auto number = At<std::uint64_t>(bytes, begin);
  const std::uint64_t pages = (sizeof(PageHeader) + size + page_bytes_ - 1) / page_bytes_;
  if (!HasPage(number) || !HasPage(number + pages - 1)) return Damaged(page, kDamaged);
  const auto header = At<PageHeader>(map_.bytes(), number * page_bytes_);
  const std::uint64_t counted = header.lower | std::uint64_t{header.upper} << 16;
  if (header.number != number || header.flags != kOverflow || counted != pages) {
    return Damaged(number, kDamaged);
  }
  for (std::uint64_t i = 0; i < pages; ++i) {
    if ((*used)[number + i]) return Damaged(number, kDamaged);
    (*used)[number + i] = true;
  }
  *value = map_.bytes().subspan(number * page_bytes_ + sizeof(PageHeader), size);
  return absl::OkStatus();
}

}  // namespace daybook
