#include "cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace daybook::cli {
namespace {

std::string_view SeverityName(Notice::Severity severity) {
  switch (severity) {
    case Notice::Severity::kInfo:
      return "info";
    case Notice::Severity::kWarning:
      return "warning";
    case Notice::Severity::kError:
      return "error";
  }
  return "info";
}

// Nothing can be done about a stderr that does not take it.
void WriteToStderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(2, text.data(), text.size());
    if (written > 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      return;
    }
  }
}

}  // namespace

std::optional<std::size_t> Console::columns() {
  constexpr std::size_t kUsual = 80;
  if (isatty(1) == 0) return std::nullopt;
  winsize size = {};
  if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kUsual;
  return size.ws_col;
}

void Console::WriteLine(std::string_view line) {
  if (progress_shown_) WriteToStderr("\r\x1b[K");
  progress_shown_ = false;
  WriteToStderr(line);
}

void Console::PrintError(const absl::Status& status) {
  const std::string line = RenderError(status, mode_);
  const std::lock_guard lock(mutex_);
  WriteLine(line);
}

void Console::PrintNotice(Notice::Severity severity, std::string_view message) {
  const std::string line = RenderNotice(SeverityName(severity), message, mode_);
  const std::lock_guard lock(mutex_);
  WriteLine(line);
}

NoticeHandler Console::notice_handler() {
  return [this](const Notice& notice) { PrintNotice(notice.severity, notice.message); };
}

void Console::ShowProgress(std::string_view line) {
  if (isatty(2) == 0) return;
  const std::lock_guard lock(mutex_);
  if (line.empty() && !progress_shown_) return;
  WriteToStderr("\r\x1b[K");
  WriteToStderr(line);
  progress_shown_ = !line.empty();
}

}  // namespace daybook::cli
