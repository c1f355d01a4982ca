// Two generations of a projection held against each other.

#ifndef DAYBOOK_PROJECTIONS_COMPARE_H_
#define DAYBOOK_PROJECTIONS_COMPARE_H_

#include "absl/status/statusor.h"
#include "daybook/rebuild.h"
#include "projections/generation.h"

namespace daybook {

// Each at one moment of its own. Where the digests of a table are equal its rows are not read.
absl::StatusOr<CompareReport> CompareGenerations(const Generation& live,
                                                 const Generation& candidate);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_COMPARE_H_
