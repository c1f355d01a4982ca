// The bugs that the environment asks for: DAYBOOK_SEEDED_BUG holds names, separated by commas.

#include "base/seeded_bug.h"

#include <array>
#include <bitset>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace daybook {
namespace {

// In the order of the enumeration.
constexpr std::array<std::string_view, kSeededBugs> kNames = {
    "acknowledge_before_sync",
    "reader_sees_unsynced",
    "reader_believes_page_cache",
    "promise_too_early",
    "failed_sync_retried",
    "goes_on_after_failed_sync",
    "poisoned_shows_unsynced",
    "short_write_ignored",
    "segment_file_not_synced",
    "segment_folder_not_synced",
    "checksum_skipped",
    "frame_hash_skipped",
    "chain_skipped",
    "torn_tail_kept",
    "page_cache_believed",
    "later_promise_ignored",
    "last_head_dropped",
    "last_tag_dropped",
    "sidecar_checksum_skipped",
    "conflict_on_its_way_missed",
    "id_on_its_way_missed",
    "id_in_sealed_missed",
    "clock_believed",
    "checkpoint_before_rows",
    "batch_twice",
    "filtered_batch_stays",
    "order_broken_on_two_threads",
    "parked_key_overtaken",
    "retry_goes_on",
    "parked_forgotten",
    "cursor_before_ack",
    "rewind_too_short",
    "waiting_not_recorded",
    "letter_overtaken",
    "broker_not_believed",
};
static_assert(!kNames.back().empty());

using Bugs = std::bitset<kSeededBugs>;

Bugs FromEnvironment() {
  Bugs bugs;
  const char* const given = std::getenv("DAYBOOK_SEEDED_BUG");
  std::string_view rest = given == nullptr ? "" : given;
  while (!rest.empty()) {
    const std::string_view name = rest.substr(0, rest.find(','));
    rest.remove_prefix(name.size() == rest.size() ? name.size() : name.size() + 1);
    std::size_t i = 0;
    while (i < kNames.size() && kNames[i] != name) ++i;
    if (i == kNames.size()) {
      std::fprintf(stderr, "there is no seeded bug %.*s\n", static_cast<int>(name.size()),
                   name.data());
      std::abort();
    }
    bugs.set(i);
  }
  return bugs;
}

}  // namespace

bool IsSeeded(SeededBug bug) {
  static const Bugs bugs = FromEnvironment();
  return bugs[static_cast<std::size_t>(bug)];
}

}  // namespace daybook
