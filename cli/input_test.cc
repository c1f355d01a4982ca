#include "cli/input.h"

#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.h"

namespace daybook::cli {
namespace {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "daybook-cli-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& bytes) const {
    const std::string path = path_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  auto source = ByteSource::Open(path, Decompress::kByName);
  if (!source.ok()) return source.status();
  std::string text;
  std::string piece(1000, '\0');
  for (;;) {
    const absl::StatusOr<std::size_t> got = (*source)->Read(piece);
    if (!got.ok()) return got.status();
    if (*got == 0) return text;
    text.append(piece, 0, *got);
  }
}

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(compressBound(text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::string LongText() {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  return text;
}

TEST_CASE("plain and compressed files give the same bytes", "[cli][input]") {
  const TemporaryFolder folder;
  const std::string text = LongText();
  CHECK(ReadAll(folder.Write("a", text)).value() == text);
  CHECK(ReadAll(folder.Write("a.gz", Gzip(text))).value() == text);
  CHECK(ReadAll(folder.Write("a.zst", Zstd(text))).value() == text);
  CHECK(ReadAll(folder.Write("empty.gz", "")).value().empty());
  CHECK(ReadAll(folder.Write("nothing.gz", Gzip(""))).value().empty());
  CHECK(ReadAll(folder.Write("nothing.zst", Zstd(""))).value().empty());
}

TEST_CASE("compressed files that were joined are read to their end", "[cli][input]") {
  const TemporaryFolder folder;
  CHECK(ReadAll(folder.Write("a.gz", Gzip("one\n") + Gzip("two\n") + std::string(300, '\0')))
            .value() == "one\ntwo\n");
  CHECK(ReadAll(folder.Write("a.zst", Zstd("one\n") + Zstd("two\n"))).value() == "one\ntwo\n");
}

TEST_CASE("a compressed file that is damaged or cut short is an error", "[cli][input]") {
  const TemporaryFolder folder;
  const std::string text = LongText();
  for (const std::string& bytes :
       {Gzip(text).substr(0, 5000), Gzip(text) + "rubbish", std::string("rubbish")}) {
    CHECK(ReadAll(folder.Write("a.gz", bytes)).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
  for (const std::string& bytes :
       {Zstd(text).substr(0, 5000), Zstd(text) + "rubbish", std::string("rubbish")}) {
    CHECK(ReadAll(folder.Write("a.zst", bytes)).status().code() ==
          absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("what cannot be opened says why", "[cli][input]") {
  const TemporaryFolder folder;
  CHECK(ReadAll(folder.path() / "none").status().code() == absl::StatusCode::kNotFound);
  CHECK(ReadAll(folder.path()).status().code() == absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace daybook::cli
