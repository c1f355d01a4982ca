// `daybook state`: what the events of a stream come to, now or at a moment.

#ifndef DAYBOOK_CLI_STATE_H_
#define DAYBOOK_CLI_STATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "cli/console.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"
#include "daybook/repository.h"

namespace daybook::cli {

struct StateFlags {
  std::string store;
  bool no_mmap = false;
  std::string stream;
  AsOf as_of;
  JsonFold fold;
  // Use what snapshots there are and take new ones. Only where it is asked for: a command that
  // reads writes nothing into a store by itself.
  bool snapshots = false;
  std::uint64_t snapshot_every = SnapshotPolicy().every_events;
};

absl::Status RunState(const StateFlags& flags, Console& console);

// One line of JSON; on a terminal a line about the basis, and the state over as many as it takes.
void AppendState(const std::string& stream, const StateInfo& info, std::string_view state,
                 OutputMode mode, std::string& out);

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_STATE_H_
