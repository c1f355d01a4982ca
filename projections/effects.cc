#include "projections/effects.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "projections/users_code.h"

namespace daybook {
namespace {

// How many are read, sent and then removed in one transaction.
constexpr std::size_t kSentAtOnce = 1000;
constexpr std::chrono::milliseconds kRetryFirst{100};
constexpr std::chrono::milliseconds kRetryMax{30'000};

using TableKeyOf = std::pair<Position, std::uint32_t>;

}  // namespace

std::string EffectKey(Position position, std::uint32_t index) {
  return EncodeKey(TableKeyOf(position, index));
}

absl::Status CheckEffect(const Projection& projection, std::string_view payload) {
  if (!projection.on_effect) {
    return absl::InvalidArgumentError("an effect of a projection that has no on_effect");
  }
  if (payload.size() <= kEffectBytesMax) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "an effect has ", payload.size(), " bytes; at most ", kEffectBytesMax, " are allowed"));
}

absl::Status Effects::Emit(Position position, std::string_view payload) {
  DAYBOOK_RETURN_IF_ERROR(CheckEffect(projection_, payload));
  if (position <= floor_ && !Owes(owed_, position)) return absl::OkStatus();
  const bool first = batch_.empty() || batch_.back().position != position;
  const std::uint32_t index = first ? 0 : batch_.back().index + 1;
  batch_.push_back({.position = position, .index = index, .payload = std::string(payload)});
  batch_bytes_ += sizeof(Effect) + payload.size();
  return absl::OkStatus();
}

void Effects::Discard() {
  batch_.clear();
  batch_bytes_ = 0;
  Mark();
}

absl::Status Effects::Flush(const Generation& generation, WriteTransaction* transaction) const {
  for (const Effect& effect : batch_) {
    DAYBOOK_RETURN_IF_ERROR(transaction->Put(
        generation.effects(), EffectKey(effect.position, effect.index), effect.payload));
  }
  return absl::OkStatus();
}

void Effects::Committed() {
  waiting_ += batch_.size();
  Discard();
}

absl::Status Effects::Load(const Generation& generation) {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, generation.environment().BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(waiting_, view.Count(generation.effects()));
  DAYBOOK_ASSIGN_OR_RETURN(owed_, ReadOwed(view, generation));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Effect>> Effects::Next(const Generation& generation) const {
  std::vector<Effect> effects;
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction view, generation.environment().BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, view.OpenCursor(generation.effects()));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Next());
  while (more && effects.size() < kSentAtOnce) {
    TableKeyOf key;
    std::string_view bytes = cursor.key();
    if (!KeyCodec<TableKeyOf>::Decode(bytes, &key)) {
      return absl::DataLossError("the key of an effect is damaged; rebuild the projection");
    }
    effects.push_back({.position = key.first,
                       .index = key.second,
                       .payload = std::string(cursor.value()),
                       .key = absl::StrCat(incarnation_, ":", key.first.value(), ":", key.second)});
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return effects;
}

absl::Status Effects::Send(const Effect& effect) {
  return CallUsersCode([&] { return projection_.on_effect(effect); });
}

absl::Status Effects::Deliver(Generation* generation) {
  while (waiting_ > 0 && projection_.on_effect) {
    if (failures_ > 0 && std::chrono::steady_clock::now() < retry_at_) return absl::OkStatus();
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<Effect> effects, Next(*generation));
    std::size_t sent = 0;
    for (last_error_ = absl::OkStatus(); sent < effects.size(); ++sent) {
      last_error_ = Send(effects[sent]);
      if (!last_error_.ok()) break;
    }
    const absl::Status removed =
        generation->Write([&](WriteTransaction& transaction) -> absl::Status {
          for (std::size_t i = 0; i < sent; ++i) {
            const std::string key = EffectKey(effects[i].position, effects[i].index);
            DAYBOOK_RETURN_IF_ERROR(transaction.Delete(generation->effects(), key).status());
          }
          return absl::OkStatus();
        });
    DAYBOOK_RETURN_IF_ERROR(removed);
    waiting_ -= sent;
    if (sent > 0) failures_ = 0;
    if (last_error_.ok()) continue;
    const auto delay = std::min(kRetryMax, kRetryFirst * (1 << std::min(failures_++, 10u)));
    retry_at_ = std::chrono::steady_clock::now() + delay;
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace daybook
