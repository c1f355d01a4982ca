// The projection that tests kill: for each stream a chain over all its events, two kinds of which
// its handler cannot handle; and what its read model must hold, computed from the log by a plain
// loop.

#ifndef DAYBOOK_TESTS_PROJECTIONS_WORKED_PROJECTION_H_
#define DAYBOOK_TESTS_PROJECTIONS_WORKED_PROJECTION_H_

#include <cstdint>
#include <string>

#include "daybook/projections.h"
#include "daybook/store.h"

namespace daybook::testing {

inline constexpr char kWorked[] = "worked";
// The handler fails at an event of this type until it is mended ...
inline constexpr std::string_view kHealable = "Healable";
// ... and at one of this type for ever: only a skip gets past it.
inline constexpr std::string_view kHopeless = "Hopeless";

// Only the category "acct" is of it, so that some batches hold nothing.
Projection WorkedProjection(bool mended);

// What is wrong with a read model; "" where every row is the chain over the events of its stream up
// to the checkpoint, but for those that are parked and those that were skipped; where each queue of
// parked events begins at one that fails and holds all behind it; and where nothing was passed over
// that nobody skipped.
std::string CheckWorked(const Reader& reader, Projections* projections);

// What it looked at, for the counts of a suite.
struct WorkedCounts {
  std::uint64_t rows = 0, events = 0, parked = 0, skipped = 0;
};
std::string CheckWorked(const Reader& reader, Projections* projections, WorkedCounts* counts);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_PROJECTIONS_WORKED_PROJECTION_H_
