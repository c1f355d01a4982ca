#include "cli/flag_values.h"

#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "cli/errors.h"

namespace daybook::cli {
namespace {

absl::Status FlagError(const char* flag, const std::string& text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(flag, " is `", text, "`, the command line, ", what));
}

template <class Count>
absl::Status ParseCount(const char* flag, const FlagText& text, std::optional<Count>& value) {
  std::optional<std::uint64_t> count;
  DAYBOOK_CLI_RETURN_IF_ERROR(ParseFlag(flag, text, 0, count));
  if (count.has_value()) value = Count(*count);
  return absl::OkStatus();
}

template <class Value>
absl::Status ParseValue(const char* flag, const FlagText& text, std::optional<Value>& value) {
  if (!text.has_value()) return absl::OkStatus();
  const absl::StatusOr<Value> parsed = Value::Parse(*text);
  if (!parsed.ok()) return FlagError(flag, *text, parsed.status().message());
  value = *parsed;
  return absl::OkStatus();
}

}  // namespace

absl::Status ParseFlag(const char* flag, const FlagText& text, std::uint64_t min,
                       std::optional<std::uint64_t>& value) {
  if (!text.has_value()) return absl::OkStatus();
  std::uint64_t count = 0;
  const char* end = text->data() + text->size();
  const auto [stopped, error] = std::from_chars(text->data(), end, count);
  if (error != std::errc() || stopped != end || text->empty() || count < min || count > kCountMax) {
    return FlagError(flag, *text,
                     absl::StrCat("give a whole number from ", min, " to ", kCountMax));
  }
  value = count;
  return absl::OkStatus();
}

absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Version>& value) {
  return ParseCount(flag, text, value);
}

absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Position>& value) {
  return ParseCount(flag, text, value);
}

absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<Timestamp>& value) {
  return ParseValue(flag, text, value);
}

absl::Status ParseFlag(const char* flag, const FlagText& text, std::optional<EventId>& value) {
  return ParseValue(flag, text, value);
}

absl::Status ParseFlag(const char* flag, const FlagText& text, ExpectedVersion& value) {
  if (!text.has_value() || *text == "any") {
    value = ExpectedVersion::Any();
  } else if (*text == "none") {
    value = ExpectedVersion::NoStream();
  } else if (*text == "exists") {
    value = ExpectedVersion::StreamExists();
  } else {
    std::optional<std::uint64_t> count;
    if (!ParseFlag(flag, text, 0, count).ok()) {
      return FlagError(flag, *text, "give any, none, exists or a version");
    }
    value = ExpectedVersion::Exactly(Version(*count));
  }
  return absl::OkStatus();
}

absl::Status ParseFlag(const char* flag, const FlagText& text, std::chrono::milliseconds& value) {
  constexpr double kSecondsMax = 1e9;
  if (!text.has_value()) return absl::OkStatus();
  double seconds = 0;
  const char* end = text->data() + text->size();
  const auto [stopped, error] =
      std::from_chars(text->data(), end, seconds, std::chars_format::fixed);
  if (error != std::errc() || stopped != end || !(seconds >= 0.001 && seconds <= kSecondsMax)) {
    return FlagError(flag, *text, "give seconds, from 0.001 to 1000000000");
  }
  value = std::chrono::milliseconds(std::llround(seconds * 1000));
  return absl::OkStatus();
}

absl::Status ParseFlag(const char* flag, const FlagText& text, JsonFold& value) {
  if (!text.has_value()) return absl::OkStatus();
  absl::StatusOr<JsonFold> fold = JsonFold::Parse(*text);
  if (!fold.ok()) return FlagError(flag, *text, fold.status().message());
  value = *std::move(fold);
  return absl::OkStatus();
}

}  // namespace daybook::cli
