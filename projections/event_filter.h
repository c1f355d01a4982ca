// What the filter of a projection means: the same for who runs it and who rebuilds it.

#ifndef DAYBOOK_PROJECTIONS_EVENT_FILTER_H_
#define DAYBOOK_PROJECTIONS_EVENT_FILTER_H_

#include "daybook/projection.h"
#include "daybook/read.h"
#include "daybook/values.h"

namespace daybook {

// Whether it passes over events at all, but for those of the store's own streams.
bool IsFiltered(const EventFilter& filter);
// Whether events of streams that begin with `$` are among what it is after.
bool SeesSystemStreams(const EventFilter& filter);
// A read of what it lets through in [from, to]; the store's own streams are in it too.
ReadOptions ReadOptionsOf(const EventFilter& filter, Position from, Position to);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_EVENT_FILTER_H_
