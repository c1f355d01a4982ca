// An event at which a projection stopped: in a status, and in a record.

#ifndef DAYBOOK_PROJECTIONS_POISON_H_
#define DAYBOOK_PROJECTIONS_POISON_H_

#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"
#include "daybook/projection.h"
#include "projections/record.h"

namespace daybook {

// An event of this key whose handler failed with `error`, at the first attempt.
PoisonEvent DescribePoison(const EventView& event, std::string_view key, const absl::Status& error);

// The status that says it, from which PoisonOf() gives `poison` back.
absl::Status PoisonStatus(absl::StatusCode code, std::string_view projection,
                          const PoisonEvent& poison);

// The same of whoever stopped there, with what to do.
absl::Status StoppedStatus(absl::StatusCode code, std::string_view who, const PoisonEvent& poison,
                           std::string_view advice);

// As the fields `poison.*` of a record; nullopt where it has none.
void SetPoison(const PoisonEvent& poison, Record* record);
absl::StatusOr<std::optional<PoisonEvent>> GetPoison(const Record& record);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_POISON_H_
