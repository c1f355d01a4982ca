// A store of a few streams, snapshots of their states, and the states as text: with snapshots they
// must be what they are without.

#ifndef DAYBOOK_TESTS_DERIVED_CHAIN_STATES_H_
#define DAYBOOK_TESTS_DERIVED_CHAIN_STATES_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/repository.h"
#include "daybook/snapshots.h"
#include "daybook/store.h"

namespace daybook::testing {

// Appends an event to one of the streams.
absl::Status AppendToSome(Store* store, std::mt19937_64* random);

// The state of every stream at a few of its versions and at its head. With snapshots they are used,
// and taken at every fourth version, each with `padding` bytes more. `*hits`, if not nullptr, gets
// how many loads began at one.
absl::StatusOr<std::vector<std::string>> StatesOf(const Reader& reader,
                                                  const std::shared_ptr<SnapshotStore>& snapshots,
                                                  std::size_t padding = 0,
                                                  std::uint64_t* hits = nullptr);

// kInternal with the first finding where a snapshot of `padding` is not what the log says.
absl::Status CheckSnapshots(const Reader& reader, std::size_t padding,
                            std::uint64_t* replayed = nullptr);

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_DERIVED_CHAIN_STATES_H_
