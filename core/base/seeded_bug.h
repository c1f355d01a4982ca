// Bugs that are put in on purpose, to show that the tests find them. In every build of the library
// IsSeeded is false while compiling, and no code is left of it; only the test `seeded_bugs`
// compiles the sources that ask again, with DAYBOOK_SEEDED_BUGS, and chooses one bug at run time.
// Included by sources only, never by a header: each object knows one of the two.

#ifndef DAYBOOK_BASE_SEEDED_BUG_H_
#define DAYBOOK_BASE_SEEDED_BUG_H_

#include <cstdint>

namespace daybook {

enum class SeededBug : std::uint8_t {
  // What is promised.
  kAcknowledgeBeforeSync,    // what is written counts as durable; the seal or the close syncs it
  kReaderSeesUnsynced,       // a commit is visible while it is synced
  kReaderBelievesPageCache,  // another process reads frames that nothing proves to be durable
  kPromiseTooEarly,          // a frame promises what is before it, synced or not
  // Errors of the system.
  kFailedSyncRetried,      // and the second time it is said to have worked
  kGoesOnAfterFailedSync,  // no poison
  kPoisonedShowsUnsynced,  // poisoned, but what was visible stays so
  kShortWriteIgnored,      // what a short write left out is not written
  // The next segment.
  kSegmentFileNotSynced,    // used before its header is on the device
  kSegmentFolderNotSynced,  // used before its name is on the device
  // Recovery.
  kChecksumSkipped,      // frames are not compared with the hash of their body
  kFrameHashSkipped,     // nor their headers with theirs, which the segment's salt is part of
  kChainSkipped,         // nor with the hash of the frame before
  kTornTailKept,         // what a torn write left is not cleared
  kPageCacheBelieved,    // what may not be on the device is not written again
  kLaterPromiseIgnored,  // damage below what a later frame promises passes for a torn tail
  // The index.
  kLastHeadDropped,         // the last stream of a flush is left out
  kLastTagDropped,          // the last tag of a sidecar is left out
  kSidecarChecksumSkipped,  // a sidecar is taken with whatever it holds
  // Conflicts.
  kConflictOnItsWayMissed,  // a condition is not asked of commits that are on their way
  kIdOnItsWayMissed,        // nor is an id
  kIdInSealedMissed,        // ids are looked for in the active segment only
  kClockBelieved,           // a clock that goes back takes recorded_at back
  // Projections.
  kCheckpointBeforeRows,     // the checkpoint is committed before the rows
  kBatchTwice,               // what a batch posted is posted again
  kFilteredBatchStays,       // a batch in which nothing matches does not move the checkpoint
  kOrderBrokenOnTwoThreads,  // the events of one key go to several threads of a rebuild
  kParkedKeyOvertaken,       // a later event of a parked key is handled
  kRetryGoesOn,              // behind a parked event that failed again
  kParkedForgotten,          // what is parked is not committed with the checkpoint
  // Publishing.
  kCursorBeforeAck,     // the cursor moves with what was sent
  kRewindTooShort,      // after a failure it goes on behind what was sent
  kWaitingNotRecorded,  // what waits behind a dead letter is not kept before others are sent
  kLetterOvertaken,     // a later event of a stream with dead letters is sent
  kBrokerNotBelieved,   // what the broker holds and did not acknowledge is sent again
};
inline constexpr int kSeededBugs = 35;

#ifdef DAYBOOK_SEEDED_BUGS
bool IsSeeded(SeededBug bug);  // tests/seeded_bugs/seeded_bug.cc
#else
constexpr bool IsSeeded(SeededBug /*bug*/) { return false; }
#endif

}  // namespace daybook

#endif  // DAYBOOK_BASE_SEEDED_BUG_H_
