// What a command speaks through: results on stdout, everything else on stderr.

#ifndef DAYBOOK_CLI_CONSOLE_H_
#define DAYBOOK_CLI_CONSOLE_H_

#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>

#include "cli/errors.h"
#include "cli/output.h"
#include "daybook/options.h"

namespace daybook::cli {

// `out` belongs to the main thread; the methods may be called from any thread.
class Console {
 public:
  explicit Console(OutputMode mode) : mode_(mode), out_(1) {}

  [[nodiscard]] OutputMode mode() const { return mode_; }
  [[nodiscard]] Output& out() { return out_; }
  // How wide the terminal is that stdout is; nothing where it is none.
  [[nodiscard]] static std::optional<std::size_t> columns();

  // One line on stderr, in place of the progress line if one stands there.
  void PrintError(const absl::Status& status);
  void PrintNotice(Notice::Severity severity, std::string_view message);
  // For the `on_notice` of the library's options.
  NoticeHandler notice_handler();
  // Replaces the progress line; empty removes it. Does nothing where stderr is no terminal.
  void ShowProgress(std::string_view line);

 private:
  void WriteLine(std::string_view line);  // with mutex_ held

  const OutputMode mode_;
  Output out_;
  std::mutex mutex_;
  bool progress_shown_ = false;  // under mutex_
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_CONSOLE_H_
