#include "io/file_bytes.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

#include "io/read_buffer.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::testing {
namespace {

constexpr std::uint64_t kBytes = std::uint64_t{3} << 20;

std::vector<std::byte> Pattern() {
  std::vector<std::byte> bytes(kBytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    // Zeros in the second of three MiB.
    if (i >> 20 != 1) bytes[i] = static_cast<std::byte>(i * 7 + (i >> 12));
  }
  return bytes;
}

class PatternFile {
 public:
  PatternFile() : bytes_(Pattern()) {
    std::ofstream(path(), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes_.data()),
               static_cast<std::streamsize>(bytes_.size()));
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "file"; }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }
  [[nodiscard]] File Open() const { return File::OpenRead(path()).value(); }

 private:
  TempFolder folder_;
  std::vector<std::byte> bytes_;
};

bool Same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("mapped bytes are there at once, and loading them changes nothing") {
  const PatternFile file;
  const auto bytes = FileBytes::Open(file.Open(), kBytes, FileAccess::kMap);
  REQUIRE_OK(bytes);
  CHECK(bytes->is_mapped());
  REQUIRE_OK(bytes->Load(0, kBytes));
  bytes->Unload();
  CHECK(Same(bytes->bytes(), file.bytes()));
}

TEST_CASE("bytes that are read are zero until they are loaded, and again when they are unloaded") {
  const PatternFile file;
  const auto bytes = FileBytes::Open(file.Open(), kBytes, FileAccess::kRead);
  REQUIRE_OK(bytes);
  CHECK_FALSE(bytes->is_mapped());
  REQUIRE(bytes->bytes().size() == kBytes);
  REQUIRE_OK(bytes->Load(5000, 100));
  CHECK(Same(bytes->bytes().subspan(5000, 100), std::span(file.bytes()).subspan(5000, 100)));
  CHECK(bytes->bytes()[4999] == std::byte{0});
  CHECK(bytes->bytes()[5100] == std::byte{0});
  REQUIRE_OK(bytes->Load(1, UINT64_MAX));
  CHECK(Same(bytes->bytes().subspan(1), std::span(file.bytes()).subspan(1)));
  bytes->Unload();
  CHECK(std::all_of(bytes->bytes().begin(), bytes->bytes().end(),
                    [](std::byte b) { return b == std::byte{0}; }));
}

TEST_CASE("a file shortened behind a reader's back is an error of the load, not a signal") {
  const PatternFile file;
  const auto bytes = FileBytes::Open(file.Open(), kBytes, FileAccess::kRead);
  REQUIRE_OK(bytes);
  REQUIRE(truncate(file.path().c_str(), 1 << 20) == 0);
  CHECK(absl::IsDataLoss(bytes->Load(0, kBytes)));
  CHECK(Same(bytes->bytes().first(1 << 20), std::span(file.bytes()).first(1 << 20)));
  ReadBuffer buffer;
  CHECK(absl::IsDataLoss(buffer.Read(*bytes, kBytes - 8, 8).status()));
  REQUIRE_OK(buffer.Read(*bytes, (1 << 20) - 8, 8));
}

TEST_CASE("a file that is shorter than it must be is not opened") {
  const PatternFile file;
  for (const FileAccess access : {FileAccess::kMap, FileAccess::kRead}) {
    CHECK(absl::IsDataLoss(FileBytes::Open(file.Open(), kBytes + 1, access).status()));
  }
}

TEST_CASE("a read buffer keeps what it gave, or the last of it, and reads ahead") {
  const PatternFile file;
  const auto bytes = FileBytes::Open(file.Open(), kBytes, FileAccess::kRead);
  REQUIRE_OK(bytes);
  const bool keep = GENERATE(true, false);
  ReadBuffer buffer(keep ? ReadBuffer::Keep::kAll : ReadBuffer::Keep::kLast);
  std::vector<const std::byte*> given;
  for (std::uint64_t at = 0; at + 800 <= kBytes; at += 800) {
    const auto read = buffer.Read(*bytes, at, 800);
    REQUIRE_OK(read);
    REQUIRE(Same({*read, 800}, std::span(file.bytes()).subspan(at, 800)));
    given.push_back(*read);
  }
  if (keep) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      REQUIRE(Same({given[i], 800}, std::span(file.bytes()).subspan(i * 800, 800)));
    }
    CHECK(buffer.bytes() < 2 * kBytes);
  } else {
    CHECK(buffer.bytes() <= std::uint64_t{256} << 10);
  }
}

TEST_CASE("what was read ahead is read again where it is not trusted") {
  const PatternFile file;
  const auto bytes = FileBytes::Open(file.Open(), kBytes, FileAccess::kRead);
  REQUIRE_OK(bytes);
  ReadBuffer buffer;
  REQUIRE_OK(buffer.Read(*bytes, 0, 8));
  std::fstream(file.path(), std::ios::binary | std::ios::in | std::ios::out)
      .seekp(64)
      .write("new!", 4);
  CHECK(Same({buffer.Read(*bytes, 64, 8).value(), 8}, std::span(file.bytes()).subspan(64, 8)));
  buffer.Distrust();
  CHECK(static_cast<char>(*buffer.Read(*bytes, 64, 8).value()) == 'n');
}

}  // namespace daybook::testing
