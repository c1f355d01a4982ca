// `daybook projection`: runs the ready-made projections, and sees to all.

#ifndef DAYBOOK_CLI_PROJECTION_H_
#define DAYBOOK_CLI_PROJECTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/builtin_projection.h"
#include "daybook/projection.h"
#include "daybook/values.h"

namespace daybook::cli {

struct ProjectionFlags {
  enum class Action : std::uint8_t {
    kRun,
    kStatus,
    kShow,
    kRebuild,
    kCompare,
    kPromote,
    kRollback,
    kParked,
    kRetry,
    kSkip
  };
  Action action = Action::kStatus;
  std::string store;
  std::string name;  // empty only of kStatus: all
  bool no_mmap = false;
  // What it is, of kRun and kRebuild; absent: what it was before.
  std::optional<BuiltinProjection> builtin;
  OnPoison on_poison = OnPoison::kStop;  // of kRun, kRebuild and kRetry
  bool follow = false;                   // of kRun
  bool prometheus = false;               // of kStatus
  unsigned threads = 1;                  // of kRebuild
  std::optional<std::string> key;        // of kRetry: absent is all
  Position position;                     // of kSkip, as all below
  std::string reason;
  std::string actor;  // empty: the user
};

absl::Status RunProjection(const ProjectionFlags& flags, Console& console);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_PROJECTION_H_
