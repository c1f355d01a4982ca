// What the tests of log/ share: a log in a folder of its own, commits as they stand in it, and its
// bytes in memory.

#ifndef DAYBOOK_LOG_LOG_TESTING_H_
#define DAYBOOK_LOG_LOG_TESTING_H_

#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "log/format.h"
#include "log/frame.h"
#include "log/segment.h"
#include "log/segment_writer.h"
#include "log/spare.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

// Bytes at an address from which headers can be read in place.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t size) : words_((size + 7) / 8), size_(size) {}
  explicit AlignedBytes(std::span<const std::byte> bytes) : AlignedBytes(bytes.size()) {
    if (size_ > 0) std::memcpy(words_.data(), bytes.data(), size_);
  }
  [[nodiscard]] std::span<std::byte> bytes() {
    return {reinterpret_cast<std::byte*>(words_.data()), size_};
  }
  template <class Header>
  Header& At(std::uint64_t offset) {
    return *reinterpret_cast<Header*>(bytes().data() + offset);
  }

 private:
  std::vector<std::uint64_t> words_;
  std::size_t size_;
};

// A commit with its headers filled; every event is the first of a stream of its own,
// "s-<position>".
class TestCommit {
 public:
  TestCommit(std::uint64_t salt, std::uint64_t first_position, std::int64_t recorded_at,
             std::uint32_t events, std::string_view data = "{}");
  [[nodiscard]] CommitHeader& header() { return bytes_.At<CommitHeader>(0); }
  [[nodiscard]] RecordHeader& record(std::size_t i) { return bytes_.At<RecordHeader>(offsets_[i]); }
  [[nodiscard]] std::span<std::byte> bytes() { return bytes_.bytes(); }
  // After a header was changed.
  void Rehash();

 private:
  std::uint64_t salt_;
  std::vector<std::size_t> offsets_;
  AlignedBytes bytes_;
};

inline constexpr StoreIdentity kTestIdentity{{1, 2, 3}, {4, 5, 6}};

// A store's folder with a log in it, and the writer at its end.
class TestLog {
 public:
  explicit TestLog(std::uint64_t segment_bytes = kSegmentBytesMin);

  [[nodiscard]] SegmentWriter& writer() { return *writer_; }
  [[nodiscard]] const LogTail& tail() const { return writer_->tail(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::filesystem::path log() const { return folder_ / "log"; }

  // One frame of `commits` commits with `events` events each.
  void Write(std::uint32_t commits = 1, std::uint32_t events = 1);
  void Write(TestCommit commit);
  void Watermark();
  void Sync();
  // The commit that would come next.
  TestCommit NextCommit(std::uint32_t events, std::string_view data = "{}");
  // The file as it stands.
  AlignedBytes Segment(std::uint64_t first_position = 1) const;
  std::shared_ptr<const LogSegment> Open(std::uint64_t first_position = 1) const;
  // As a new process would, with what it found.
  void Reopen(const LogTail& tail);

 private:
  TempFolder folder_;
  std::unique_ptr<SegmentWriter> writer_;
  std::int64_t recorded_at_ = 1'000'000;
};

// A scanner over the bytes of a segment file, header included.
inline FrameScanner ScannerOf(std::span<const std::byte> segment) {
  return {segment, *reinterpret_cast<const SegmentHeader*>(segment.data())};
}

}  // namespace daybook::testing

#endif  // DAYBOOK_LOG_LOG_TESTING_H_
