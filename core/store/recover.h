// What a writer does to the end of the log before it goes on there: decide, mend what was torn, and
// make durable what is believed.

#ifndef DAYBOOK_STORE_RECOVER_H_
#define DAYBOOK_STORE_RECOVER_H_

#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "daybook/options.h"
#include "log/recovery.h"
#include "store/catch_up.h"

namespace daybook {

// The largest position that anything but the log itself has seen as durable, and what saw it.
struct Witness {
  std::uint64_t position = 0;
  std::string who = "nobody";
  void Saw(std::uint64_t seen, const std::string& by) {
    if (seen > position) *this = {seen, by};
  }
};

// What was found where `scanner` stopped in the last segment.
TailEvidence GatherEvidence(const LogSegment& segment, const FrameScanner& scanner,
                            std::uint64_t witnessed_position);

// Decides about the end of the last segment, whose frames `catch_up` has walked to their end.
// kDataLoss where history is damaged. Otherwise zeroes a torn tail, writes all frames that no later
// promise proves over themselves, and syncs: what is read from here on is on the device. A crash
// anywhere in it leaves what the next opening takes the same way.
absl::Status RecoverTail(const std::filesystem::path& directory, const CatchUp& catch_up,
                         const Witness& witness, const NoticeHandler& on_notice);

}  // namespace daybook

#endif  // DAYBOOK_STORE_RECOVER_H_
