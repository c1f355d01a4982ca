// Effects that are owed: those at or below the floor that no live generation has made yet, because
// their events are parked, or were when a promotion was taken back.
//
// An effect is made once, by the generation that is the live one when its event is handled there;
// it is then sent, or waits to be. The floor stands for "made before"; what is parked is not, and
// is written down beside the parked events of the generation that takes over, in its table
// `parked`:
//
//   o position   nothing
//
// A rebuild that handles such an event keeps its effects, and a promotion drops those of them that
// the live generation has made meanwhile.

#ifndef DAYBOOK_PROJECTIONS_OWED_EFFECTS_H_
#define DAYBOOK_PROJECTIONS_OWED_EFFECTS_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/values.h"
#include "kv/environment.h"
#include "projections/generation.h"

namespace daybook {

// Positions, ascending.
using OwedEffects = std::vector<Position>;
bool Owes(const OwedEffects& owed, Position position);

// What a generation has written down.
absl::StatusOr<OwedEffects> ReadOwed(const Transaction& view, const Generation& generation);

// What the live generation, at the moment of `view`, owes up to `floor` or its checkpoint,
// whichever is later. Up to that checkpoint this only shrinks from then on, whichever generation is
// the live one.
absl::StatusOr<OwedEffects> FindOwed(const Transaction& view, const Generation& live,
                                     Position floor);

// `to` takes over from `live`, whose floor is `floor`: it has what waits to be sent there, what it
// has made itself of what is owed, and owes the same. Again after whatever ended it before. Durable
// on return. Who dies in here leaves `live` as it is, and that is the live one still.
absl::Status HandOverEffects(const Generation& live, Position floor, Generation* to);
// `to` begins without any: it is not known what the live one has sent.
absl::Status ForgetEffects(Generation* to);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_OWED_EFFECTS_H_
