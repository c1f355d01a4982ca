// Effects that wait to be sent: kept in the transaction of the rows, sent after it, removed when
// they were.
//
// Table `effects`: position (8 bytes, big-endian), index (4 bytes, big-endian) → payload.

#ifndef DAYBOOK_PROJECTIONS_EFFECTS_H_
#define DAYBOOK_PROJECTIONS_EFFECTS_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/projection.h"
#include "daybook/store.h"
#include "daybook/values.h"
#include "projections/generation.h"
#include "projections/owed_effects.h"

namespace daybook {

// Under which the effect stands in its table; so they sort in the order in which they are sent.
std::string EffectKey(Position position, std::uint32_t index);
// kInvalidArgument where the projection may not send this.
absl::Status CheckEffect(const Projection& projection, std::string_view payload);

// Not thread-safe.
class Effects {
 public:
  // Effects of events at or below `floor` are dropped, but for those that are owed.
  Effects(const Reader& reader, const Projection& projection, Position floor)
      : incarnation_(reader.incarnation()), projection_(projection), floor_(floor) {}

  // Keeps an effect of the event at `position` with the others of this batch.
  absl::Status Emit(Position position, std::string_view payload);
  // What follows can be undone, up to here.
  void Mark() { marked_ = batch_.size(), marked_bytes_ = batch_bytes_; }
  void Undo() { batch_.resize(marked_), batch_bytes_ = marked_bytes_; }
  [[nodiscard]] std::uint64_t batch_bytes() const { return batch_bytes_; }

  // Writes those of the batch. May be done again in another transaction.
  absl::Status Flush(const Generation& generation, WriteTransaction* transaction) const;
  // The transaction was committed.
  void Committed();
  void Discard();

  // Sends what waits in the generation, in order, until one fails; removes what was sent. Who dies
  // between the two sends it again, with the same key. OK also where one failed: last_error() says
  // so.
  absl::Status Deliver(Generation* generation);
  // Counts what waits, and reads what is owed. Once, after opening.
  absl::Status Load(const Generation& generation);
  [[nodiscard]] std::uint64_t waiting() const { return waiting_; }
  // When to try again; only where something waits.
  [[nodiscard]] std::chrono::steady_clock::time_point retry_at() const { return retry_at_; }
  [[nodiscard]] const absl::Status& last_error() const { return last_error_; }
  [[nodiscard]] Position floor() const { return floor_; }

 private:
  absl::Status Send(const Effect& effect);
  absl::StatusOr<std::vector<Effect>> Next(const Generation& generation) const;

  const std::string incarnation_;
  const Projection& projection_;
  const Position floor_;
  OwedEffects owed_;
  std::vector<Effect> batch_;
  std::size_t marked_ = 0;
  std::uint64_t batch_bytes_ = 0, marked_bytes_ = 0;
  std::uint64_t waiting_ = 0;
  std::uint32_t failures_ = 0;  // of the first that waits
  std::chrono::steady_clock::time_point retry_at_{};
  absl::Status last_error_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_EFFECTS_H_
