// Everything that can be checked about a store, found in one pass over its log: what `Verify`
// reports and `Repair` mends.

#ifndef DAYBOOK_STORE_VERIFY_CHECK_H_
#define DAYBOOK_STORE_VERIFY_CHECK_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "log/format.h"
#include "store/verify_walk.h"

namespace daybook {

// The store's own stream, and the type of event by which a repair records what it gave up:
// {"positions":[first,last],"file":"log/...","offset":n,"reason":"..."}; without positions it is
// [].
inline constexpr std::string_view kStoreStream = "$store";
inline constexpr std::string_view kLossAcceptedType = "LossAccepted";

struct AcceptedLoss {
  std::string file;
  std::uint64_t offset = 0;
  PositionSpan positions;
  std::uint64_t recorded_position = 0;  // of the event that says so
};
std::string ToJson(const AcceptedLoss& loss, std::string_view reason);
std::optional<AcceptedLoss> ParseAcceptedLoss(std::string_view json);
// The loss that covers the damage; nullptr where none does.
const AcceptedLoss* FindAccepted(const std::vector<AcceptedLoss>& losses,
                                 const DamagedRange& range);

struct StoreCheck {
  absl::Status store_file;           // of STORE
  std::optional<StoreHeader> store;  // where it is whole
  LogPicture picture;
  WalkResult walk;
  std::vector<AcceptedLoss> losses;
  std::vector<Finding> events;    // written wrongly: "record", "link"
  std::vector<Finding> sidecars;  // of segments that are there
  std::vector<Finding> index;

  [[nodiscard]] std::vector<Finding> Findings() const;
};

// The durable position that WAKE saw for this store; 0 where it says nothing.
std::uint64_t WitnessedByWake(const std::filesystem::path& directory, const Uuid& store_id,
                              FileAccess access);

// Looks at all of it, with read rights. An error is a store that cannot be looked at: kNotFound,
// kPermissionDenied, kFailedPrecondition (newer format), kDataLoss (nothing says which store this
// is).
// `witnessed`: a durable position that something outside of the store saw. `store_file`: the name
// of STORE, where it has another yet.
absl::StatusOr<StoreCheck> CheckStore(const std::filesystem::path& directory,
                                      const VerifyOptions& options, std::uint64_t witnessed = 0,
                                      const std::string& store_file = "STORE");

Finding ToFinding(const DamagedRange& range, const AcceptedLoss* accepted);

}  // namespace daybook

#endif  // DAYBOOK_STORE_VERIFY_CHECK_H_
