#include "cli/backup.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/progress.h"
#include "daybook/backup.h"

namespace daybook::cli {
namespace {

void Print(const BackupReport& report, const char* what, Console& console) {
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kText) {
    absl::StrAppend(&out, what, " up to position ", report.position.value(), ", ", report.segments,
                    " segments, ", report.bytes, " bytes copied",
                    report.verified ? ", all verified\n" : ", what is new verified\n");
    return;
  }
  const nlohmann::ordered_json json = {{"position", report.position.value()},
                                       {"bytes", report.bytes},
                                       {"segments", report.segments},
                                       {"verified", report.verified}};
  out.append(json.dump()).push_back('\n');
}

}  // namespace

absl::Status RunBackup(const BackupFlags& flags, Console& console) {
  Progress progress(console, "backing up", "");
  BackupOptions options;
  options.fast = flags.fast;
  options.access = flags.no_mmap ? FileAccess::kRead : FileAccess::kMap;
  options.on_notice = console.notice_handler();
  options.on_progress = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.Update(done, total, 0);
  };
  const absl::StatusOr<BackupReport> report = Backup(flags.store, flags.backup, options);
  if (!report.ok()) return report.status();
  Print(*report, "backed up", console);
  return absl::OkStatus();
}

absl::Status RunRestore(const RestoreFlags& flags, Console& console) {
  Progress progress(console, "restoring", "");
  RestoreOptions options;
  options.on_notice = console.notice_handler();
  options.on_progress = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.Update(done, total, 0);
  };
  const absl::StatusOr<BackupReport> report = Restore(flags.backup, flags.store, options);
  if (!report.ok()) return report.status();
  Print(*report, "restored", console);
  return absl::OkStatus();
}

}  // namespace daybook::cli
