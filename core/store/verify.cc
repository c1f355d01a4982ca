#include "base/status.h"
#include "daybook/backup.h"
#include "daybook/store.h"
#include "store/backup_manifest.h"
#include "store/verify_check.h"

namespace daybook {

absl::StatusOr<VerifyReport> Verify(const std::filesystem::path& directory,
                                    const VerifyOptions& options) {
  if (IsBackup(directory)) return VerifyBackup(directory, options);
  DAYBOOK_ASSIGN_OR_RETURN(const StoreCheck check, CheckStore(directory, options));
  VerifyReport report;
  report.positions = check.walk.positions;
  report.findings = check.Findings();
  return report;
}

}  // namespace daybook
