// Which snapshots of a series are kept. Pure functions of versions.

#ifndef DAYBOOK_SNAPSHOT_RETENTION_H_
#define DAYBOOK_SNAPSHOT_RETENTION_H_

#include <cstdint>
#include <span>
#include <vector>

#include "daybook/snapshots.h"

namespace daybook {

// Those of `versions` (ascending, none twice) that the retention keeps, as seen from the last of
// them.
//
// The ladder: a rung goes where the gap that it leaves is not longer than the age of its later
// end. So what is n events old lies at most n events behind a rung; and since each rung that
// stays spans such a gap, two rungs on the age has doubled: about 2 log2(n) stay. Ages only grow,
// so what was promised once holds on.
//
// The grid: the stream in cells of equal length, a power of two, of which the first rung stays.
// When there would be more cells than rungs allowed their length doubles, and what stays is the
// first of each pair: between half of the rungs and all of them.
std::vector<std::uint64_t> Kept(const SnapshotRetention& retention,
                                std::span<const std::uint64_t> versions);

// The versions in (after, upto] at which `policy` takes snapshots by number, without those that
// a ladder or a grid would not keep beside `existing` (ascending). Some ten thousand are weighed at
// most, however long the stretch is.
std::vector<std::uint64_t> Planned(const SnapshotPolicy& policy,
                                   std::span<const std::uint64_t> existing, std::uint64_t after,
                                   std::uint64_t upto);

// Whether the retention would keep `version` beside `existing`.
bool WouldKeep(const SnapshotRetention& retention, std::span<const std::uint64_t> existing,
               std::uint64_t version);

}  // namespace daybook

#endif  // DAYBOOK_SNAPSHOT_RETENTION_H_
