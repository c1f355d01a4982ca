#include "projections/publish/nats/nats_answer.h"

#include <charconv>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook {
namespace {

// Of nats-server's errors.json; they never change.
enum ApiError : std::uint64_t {
  kAccountResourcesExceeded = 10002,
  kInsufficientResources = 10023,
  kMemoryResourcesExceeded = 10028,
  kNoAccount = 10035,
  kNotEnabledForAccount = 10039,
  kStorageResourcesExceeded = 10047,
  kMessageExceedsMaximum = 10054,
  kStreamNotFound = 10059,
  kStreamNotMatch = 10060,
  kWrongLastMsgId = 10070,
  kWrongLastSequence = 10071,
  kNotEnabled = 10076,
  kStoreFailed = 10077,
  kSealed = 10109,
  kHeaderExceedsMaximum = 10097,
};

// What store failures say: one code stands for a full stream and for a broken disk.
bool SaysFull(std::string_view description) {
  for (const std::string_view word : {"maximum", "resource", "no space"}) {
    if (description.find(word) != description.npos) return true;
  }
  return false;
}

std::optional<std::uint64_t> NumberOf(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

NatsAnswer ErrorAnswer(std::string_view json) {
  std::vector<JsonField> fields;
  std::uint64_t err_code = 0;
  std::string description;
  if (SplitJsonObject(json, fields).ok()) {
    for (const JsonField& field : fields) {
      if (field.key == "err_code") err_code = NumberOf(field.value).value_or(0);
      if (field.key == "description") description = UnquoteJson(field.value).value_or("");
    }
  }
  NatsAnswer answer;
  answer.status = StatusOfApiError(err_code, description);
  const bool poison = err_code == kMessageExceedsMaximum || err_code == kHeaderExceedsMaximum;
  answer.outcome = poison ? Outcome::kPoison : Outcome::kRetry;
  return answer;
}

}  // namespace

absl::Status StatusOfApiError(std::uint64_t err_code, std::string_view description) {
  const std::string text = absl::StrCat("nats: ", ToAbsl(description), " (", err_code, ")");
  switch (err_code) {
    case kMessageExceedsMaximum:
    case kHeaderExceedsMaximum:
      return absl::OutOfRangeError(text);
    case kWrongLastMsgId:
    case kWrongLastSequence:
      return absl::AbortedError(
          absl::StrCat(text, ": the chain broke; does another publisher write into the stream?"));
    case kStreamNotFound:
    case kStreamNotMatch:
      return absl::NotFoundError(text);
    case kNotEnabled:
    case kNotEnabledForAccount:
    case kNoAccount:
    case kSealed:
      return absl::FailedPreconditionError(text);
    case kAccountResourcesExceeded:
    case kInsufficientResources:
    case kMemoryResourcesExceeded:
    case kStorageResourcesExceeded:
      return absl::ResourceExhaustedError(text);
    case kStoreFailed:
      return SaysFull(description) ? absl::ResourceExhaustedError(text)
                                   : absl::UnavailableError(text);
    default:
      return absl::UnavailableError(text);
  }
}

NatsAnswer ParsePublishAnswer(std::string_view json) {
  NatsAnswer answer;
  std::vector<JsonField> fields;
  bool duplicate = false;
  std::optional<std::uint64_t> sequence;
  if (SplitJsonObject(json, fields).ok()) {
    for (const JsonField& field : fields) {
      if (field.key == "error") return ErrorAnswer(field.value);
      if (field.key == "seq") sequence = NumberOf(field.value);
      if (field.key == "duplicate") duplicate = field.value == "true";
    }
  }
  // A duplicate of sequence 0 is one whose first is still on its way in the cluster.
  if (!sequence || (*sequence == 0 && !duplicate)) {
    answer.status = absl::UnavailableError("nats: an answer that is no acknowledgement");
    return answer;
  }
  answer.sequence = *sequence;
  answer.outcome = duplicate ? Outcome::kDuplicate : Outcome::kDone;
  return answer;
}

}  // namespace daybook
