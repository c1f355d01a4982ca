#include "daybook/decimal.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/catch.h"

namespace daybook {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

std::string Printed(std::string_view number) {
  const auto parsed = Decimal::Parse(number);
  return parsed.ok() ? parsed->ToString() : "refused";
}

std::string Sum(const std::vector<std::string>& numbers) {
  Decimal sum;
  for (const std::string& number : numbers) {
    const auto parsed = Decimal::Parse(number);
    if (!parsed.ok()) return "refused";
    if (!sum.Add(*parsed).ok()) return "overflow";
  }
  return sum.ToString();
}

TEST_CASE("a number is printed with the decimals that it was written with", "[decimal]") {
  const std::string nines(38, '9');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"0", "0"},
      {"-0", "0"},
      {"-0.0", "0.0"},
      {"1.10", "1.10"},
      {"-0.012", "-0.012"},
      {"12", "12"},
      {"1e3", "1000"},
      {"1.5e3", "1500"},
      {"1.50e1", "15.0"},
      {"1.5E+1", "15"},
      {"12e-3", "0.012"},
      {"-12.5e-2", "-0.125"},
      {"0e999999999999", "0"},
      {"0.0e1", "0"},
      {"9223372036854775807", "9223372036854775807"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"922337203685477580700e-2", "9223372036854775807.00"},
      {"9.223372036854775807e18", "9223372036854775807"},
      {"0." + nines, "0." + nines},
      {"-0." + nines, "-0." + nines},
      {nines + "e-1", nines.substr(1) + ".9"},
      {"1e-38", "0." + std::string(37, '0') + "1"},
      {"0e-38", "0." + std::string(38, '0')},
  };
  for (const auto& [written, printed] : cases) {
    INFO(written);
    CHECK(Printed(written) == printed);
    CHECK(Printed(printed) == printed);
  }
}

TEST_CASE("what is no number or does not fit is refused", "[decimal]") {
  const std::string nines(39, '9');
  for (const std::string& text : {std::string(""),
                                  std::string("-"),
                                  std::string("+1"),
                                  std::string("01"),
                                  std::string(".5"),
                                  std::string("1."),
                                  std::string("1e"),
                                  std::string("1e+"),
                                  std::string("1e-"),
                                  std::string("1.e1"),
                                  std::string("--1"),
                                  std::string(" 1"),
                                  std::string("1 "),
                                  std::string("1x"),
                                  std::string("0x10"),
                                  std::string("NaN"),
                                  std::string("1,5"),
                                  std::string("\"1\""),
                                  std::string("null"),
                                  std::string("1e5.5"),
                                  std::string("1\0", 2),
                                  std::string("9223372036854775808"),
                                  std::string("-9223372036854775809"),
                                  std::string("1e19"),
                                  std::string("1e400"),
                                  std::string("1e999999999999999999999"),
                                  std::string("1e-39"),
                                  std::string("0e-39"),
                                  std::string("1e-999999999999999999999"),
                                  nines,
                                  nines + "e-1",
                                  "0." + nines,
                                  "1." + std::string(38, '0'),
                                  "0." + std::string(1000, '0') + "1",
                                  std::string(1000, '9')}) {
    INFO(text);
    CHECK(absl::IsInvalidArgument(Decimal::Parse(text).status()));
  }
  CHECK(Printed("0." + std::string(1000, '0') + "1e1001") == "1");
}

TEST_CASE("a sum has the largest number of decimals that it saw", "[decimal]") {
  CHECK(Sum({"1.10", "2.2"}) == "3.30");
  CHECK(Sum({"2.2", "1.10"}) == "3.30");
  CHECK(Sum({"0.1", "0.2"}) == "0.3");
  CHECK(Sum({"1", "2"}) == "3");
  CHECK(Sum({"1", "-1.000"}) == "0.000");
  CHECK(Sum({"0.5", "0.5"}) == "1.0");
  CHECK(Sum({"-1", "0.25"}) == "-0.75");
  CHECK(Sum({}) == "0");
}

TEST_CASE("a sum that does not fit is an error, and what was there stays", "[decimal]") {
  const std::string nines(38, '9');
  CHECK(Sum({"9223372036854775807", "1"}) == "overflow");
  CHECK(Sum({"-9223372036854775808", "-1"}) == "overflow");
  CHECK(Sum({"9223372036854775807", "-9223372036854775808"}) == "-1");
  // One decimal makes room for more than 64 bits.
  CHECK(Sum({"9223372036854775807", "0.1", "1"}) == "9223372036854775808.1");
  CHECK(Sum({"0." + nines, "0." + nines}) == "overflow");
  CHECK(Sum({"-0." + nines, "-0." + nines}) == "overflow");
  CHECK(Sum({"0." + nines, "-0." + nines}) == "0." + std::string(38, '0'));
  CHECK(Sum({"0." + nines, "1e-38"}) == "overflow");
  CHECK(Sum({"0." + nines, "1"}) == "overflow");
  CHECK(Sum({"1", "1e-38"}) == "overflow");
  CHECK(Sum({"1", "1e-37"}) == "1." + std::string(36, '0') + "1");

  Decimal sum(kMax);
  CHECK(absl::IsInvalidArgument(sum.Add(Decimal(1))));
  CHECK(sum.ToString() == std::to_string(kMax));
  CHECK(absl::IsInvalidArgument(sum.Add(*Decimal::Parse("1e-38"))));
  CHECK(sum.ToString() == std::to_string(kMax));
  Decimal least(kMin);
  CHECK(absl::IsInvalidArgument(least.Add(Decimal(-1))));
  CHECK(least.ToString() == std::to_string(kMin));
}

TEST_CASE("sums of integers overflow exactly where 64 bits do", "[decimal]") {
  std::mt19937_64 random(1);
  int overflows = 0;
  for (int round = 0; round < 2000; ++round) {
    Decimal sum;
    Wide model = 0;
    for (int i = 0; i < 20; ++i) {
      const auto number = static_cast<std::int64_t>(random()) >> (random() % 64);
      const auto parsed = Decimal::Parse(std::to_string(number));
      REQUIRE_OK(parsed);
      const bool fits = model + number <= kMax && model + number >= kMin;
      REQUIRE(sum.Add(*parsed).ok() == fits);
      if (fits) model += number;
      overflows += fits ? 0 : 1;
      REQUIRE(sum.ToString() == std::to_string(static_cast<std::int64_t>(model)));
    }
  }
  CHECK(overflows > 20);
}

// A decimal as text, of a coefficient and a scale of at least 1.
std::string Written(std::int64_t coefficient, int scale) {
  std::string digits = std::to_string(coefficient);
  const bool negative = digits.front() == '-';
  if (negative) digits.erase(0, 1);
  while (static_cast<int>(digits.size()) <= scale) digits.insert(0, "0");
  digits.insert(digits.size() - static_cast<std::size_t>(scale), ".");
  return (negative ? "-" : "") + digits;
}

TEST_CASE("sums and comparisons of mixed decimals agree with a model", "[decimal]") {
  std::mt19937_64 random(2);
  for (int round = 0; round < 2000; ++round) {
    Decimal sum;
    Wide model = 0;  // in units of 10^-9
    int scale_max = 0;
    std::optional<Decimal> last;
    Wide last_model = 0;
    for (int i = 0; i < 20; ++i) {
      const int scale = static_cast<int>(random() % 10);
      const auto number = static_cast<std::int64_t>(random() % 2'000'001) - 1'000'000;
      const auto parsed =
          Decimal::Parse(scale == 0 ? std::to_string(number) : Written(number, scale));
      REQUIRE_OK(parsed);
      CHECK(parsed->scale() == scale);
      Wide worth = number;
      for (int s = scale; s < 9; ++s) worth *= 10;
      if (last) {
        REQUIRE((*last < *parsed) == (last_model < worth));
        REQUIRE((*last == *parsed) == (last_model == worth));
        REQUIRE((*last > *parsed) == (last_model > worth));
      }
      last = *parsed;
      last_model = worth;
      REQUIRE_OK(sum.Add(*parsed));
      model += worth;
      scale_max = std::max(scale_max, scale);
    }
    CHECK(sum.scale() == scale_max);
    CHECK(sum == *Decimal::Parse(Written(static_cast<std::int64_t>(model), 9)));
  }
}

TEST_CASE("numbers of every size compare by their worth", "[decimal]") {
  const std::string nines(38, '9');
  const std::vector<std::string> rising = {"-" + nines + "e-1",
                                           "-9223372036854775808",
                                           "-1.01",
                                           "-1",
                                           "-0." + nines,
                                           "-1e-38",
                                           "0",
                                           "1e-38",
                                           "0." + nines,
                                           "1.0",
                                           "1.01",
                                           "9223372036854775807",
                                           nines + "e-1"};
  for (std::size_t i = 0; i < rising.size(); ++i) {
    for (std::size_t j = 0; j < rising.size(); ++j) {
      INFO(rising[i] << " and " << rising[j]);
      const auto a = Decimal::Parse(rising[i]), b = Decimal::Parse(rising[j]);
      REQUIRE_OK(a);
      REQUIRE_OK(b);
      CHECK((*a < *b) == (i < j));
      CHECK((*a == *b) == (i == j));
    }
  }
  CHECK(*Decimal::Parse("1.10") == *Decimal::Parse("1.1"));
  CHECK(*Decimal::Parse("-0.00") == Decimal());
}

}  // namespace
}  // namespace daybook
