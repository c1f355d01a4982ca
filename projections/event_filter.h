// What follows from the filter of a projection.

#ifndef DAYBOOK_PROJECTIONS_EVENT_FILTER_H_
#define DAYBOOK_PROJECTIONS_EVENT_FILTER_H_

#include "daybook/projection.h"

namespace daybook {

// Whether the projection sees the events of streams that begin with `$`: it asks for them, or names
// one of these streams or categories.
inline bool SeesSystemStreams(const EventFilter& filter) {
  return filter.system_streams || (filter.stream && filter.stream->starts_with('$')) ||
         (filter.category && filter.category->starts_with('$'));
}

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_EVENT_FILTER_H_
