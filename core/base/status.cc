#include "base/status.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace daybook {
namespace {

// A payload is numbers of eight bytes each and then a text that takes the rest. It lives no longer
// than its status.
template <class... Numbers>
absl::Cord EncodePayload(std::string_view text, Numbers... numbers) {
  std::string bytes;
  for (const std::uint64_t number : {std::uint64_t{numbers}...}) {
    bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  bytes.append(text);
  return absl::Cord(bytes);
}

template <std::size_t kCount>
struct Payload {
  std::uint64_t numbers[kCount];
  std::string text;
};

template <std::size_t kCount>
std::optional<Payload<kCount>> DecodePayload(const absl::Status& status, std::string_view url) {
  const absl::optional<absl::Cord> cord = status.GetPayload(ToAbsl(url));
  Payload<kCount> payload;
  if (!cord.has_value() || cord->size() < sizeof payload.numbers) return std::nullopt;
  const std::string bytes(*cord);
  std::memcpy(payload.numbers, bytes.data(), sizeof payload.numbers);
  payload.text = bytes.substr(sizeof payload.numbers);
  return payload;
}

std::optional<ExpectedVersion> ExpectedVersionOf(std::uint64_t kind, std::uint64_t version) {
  switch (kind) {
    case static_cast<std::uint64_t>(ExpectedVersion::Kind::kAny):
      return ExpectedVersion::Any();
    case static_cast<std::uint64_t>(ExpectedVersion::Kind::kNoStream):
      return ExpectedVersion::NoStream();
    case static_cast<std::uint64_t>(ExpectedVersion::Kind::kStreamExists):
      return ExpectedVersion::StreamExists();
    case static_cast<std::uint64_t>(ExpectedVersion::Kind::kExactly):
      return ExpectedVersion::Exactly(Version(version));
    default:
      return std::nullopt;
  }
}

}  // namespace

absl::Status DataLossAt(const Damage& damage, std::string_view what) {
  std::string message = absl::StrCat(ToAbsl(what), ": ", damage.file, " at offset ", damage.offset);
  if (damage.first_position > Position(0)) {
    absl::StrAppend(&message, ", position ", damage.first_position.value());
    if (damage.last_position > damage.first_position) {
      absl::StrAppend(&message, " to ", damage.last_position.value());
    }
  }
  absl::StrAppend(&message, "; run `daybook verify`, then `daybook repair`");
  absl::Status status = absl::DataLossError(message);
  status.SetPayload(ToAbsl(kDamagePayloadUrl),
                    EncodePayload(damage.file, damage.offset, damage.first_position.value(),
                                  damage.last_position.value()));
  return status;
}

absl::Status ConflictStatus(const Conflict& conflict) {
  std::string message;
  if (conflict.stream.empty()) {
    message = absl::StrCat("the append condition does not hold: the event at position ",
                           conflict.matched.value(), " matches; read up to it and decide again");
  } else {
    message = absl::StrCat("stream '", absl::Utf8SafeCHexEscape(conflict.stream),
                           "': expected version ", conflict.expected.ToString(), ", it has ",
                           conflict.actual.value(), "; load it again and decide again");
  }
  absl::Status status = absl::AbortedError(message);
  status.SetPayload(
      ToAbsl(kConflictPayloadUrl),
      EncodePayload(conflict.stream, static_cast<std::uint64_t>(conflict.expected.kind()),
                    conflict.expected.version().value(), conflict.actual.value(),
                    conflict.matched.value()));
  return status;
}

std::optional<Conflict> ConflictOf(const absl::Status& status) {
  const auto payload = DecodePayload<4>(status, kConflictPayloadUrl);
  if (!payload) return std::nullopt;
  const auto expected = ExpectedVersionOf(payload->numbers[0], payload->numbers[1]);
  if (!expected) return std::nullopt;
  return Conflict{.stream = payload->text,
                  .expected = *expected,
                  .actual = Version(payload->numbers[2]),
                  .matched = Position(payload->numbers[3])};
}

std::optional<Damage> DamageOf(const absl::Status& status) {
  const auto payload = DecodePayload<3>(status, kDamagePayloadUrl);
  if (!payload) return std::nullopt;
  return Damage{.file = payload->text,
                .offset = payload->numbers[0],
                .first_position = Position(payload->numbers[1]),
                .last_position = Position(payload->numbers[2])};
}

}  // namespace daybook
