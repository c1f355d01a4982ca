#include "daybook/file_sink.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "daybook/event.h"
#include "io/directory.h"
#include "io/file.h"
#include "projections/publish/line_format.h"
#include "projections/publish/sink_settings.h"

namespace daybook {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kScheme = "file:";
constexpr std::uint64_t kRotateBytes = std::uint64_t{256} << 20;
constexpr std::size_t kTailBytes = std::size_t{64} << 10;

// Which file, and how far it is good. The number of a file is what it is renamed to.
struct FileMark {
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
};

std::string ToText(const FileMark& mark) { return absl::StrCat(mark.file, ":", mark.offset); }

std::optional<FileMark> ParseFileMark(std::string_view text) {
  FileMark mark;
  const char* const end = text.data() + text.size();
  const auto [colon, error] = std::from_chars(text.data(), end, mark.file);
  if (error != std::errc() || colon == end || *colon != ':') return std::nullopt;
  const auto [last, other] = std::from_chars(colon + 1, end, mark.offset);
  if (other != std::errc() || last != end) return std::nullopt;
  return mark;
}

// The last whole line of a file, and where it ends; empty and 0 where there is none.
absl::StatusOr<std::string> LastLine(const File& file, std::uint64_t size, std::uint64_t* end) {
  // Longer and longer pieces of the end, until there is a whole line in one.
  for (std::uint64_t piece = kTailBytes;; piece *= 4) {
    const std::uint64_t begin = size > piece ? size - piece : 0;
    std::string tail(size - begin, '\0');
    DAYBOOK_RETURN_IF_ERROR(file.ReadAt(begin, std::as_writable_bytes(std::span(tail))));
    const std::size_t last = tail.rfind('\n');
    *end = last == std::string::npos ? 0 : begin + last + 1;
    const std::size_t before =
        last == std::string::npos || last == 0 ? std::string::npos : tail.rfind('\n', last - 1);
    if (before != std::string::npos) return tail.substr(before + 1, last - before - 1);
    if (begin == 0) return last == std::string::npos ? std::string() : tail.substr(0, last);
  }
}

class FileSink : public Sink {
 public:
  FileSink(fs::path path, LineFormat::Kind format, std::uint64_t rotate_bytes)
      : path_(std::move(path)), format_(format), rotate_bytes_(rotate_bytes) {}

  std::string_view kind() const override { return "file"; }
  std::string destination() const override { return absl::StrCat(ToAbsl(kScheme), path_.string()); }

  absl::StatusOr<SessionBegun> Begin(const SessionStart& start) override;
  void Send(std::span<const OutgoingEvent> events) override;
  void Poll(std::chrono::milliseconds /*timeout*/, std::vector<SinkOutcome>* outcomes) override {
    std::move(outcomes_.begin(), outcomes_.end(), std::back_inserter(*outcomes));
    outcomes_.clear();
  }
  void Settle(std::chrono::milliseconds timeout, std::vector<SinkOutcome>* outcomes) override {
    Poll(timeout, outcomes);
  }
  absl::StatusOr<std::string> Mark() override {
    DAYBOOK_RETURN_IF_ERROR(file_->SyncData());
    return ToText(mark_);
  }

 private:
  [[nodiscard]] fs::path Rotated(std::uint64_t number) const {
    return path_.string() + absl::StrFormat(".%06d", number);
  }
  // The numbers of the files that were rotated, ascending.
  [[nodiscard]] absl::StatusOr<std::vector<std::uint64_t>> ListRotated() const;
  absl::Status OpenFile();
  absl::Status GoBackTo(const FileMark& mark);
  absl::Status GoToEnd(SessionBegun* begun);
  absl::Status Rotate();

  const fs::path path_;
  const LineFormat::Kind format_;
  const std::uint64_t rotate_bytes_;
  std::optional<LineFormat> lines_;
  std::optional<File> file_;
  FileMark mark_;
  absl::Status failed_;  // since then nothing is written in this session
  std::string text_;
  std::vector<SinkOutcome> outcomes_;
};

absl::StatusOr<std::vector<std::uint64_t>> FileSink::ListRotated() const {
  const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, Directory::List(folder));
  const std::string prefix = path_.filename().string() + ".";
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : names) {
    if (!name.starts_with(prefix)) continue;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [last, error] = std::from_chars(name.data() + prefix.size(), end, number);
    if (error == std::errc() && last == end && Rotated(number).filename() == name) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

absl::Status FileSink::OpenFile() {
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::OpenOrCreate(path_));
  // Also against another store, and another sink of this one: each would write over the other.
  DAYBOOK_ASSIGN_OR_RETURN(const bool is_ours, file.TryLockExclusive());
  if (!is_ours) {
    return absl::UnavailableError(
        absl::StrCat("another publisher writes ", path_.string(), ": one at a time"));
  }
  file_ = std::move(file);
  return Directory::SyncNameOf(path_);
}

// What stands behind the mark goes: it was acknowledged by nobody who remembers it. It dies in any
// step of this, and the next Begin does what is left.
absl::Status FileSink::GoBackTo(const FileMark& mark) {
  // Its lock comes before anything is taken off.
  if (Directory::Exists(path_)) DAYBOOK_RETURN_IF_ERROR(OpenFile());
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> rotated, ListRotated());
  for (auto number = rotated.rbegin(); number != rotated.rend() && *number > mark.file; ++number) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Remove(Rotated(*number)));
  }
  if (Directory::Exists(Rotated(mark.file))) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Rename(Rotated(mark.file), path_));
    file_.reset();
  }
  if (!file_) DAYBOOK_RETURN_IF_ERROR(OpenFile());
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file_->Size());
  if (size < mark.offset) {
    return absl::DataLossError(absl::StrCat(
        path_.string(), " has ", size, " bytes, but ", mark.offset,
        " were acknowledged: somebody has cut it or moved it away; bring it back, or publish to "
        "another file under another --name"));
  }
  mark_ = mark;
  return size == mark.offset ? absl::OkStatus() : file_->Resize(mark.offset);
}

// There is no mark: what is in the file stays, but for half a line.
absl::Status FileSink::GoToEnd(SessionBegun* begun) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> rotated, ListRotated());
  DAYBOOK_RETURN_IF_ERROR(OpenFile());
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file_->Size());
  mark_ = {.file = rotated.empty() ? 1 : rotated.back() + 1, .offset = 0};
  DAYBOOK_ASSIGN_OR_RETURN(std::string line, LastLine(*file_, size, &mark_.offset));
  if (mark_.offset < size) DAYBOOK_RETURN_IF_ERROR(file_->Resize(mark_.offset));
  if (format_ != LineFormat::Kind::kCloudEvents) return absl::OkStatus();
  if (mark_.offset == 0 && !rotated.empty()) {
    DAYBOOK_ASSIGN_OR_RETURN(const File before, File::OpenRead(Rotated(rotated.back())));
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size_before, before.Size());
    std::uint64_t end = 0;
    DAYBOOK_ASSIGN_OR_RETURN(line, LastLine(before, size_before, &end));
  }
  begun->last = MarkOfLine(line);
  begun->knows = begun->last.has_value() || (mark_.offset == 0 && rotated.empty());
  return absl::OkStatus();
}

absl::StatusOr<SessionBegun> FileSink::Begin(const SessionStart& start) {
  outcomes_.clear();
  failed_ = absl::OkStatus();
  file_.reset();
  lines_.emplace(format_, start.incarnation);
  SessionBegun begun;
  if (start.mark.empty()) {
    DAYBOOK_RETURN_IF_ERROR(GoToEnd(&begun));
    return begun;
  }
  const std::optional<FileMark> mark = ParseFileMark(start.mark);
  if (!mark) return absl::DataLossError("the mark of the file sink is none: " + start.mark);
  DAYBOOK_RETURN_IF_ERROR(GoBackTo(*mark));
  return begun;
}

void FileSink::Send(std::span<const OutgoingEvent> events) {
  if (failed_.ok() && rotate_bytes_ > 0 && mark_.offset >= rotate_bytes_) failed_ = Rotate();
  text_.clear();
  for (const OutgoingEvent& event : events) lines_->Append(event, &text_);
  if (failed_.ok()) failed_ = file_->WriteAt(mark_.offset, AsBytes(text_));
  if (failed_.ok()) mark_.offset += text_.size();
  for (const OutgoingEvent& event : events) {
    outcomes_.push_back({event.sequence, failed_.ok() ? Outcome::kDone : Outcome::kRetry, failed_});
  }
}

// On the device under its old name before it has the new one.
absl::Status FileSink::Rotate() {
  DAYBOOK_RETURN_IF_ERROR(file_->SyncData());
  DAYBOOK_RETURN_IF_ERROR(Directory::RenameNoReplace(path_, Rotated(mark_.file)));
  DAYBOOK_RETURN_IF_ERROR(OpenFile());
  mark_ = {.file = mark_.file + 1, .offset = 0};
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sink>> OpenFileSink(const SinkSettings& settings) {
  std::string_view path = settings.url;
  if (!path.starts_with(kScheme) || path.size() == kScheme.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", settings.url, "' names no file: file:PATH"));
  }
  path.remove_prefix(kScheme.size());
  if (path.starts_with("///")) path.remove_prefix(2);  // file:///var/out is /var/out
  SettingsReader reader(settings, "file");
  const std::string format = reader.Option("format").value_or("events");
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t rotate, reader.Number("rotate-bytes", kRotateBytes));
  DAYBOOK_RETURN_IF_ERROR(reader.NothingElse());
  DAYBOOK_ASSIGN_OR_RETURN(const LineFormat::Kind kind, LineFormat::KindOf(format));
  return std::unique_ptr<Sink>(new FileSink(fs::absolute(path), kind, rotate));
}

}  // namespace daybook
