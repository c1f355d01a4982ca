#include <chrono>
#include <cstdint>
#include <limits>
#include <random>
#include <string>

#include "daybook/values.h"
#include "tests/catch.h"

namespace daybook {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t Parsed(const std::string& text) {
  const auto time = Timestamp::Parse(text);
  INFO(text);
  REQUIRE_OK(time);
  return time->unix_nanoseconds();
}

std::string Refusal(const std::string& text) {
  const auto time = Timestamp::Parse(text);
  INFO(text);
  REQUIRE_FALSE(time.ok());
  CHECK(time.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(time.status().message());
}

TEST_CASE("a time is read to the nanosecond, with 0 to 9 decimals") {
  CHECK(Parsed("1970-01-01T00:00:00Z") == 0);
  CHECK(Parsed("1970-01-01T00:00:01.5Z") == kSecond * 3 / 2);
  CHECK(Parsed("1970-01-01T00:00:00.000000001Z") == 1);
  CHECK(Parsed("1970-01-01T00:00:00.123456789Z") == 123'456'789);
  CHECK(Parsed("1970-01-01T00:00:00.12345Z") == 123'450'000);
  CHECK(Parsed("2026-01-31T09:00:00.123456789Z") == 1'769'850'000 * kSecond + 123'456'789);
  CHECK(Parsed("1969-12-31T23:59:59.999999999Z") == -1);
  CHECK(Parsed("1969-12-31T23:59:59Z") == -kSecond);
  CHECK(Parsed("1969-12-31T23:59:58.25Z") == -kSecond * 7 / 4);
}

TEST_CASE("T and Z may be small") {
  CHECK(Parsed("2026-01-31t09:00:00z") == Parsed("2026-01-31T09:00:00Z"));
}

TEST_CASE("an offset is taken off, across days and years") {
  CHECK(Parsed("2026-01-31T11:00:00+02:00") == Parsed("2026-01-31T09:00:00Z"));
  CHECK(Parsed("2026-01-31T03:30:00-05:30") == Parsed("2026-01-31T09:00:00Z"));
  CHECK(Parsed("2026-01-01T00:30:00.5+01:00") == Parsed("2025-12-31T23:30:00.5Z"));
  CHECK(Parsed("2025-12-31T23:59:59-23:59") == Parsed("2026-01-01T23:58:59Z"));
  CHECK(Parsed("2026-01-31T09:00:00-00:00") == Parsed("2026-01-31T09:00:00Z"));
}

TEST_CASE("the limits are exact") {
  CHECK(Timestamp::Parse("1677-09-21T00:12:43.145224193Z").value() == Timestamp::Min());
  CHECK(Timestamp::Parse("2262-04-11T23:47:16.854775807Z").value() == Timestamp::Max());
  CHECK(Timestamp::Parse("2262-04-12T01:47:16.854775807+02:00").value() == Timestamp::Max());
  for (const char* text :
       {"1677-09-21T00:12:43.145224192Z",  // would be "absent"
        "1677-09-21T00:12:43.145224191Z", "1677-09-21T00:12:43Z", "1677-09-21T00:12:42.9Z",
        "2262-04-11T23:47:16.854775808Z", "2262-04-11T23:47:17Z", "0001-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z",
        "2262-04-11T23:47:16.854775807-00:01", "1677-09-21T00:12:43.145224193+00:01"}) {
    CHECK_THAT(Refusal(text), testing::HasText("out of range"));
  }
}

TEST_CASE("leap years are those of the Gregorian calendar") {
  CHECK(Parsed("2024-02-29T00:00:00Z") == Parsed("2024-03-01T00:00:00Z") - 86'400 * kSecond);
  CHECK(Parsed("2000-02-29T00:00:00Z") == Parsed("2000-03-01T00:00:00Z") - 86'400 * kSecond);
  for (const char* text : {"2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
                           "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z",
                           "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z"}) {
    CHECK_THAT(Refusal(text), testing::HasText("no such day"));
  }
}

TEST_CASE("a leap second is refused, and the message says that it is one") {
  CHECK_THAT(Refusal("2016-12-31T23:59:60Z"), testing::HasText("leap second (:60)"));
  CHECK_THAT(Refusal("2017-01-01T01:59:60.5+02:00"), testing::HasText("leap second (:60)"));
}

TEST_CASE("a missing or malformed zone is refused") {
  CHECK_THAT(Refusal("2026-01-31T09:00:00"), testing::HasText("no zone"));
  CHECK_THAT(Refusal("2026-01-31T09:00:00.5"), testing::HasText("no zone"));
  for (const char* zone : {"+0200", "+02", "+2:00", "+24:00", "+02:60", "02:00", "ZZ", "Z ", " Z",
                           "+02:00Z", "UTC", "+-2:00", "+02.00", "+02:0a"}) {
    CHECK_THAT(Refusal(std::string("2026-01-31T09:00:00") + zone),
               testing::HasText("no such zone"));
  }
}

TEST_CASE("whatever else is not RFC 3339 is refused, and quoted") {
  for (const char* text : {"",
                           "Z",
                           "2026-01-31",
                           "2026-01-31 09:00:00Z",
                           "2026-01-31T09:00Z",
                           "2026-01-31T9:00:00Z",
                           "2026-01-31T24:00:00Z",
                           "2026-01-31T09:60:00Z",
                           "2026-01-31T09:00:61Z",
                           "2026-01-31T09:00:00.Z",
                           "2026-01-31T09:00:00,5Z",
                           "2026-01-31T09:00:00.1234567890Z",
                           "2026-1-31T09:00:00Z",
                           "26-01-31T09:00:00Z",
                           "20260131T090000Z",
                           "+2026-01-31T09:00:00Z",
                           "-026-01-31T09:00:00Z",
                           " 2026-01-31T09:00:00Z",
                           "2026/01/31T09:00:00Z",
                           "2026-01-31T09-00-00Z",
                           "2026-01-31T09:00: 0Z",
                           "2026-01-31T09:00:-1Z",
                           "yesterday at noon, or so"}) {
    CHECK_THAT(Refusal(text), testing::HasText(text));
  }
  CHECK_THAT(Refusal("2026-01-31 09:00:00Z"), testing::HasText("no 'T'"));
  CHECK_THAT(Refusal("2026-01-31T09:00:00.1234567890Z"), testing::HasText("nine decimals"));
  // A message stays short and printable whatever came in.
  CHECK_THAT(Refusal("\n\x01"), testing::HasText("\\n\\x01"));
  CHECK(Refusal(std::string(100'000, 'x')).size() < 300);
}

TEST_CASE("a time is written in UTC with nine decimals") {
  CHECK(Timestamp(0).ToString() == "1970-01-01T00:00:00.000000000Z");
  CHECK(Timestamp(1).ToString() == "1970-01-01T00:00:00.000000001Z");
  CHECK(Timestamp(-1).ToString() == "1969-12-31T23:59:59.999999999Z");
  CHECK(Timestamp(-kSecond).ToString() == "1969-12-31T23:59:59.000000000Z");
  CHECK(Timestamp(1'769'850'000 * kSecond).ToString() == "2026-01-31T09:00:00.000000000Z");
  CHECK(Timestamp::Min().ToString() == "1677-09-21T00:12:43.145224193Z");
  CHECK(Timestamp::Max().ToString() == "2262-04-11T23:47:16.854775807Z");
  CHECK(Timestamp(std::numeric_limits<std::int64_t>::min()).ToString() ==
        "1677-09-21T00:12:43.145224192Z");
}

TEST_CASE("every moment is read back as it was written") {
  std::mt19937_64 random(20260131);
  for (int i = 0; i < 100'000; ++i) {
    std::int64_t ns = static_cast<std::int64_t>(random());
    if (i % 2 == 0) ns >>= random() % 63;  // many near 1970 too
    if (ns == std::numeric_limits<std::int64_t>::min()) continue;
    const std::string text = Timestamp(ns).ToString();
    if (Parsed(text) != ns) FAIL(text << " is not " << ns);
  }
}

TEST_CASE("every day of the range is the one that the calendar of the standard library says") {
  using namespace std::chrono;
  for (sys_days day = sys_days(year(1677) / 9 / 22); day <= sys_days(year(2262) / 4 / 11);
       day += days(1)) {
    const std::int64_t ns = nanoseconds(day.time_since_epoch()).count() + kSecond - 1;
    const year_month_day date(day);
    char expected[40];
    std::snprintf(expected, sizeof expected, "%04d-%02u-%02uT00:00:00.999999999Z",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()));
    if (Timestamp(ns).ToString() != expected) FAIL(expected);
    if (Timestamp::Parse(expected).value() != Timestamp(ns)) FAIL(expected);
  }
}

}  // namespace
}  // namespace daybook
