#include "store/verify_lmdb.h"

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
constexpr std::uint16_t kBigData = 0x01, kSubData = 0x02;
constexpr std::uint64_t kNoPage = ~std::uint64_t{0};
constexpr std::uint16_t kDepthMax = 32;

template <class T>
T At(std::span<const std::byte> bytes, std::uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string_view Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

absl::Status LmdbSnapshot::Damaged(std::uint64_t page, const char* what) const {
  return DataLossAt({name_, page * page_bytes_, Position(0), Position(0)}, what);
}

absl::StatusOr<LmdbSnapshot> LmdbSnapshot::Open(const std::filesystem::path& folder) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(folder / "data.mdb"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  DAYBOOK_ASSIGN_OR_RETURN(MappedFile map, MappedFile::MapRead(file, size));
  LmdbSnapshot snapshot(std::move(map), (folder.filename() / "data.mdb").generic_string());
  DAYBOOK_RETURN_IF_ERROR(snapshot.ReadMeta());
  return snapshot;
}

absl::Status LmdbSnapshot::ReadMeta() {
  const auto bytes = map_.bytes();
  if (bytes.size() < sizeof(PageHeader) + sizeof(Meta)) return Damaged(0, "the index is cut off");
  // The size of the pages stands in the first.
  page_bytes_ = At<Meta>(bytes, sizeof(PageHeader)).trees[0].page_bytes;
  if (page_bytes_ < 512 || page_bytes_ > 65536 || (page_bytes_ & (page_bytes_ - 1)) != 0 ||
      bytes.size() < 2 * page_bytes_) {
    page_bytes_ = 4096;
    return Damaged(0, "the index does not begin as one does");
  }
  transaction_ = 0;
  bool found = false;
  for (std::uint64_t page = 0; page < 2; ++page) {
    const auto header = At<PageHeader>(bytes, page * page_bytes_);
    const auto meta = At<Meta>(bytes, page * page_bytes_ + sizeof(PageHeader));
    // LMDB reads the newer of the two without looking further: neither may be bad.
    if ((header.flags & kMetaPage) == 0 || meta.magic != kMagic || meta.version != kVersion ||
        meta.trees[0].page_bytes != page_bytes_) {
      return Damaged(page, "the index does not begin as one does");
    }
    if (found && meta.transaction < transaction_) continue;
    found = true;
    transaction_ = meta.transaction;
    main_ = {meta.trees[1].root, meta.trees[1].entries, meta.trees[1].depth};
    if (meta.last_page >= bytes.size() / page_bytes_ && meta.last_page > 1) {
      return Damaged(page, "the index is cut off");
    }
  }
  return absl::OkStatus();
}

bool LmdbSnapshot::Changed() const {
  for (std::uint64_t page = 0; page < 2; ++page) {
    if (At<Meta>(map_.bytes(), page * page_bytes_ + sizeof(PageHeader)).transaction >
        transaction_) {
      return true;
    }
  }
  return false;
}

absl::Status LmdbSnapshot::ForEach(std::string_view table, const Visit& visit) const {
  Tree tree;
  tree.root = kNoPage;
  bool is_good = true;
  DAYBOOK_RETURN_IF_ERROR(Walk(main_, [&](std::string_view key, std::string_view value) {
    if (key != table) return;
    is_good = value.size() == sizeof(TreeRecord);
    if (!is_good) return;
    const auto record = At<TreeRecord>(std::as_bytes(std::span(value)), 0);
    tree = {record.root, record.entries, record.depth};
  }));
  if (!is_good) return Damaged(0, "a table of the index has no root");
  return Walk(tree, visit);
}

absl::Status LmdbSnapshot::Walk(const Tree& tree, const Visit& visit) const {
  if (tree.root == kNoPage) return absl::OkStatus();
  if (tree.depth > kDepthMax) return Damaged(0, "a table of the index is too deep");
  std::uint64_t seen = 0;
  std::string before;
  bool in_order = true;
  // Each page at most once: a tree with a loop in it ends.
  std::uint64_t left = map_.bytes().size() / page_bytes_;
  DAYBOOK_RETURN_IF_ERROR(
      WalkPage(tree.root, 1, &left, [&](std::string_view key, std::string_view value) {
        in_order = in_order && (seen == 0 || before < key);
        before = key;
        ++seen;
        visit(key, value);
      }));
  if (!in_order) return Damaged(tree.root, "the keys of a table are not in order");
  if (seen != tree.entries) return Damaged(tree.root, "a table has not as many entries as it says");
  return absl::OkStatus();
}

absl::Status LmdbSnapshot::WalkPage(std::uint64_t number, std::uint32_t level, std::uint64_t* left,
                                    const Visit& visit) const {
  if (!HasPage(number) || *left == 0 || level > kDepthMax) {
    return Damaged(0, "a page of the index leads out of it");
  }
  --*left;
  const auto page = map_.bytes().subspan(number * page_bytes_, page_bytes_);
  const auto header = At<PageHeader>(page, 0);
  const bool is_branch = (header.flags & kBranch) != 0;
  if (header.number != number || is_branch == ((header.flags & kLeaf) != 0) ||
      header.lower < sizeof(PageHeader) || header.lower > header.upper ||
      header.upper > page_bytes_ || header.lower % 2 != 0) {
    return Damaged(number, "a page of the index is damaged");
  }
  const std::uint64_t nodes = (header.lower - sizeof(PageHeader)) / 2;
  for (std::uint64_t i = 0; i < nodes; ++i) {
    const auto at = At<std::uint16_t>(page, sizeof(PageHeader) + 2 * i);
    if (at < header.upper || at > page_bytes_ - sizeof(Node)) {
      return Damaged(number, "a page of the index is damaged");
    }
    const auto node = At<Node>(page, at);
    if (node.key_bytes > page_bytes_ - sizeof(Node) - at) {
      return Damaged(number, "a page of the index is damaged");
    }
    if (is_branch) {
      const std::uint64_t child = node.low | std::uint64_t{node.high} << 16 |
                                  std::uint64_t{node.flags} << 32;
      DAYBOOK_RETURN_IF_ERROR(WalkPage(child, level + 1, left, visit));
    } else {
      DAYBOOK_RETURN_IF_ERROR(VisitNode(number, page.subspan(at), visit));
    }
  }
  return absl::OkStatus();
}

absl::Status LmdbSnapshot::VisitNode(std::uint64_t page, std::span<const std::byte> bytes,
                                     const Visit& visit) const {
  const auto node = At<Node>(bytes, 0);
  const auto key = bytes.subspan(sizeof(Node), node.key_bytes);
  const std::uint64_t size = node.low | std::uint64_t{node.high} << 16;
  std::span<const std::byte> value;
  if ((node.flags & ~(kBigData | kSubData)) != 0 || node.key_bytes == 0) {
    return Damaged(page, "an entry of the index is damaged");
  }
  if ((node.flags & kBigData) == 0) {
    if (size > bytes.size() - sizeof(Node) - key.size()) {
      return Damaged(page, "an entry of the index is damaged");
    }
    value = bytes.subspan(sizeof(Node) + key.size(), size);
  } else {
    if (bytes.size() < sizeof(Node) + key.size() + 8) {
      return Damaged(page, "an entry of the index is damaged");
    }
    const auto number = At<std::uint64_t>(bytes, sizeof(Node) + key.size());
    const auto file = map_.bytes();
    if (!HasPage(number) || size > file.size() - number * page_bytes_ - sizeof(PageHeader) ||
        (At<PageHeader>(file, number * page_bytes_).flags & kOverflow) == 0) {
      return Damaged(page, "an entry of the index leads out of it");
    }
    value = file.subspan(number * page_bytes_ + sizeof(PageHeader), size);
  }
  visit(Text(key), Text(value));
  return absl::OkStatus();
}

}  // namespace daybook
