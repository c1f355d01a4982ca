#include "cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"
#include "cli/signals.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

absl::Status FileError(std::string_view what, const std::string& path, int error) {
  const std::string message =
      absl::StrCat(ToAbsl(what), ", ", path, ": ", std::strerror(error), ", ");
  if (error == ENOENT || error == ENOTDIR) {
    return absl::NotFoundError(absl::StrCat(message, "check the name"));
  }
  if (error == EACCES || error == EPERM) {
    return absl::PermissionDeniedError(absl::StrCat(message, "ask for the right to read it"));
  }
  return absl::InvalidArgumentError(absl::StrCat(message, "give a file that can be read"));
}

class FileSource : public ByteSource {
 public:
  FileSource(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {
    struct stat info = {};
    regular_ = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
    if (regular_) total_ = static_cast<std::uint64_t>(info.st_size);
  }
  ~FileSource() override {
    if (descriptor_ != STDIN_FILENO) close(descriptor_);
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    for (;;) {
      if (!regular_) DAYBOOK_CLI_RETURN_IF_ERROR(WaitReadable());
      const ssize_t got = read(descriptor_, to.data(), to.size());
      if (got >= 0) {
        read_ += static_cast<std::uint64_t>(got);
        return static_cast<std::size_t>(got);
      }
      if (errno != EINTR && errno != EAGAIN) return FileError("cannot read", path_, errno);
    }
  }
  [[nodiscard]] std::uint64_t bytes_read() const override { return read_; }
  [[nodiscard]] std::optional<std::uint64_t> bytes_total() const override { return total_; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  // A pipe may be silent for hours: a signal must be able to end the wait, whichever thread it
  // meets.
  absl::Status WaitReadable() {
    std::array<pollfd, 2> waits = {{{descriptor_, POLLIN, 0}, {InterruptDescriptor(), POLLIN, 0}}};
    while (poll(waits.data(), waits.size(), -1) < 0 && errno == EINTR && !Interrupted()) {
    }
    return Interrupted() ? InterruptedError() : absl::OkStatus();
  }

  int descriptor_;
  std::string path_;
  bool regular_ = false;
  std::optional<std::uint64_t> total_;
  std::uint64_t read_ = 0;
};

// What the two decompressors share: compressed bytes at hand, and the file that they come from.
class CompressedSource : public ByteSource {
 public:
  explicit CompressedSource(std::unique_ptr<FileSource> file)
      : file_(std::move(file)), buffer_(std::size_t{256} << 10) {}
  [[nodiscard]] std::uint64_t bytes_read() const override { return file_->bytes_read(); }
  [[nodiscard]] std::optional<std::uint64_t> bytes_total() const override {
    return file_->bytes_total();
  }

 protected:
  // Refills `rest_` where it is empty; it stays empty at the end of the file.
  absl::Status Refill() {
    if (!rest_.empty()) return absl::OkStatus();
    const absl::StatusOr<std::size_t> got = file_->Read(buffer_);
    if (!got.ok()) return got.status();
    rest_ = std::span<char>(buffer_).first(*got);
    return absl::OkStatus();
  }
  [[nodiscard]] absl::Status Damaged(std::string_view how) const {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot decompress, ", file_->path(), ": ", ToAbsl(how),
                     ", what came before it was used; get a whole copy"));
  }

  std::span<char> rest_;

 private:
  std::unique_ptr<FileSource> file_;
  std::vector<char> buffer_;
};

class GzipSource : public CompressedSource {
 public:
  explicit GzipSource(std::unique_ptr<FileSource> file) : CompressedSource(std::move(file)) {
    constexpr int kGzipOnly = 16;
    ready_ = inflateInit2(&stream_, MAX_WBITS + kGzipOnly) == Z_OK;
  }
  ~GzipSource() override { inflateEnd(&stream_); }
  GzipSource(const GzipSource&) = delete;
  GzipSource& operator=(const GzipSource&) = delete;

  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    if (!ready_) return absl::ResourceExhaustedError("no memory for zlib, gzip input, free some");
    while (true) {
      DAYBOOK_CLI_RETURN_IF_ERROR(Refill());
      if (rest_.empty()) {
        if (within_member_) return Damaged("the gzip data is cut short");
        return std::size_t{0};
      }
      if (!within_member_ && !first_ && rest_.front() == '\0') {  // padding behind the last member
        rest_ = rest_.subspan(1);
        continue;
      }
      const absl::StatusOr<std::size_t> made = Inflate(to);
      if (!made.ok() || *made > 0) return made;
    }
  }

 private:
  absl::StatusOr<std::size_t> Inflate(std::span<char> to) {
    within_member_ = true;
    first_ = false;
    stream_.next_in = reinterpret_cast<Bytef*>(rest_.data());
    stream_.avail_in = static_cast<uInt>(rest_.size());
    stream_.next_out = reinterpret_cast<Bytef*>(to.data());
    stream_.avail_out = static_cast<uInt>(to.size());
    const int result = inflate(&stream_, Z_NO_FLUSH);
    rest_ = rest_.last(stream_.avail_in);
    if (result == Z_STREAM_END) {
      inflateReset(&stream_);
      within_member_ = false;
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      return Damaged("not gzip data, or damaged");
    }
    return to.size() - stream_.avail_out;
  }

  z_stream stream_ = {};
  bool ready_ = false;
  bool within_member_ = false;
  bool first_ = true;
};

class ZstdSource : public CompressedSource {
 public:
  explicit ZstdSource(std::unique_ptr<FileSource> file)
      : CompressedSource(std::move(file)), stream_(ZSTD_createDStream()) {}
  ~ZstdSource() override { ZSTD_freeDStream(stream_); }
  ZstdSource(const ZstdSource&) = delete;
  ZstdSource& operator=(const ZstdSource&) = delete;

  absl::StatusOr<std::size_t> Read(std::span<char> to) override {
    if (stream_ == nullptr)
      return absl::ResourceExhaustedError("no memory for zstd, zstd input, free some");
    while (true) {
      DAYBOOK_CLI_RETURN_IF_ERROR(Refill());
      // A call without input can still flush what the stream holds.
      const bool at_end = rest_.empty();
      ZSTD_inBuffer in = {rest_.data(), rest_.size(), 0};
      ZSTD_outBuffer out = {to.data(), to.size(), 0};
      if (!at_end || within_frame_) {
        const std::size_t result = ZSTD_decompressStream(stream_, &out, &in);
        if (ZSTD_isError(result) != 0) return Damaged(ZSTD_getErrorName(result));
        within_frame_ = result != 0;
        rest_ = rest_.subspan(in.pos);
      }
      if (out.pos > 0) return out.pos;
      if (at_end && within_frame_) return Damaged("the zstd data is cut short");
      if (at_end) return std::size_t{0};
    }
  }

 private:
  ZSTD_DStream* stream_;
  bool within_frame_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> ByteSource::Open(const std::string& path,
                                                             Decompress decompress) {
  if (path == "-") return std::make_unique<FileSource>(STDIN_FILENO, "standard input");
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return FileError("cannot open", path, errno);
  auto file = std::make_unique<FileSource>(descriptor, path);
  struct stat info = {};
  if (fstat(descriptor, &info) == 0 && S_ISDIR(info.st_mode))
    return FileError("cannot read", path, EISDIR);
  if (decompress == Decompress::kNever) return file;
  if (path.ends_with(".gz")) return std::make_unique<GzipSource>(std::move(file));
  if (path.ends_with(".zst")) return std::make_unique<ZstdSource>(std::move(file));
  return file;
}

}  // namespace daybook::cli
