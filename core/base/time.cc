// Timestamp in and out of RFC 3339.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/values.h"

namespace daybook {
namespace {

constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr int kSecondsPerDay = 86'400;

absl::Status TimeError(std::string_view text, std::string_view why) {
  constexpr std::size_t kShownMax = 48;
  return absl::InvalidArgumentError(absl::StrCat(
      "time '", absl::CHexEscape(ToAbsl(text.substr(0, kShownMax))), "': ", ToAbsl(why),
      "; write RFC 3339 with a zone, as in 2026-01-31T09:00:00.123Z"));
}

// The number that `count` decimal digits at `at` stand for; -1 where one of them is none.
int Digits(const char* at, int count) {
  int number = 0;
  for (int i = 0; i < count; ++i) {
    const int digit = at[i] - '0';
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

// What the date and the clock say, without zone and decimals; or why not.
struct WallClock {
  std::int64_t seconds = 0;
  const char* error = nullptr;
};

// "2026-01-31T09:00:00": the first 19 characters, which are there.
WallClock ParseWallClock(const char* at) {
  const int year = Digits(at, 4), month = Digits(at + 5, 2), day = Digits(at + 8, 2);
  const int hour = Digits(at + 11, 2), minute = Digits(at + 14, 2), second = Digits(at + 17, 2);
  if ((year | month | day) < 0 || at[4] != '-' || at[7] != '-') return {.error = "no date"};
  if (at[10] != 'T' && at[10] != 't') return {.error = "no 'T' between date and time"};
  if ((hour | minute | second) < 0 || at[13] != ':' || at[16] != ':') {
    return {.error = "no time of day"};
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return {.error = "there is no such day"};
  if (second == 60)
    return {.error = "a leap second (:60) has no place on a time line without them"};
  if (hour > 23 || minute > 59 || second > 59) return {.error = "there is no such time of day"};
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return {.seconds = days * kSecondsPerDay + hour * 3600 + minute * 60 + second};
}

// Seconds east of UTC, of "Z", "+hh:mm" or "-hh:mm".
std::optional<int> ParseZone(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const int hour = Digits(zone.data() + 1, 2), minute = Digits(zone.data() + 4, 2);
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59) return std::nullopt;
  const int seconds = hour * 3600 + minute * 60;
  return zone[0] == '+' ? seconds : -seconds;
}

// Two digits of 00 to 99.
void PutTwo(char* at, unsigned number) {
  at[0] = static_cast<char>('0' + number / 10);
  at[1] = static_cast<char>('0' + number % 10);
}

}  // namespace

absl::StatusOr<Timestamp> Timestamp::Parse(std::string_view rfc3339) {
  constexpr std::size_t kWallClockSize = 19;
  if (rfc3339.size() < kWallClockSize) return TimeError(rfc3339, "too short");
  const WallClock clock = ParseWallClock(rfc3339.data());
  if (clock.error != nullptr) return TimeError(rfc3339, clock.error);

  std::string_view rest = rfc3339.substr(kWallClockSize);
  std::int64_t nanoseconds = 0;
  if (!rest.empty() && rest[0] == '.') {
    std::size_t end = 1;
    std::int64_t unit = kNanosecondsPerSecond;
    for (; end < rest.size() && rest[end] >= '0' && rest[end] <= '9'; ++end) {
      unit /= 10;  // 0 from the tenth decimal on
      if (unit == 0) return TimeError(rfc3339, "more than nine decimals");
      nanoseconds += (rest[end] - '0') * unit;
    }
    if (end == 1) return TimeError(rfc3339, "no digit behind the point");
    rest.remove_prefix(end);
  }
  if (rest.empty()) return TimeError(rfc3339, "no zone");
  const std::optional<int> zone = ParseZone(rest);
  if (!zone) return TimeError(rfc3339, "no such zone");

  // Before 1970 the nanoseconds are taken off the next second, so that no step overflows where the
  // result does not.
  std::int64_t seconds = clock.seconds - *zone;
  if (seconds < 0 && nanoseconds > 0) {
    ++seconds;
    nanoseconds -= kNanosecondsPerSecond;
  }
  std::int64_t result = 0;
  if (__builtin_mul_overflow(seconds, kNanosecondsPerSecond, &result) ||
      __builtin_add_overflow(result, nanoseconds, &result) || result < Min().unix_nanoseconds()) {
    return TimeError(rfc3339, absl::StrCat("out of range, which is ", Min().ToString(), " to ",
                                           Max().ToString()));
  }
  return Timestamp(result);
}

std::string Timestamp::ToString() const {
  std::int64_t seconds = ns_ / kNanosecondsPerSecond;
  std::int64_t nanoseconds = ns_ % kNanosecondsPerSecond;
  if (nanoseconds < 0) {
    nanoseconds += kNanosecondsPerSecond;
    --seconds;
  }
  std::int64_t days = seconds / kSecondsPerDay;
  std::int64_t rest = seconds % kSecondsPerDay;
  if (rest < 0) {
    rest += kSecondsPerDay;
    --days;
  }
  const std::chrono::year_month_day date{
      std::chrono::sys_days(std::chrono::days(static_cast<int>(days)))};
  const unsigned year = static_cast<unsigned>(static_cast<int>(date.year()));
  const unsigned second = static_cast<unsigned>(rest);

  std::string text = "0000-00-00T00:00:00.000000000Z";
  PutTwo(&text[0], year / 100);
  PutTwo(&text[2], year % 100);
  PutTwo(&text[5], static_cast<unsigned>(date.month()));
  PutTwo(&text[8], static_cast<unsigned>(date.day()));
  PutTwo(&text[11], second / 3600);
  PutTwo(&text[14], second / 60 % 60);
  PutTwo(&text[17], second % 60);
  unsigned decimals = static_cast<unsigned>(nanoseconds);
  for (std::size_t at = 28; at >= 20; --at) {
    text[at] = static_cast<char>('0' + decimals % 10);
    decimals /= 10;
  }
  return text;
}

}  // namespace daybook
