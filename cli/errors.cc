#include "cli/errors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "cli/strings.h"
#include "daybook/error.h"
#include "daybook/projection.h"

namespace daybook::cli {
namespace {

using Json = nlohmann::ordered_json;

// The status payload that carries the place in an input file, as JSON.
constexpr absl::string_view kInputPayload = "daybook/cli-input";

// Text from outside may hold anything: what is not UTF-8 is replaced, so that printing cannot fail.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json DetailOf(const absl::Status& status) {
  Json detail = Json::object();
  if (const std::optional<Conflict> conflict = ConflictOf(status)) {
    detail["stream"] = conflict->stream;
    if (conflict->expected.kind() == ExpectedVersion::Kind::kExactly) {
      detail["expected"] = conflict->expected.version().value();
    } else {
      detail["expected"] = conflict->expected.ToString();
    }
    detail["actual"] = conflict->actual.value();
    if (conflict->matched > Position(0)) detail["position"] = conflict->matched.value();
  }
  if (const std::optional<Damage> damage = DamageOf(status)) {
    detail["file"] = damage->file;
    detail["offset"] = damage->offset;
    if (damage->first_position > Position(0)) {
      detail["positions"] = {damage->first_position.value(), damage->last_position.value()};
    }
  }
  if (const std::optional<PoisonEvent> poison = PoisonOf(status)) {
    detail["position"] = poison->position.value();
    detail["stream"] = poison->stream;
    detail["version"] = poison->version.value();
    detail["type"] = poison->type;
    detail["id"] = poison->id.ToString();
    detail["key"] = poison->key;
    detail["code"] = CodeName(poison->code);
    detail["error"] = poison->message;
    detail["attempts"] = poison->attempts;
  }
  if (const auto input = status.GetPayload(kInputPayload)) {
    detail.update(Json::parse(std::string(*input), nullptr, /*allow_exceptions=*/false));
  }
  return detail;
}

std::string OneLine(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return text;
}

}  // namespace

int ExitCodeOf(const absl::Status& status) {
  if (PoisonOf(status)) return 10;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 1;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
      return 2;
    case absl::StatusCode::kNotFound:
      return 3;
    case absl::StatusCode::kDataLoss:
      return 4;
    case absl::StatusCode::kUnavailable:
      return 5;
    case absl::StatusCode::kResourceExhausted:
      return 6;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return 7;
    case absl::StatusCode::kDeadlineExceeded:
      return 8;
    case absl::StatusCode::kUnknown:
      return 9;
    case absl::StatusCode::kCancelled:
      return 130;
    default:
      return 70;
  }
}

std::string_view CodeName(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return "ok";
    case absl::StatusCode::kInvalidArgument:
      return "invalid_argument";
    case absl::StatusCode::kOutOfRange:
      return "out_of_range";
    case absl::StatusCode::kAborted:
      return "aborted";
    case absl::StatusCode::kAlreadyExists:
      return "already_exists";
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kDataLoss:
      return "data_loss";
    case absl::StatusCode::kUnavailable:
      return "unavailable";
    case absl::StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case absl::StatusCode::kFailedPrecondition:
      return "failed_precondition";
    case absl::StatusCode::kPermissionDenied:
      return "permission_denied";
    case absl::StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case absl::StatusCode::kUnknown:
      return "unknown";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    default:
      return "internal";
  }
}

absl::Status AtLine(const absl::Status& status, std::string_view file, std::uint64_t line,
                    std::string_view hint) {
  absl::Status result(status.code(), absl::StrCat(status.message(), ", ", ToAbsl(file), ":", line,
                                                  ", ", ToAbsl(hint)));
  status.ForEachPayload([&result](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  const Json place = {{"file", file}, {"line", line}};
  result.SetPayload(kInputPayload, absl::Cord(Dump(place)));
  return result;
}

absl::Status InterruptedError() {
  return absl::CancelledError(
      "interrupted by a signal, the work so far is whole, run it again to go on");
}

std::string RenderError(const absl::Status& status, OutputMode mode) {
  const std::string message(status.message());
  if (mode == OutputMode::kText) return OneLine(absl::StrCat("daybook: ", message)) + "\n";
  Json error;
  error["code"] = CodeName(status.code());
  error["message"] = message;
  error["detail"] = DetailOf(status);
  return Dump(Json{{"error", error}}) + "\n";
}

std::string RenderNotice(std::string_view severity, std::string_view message, OutputMode mode) {
  if (mode == OutputMode::kText) {
    return OneLine(absl::StrCat("daybook: ", ToAbsl(message))) + "\n";
  }
  Json notice;
  notice["severity"] = severity;
  notice["message"] = message;
  return Dump(Json{{"notice", notice}}) + "\n";
}

}  // namespace daybook::cli
