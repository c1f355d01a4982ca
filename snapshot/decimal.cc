#include "daybook/decimal.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "snapshot/digit.h"

namespace daybook {
namespace {

// The parts of a number as it is written.
struct Parts {
  bool negative = false;
  std::string_view integer;
  std::string_view fraction;
  int exponent = 0;  // kExponentMax stands for all that are larger
};

// Far from what fits, and from what an int holds; a fraction of half as many digits cannot bring a
// number of this exponent back to what fits.
constexpr int kExponentMax = 1 << 26;

// Takes the digits at the front of `text`.
std::string_view TakeDigits(std::string_view* text) {
  std::size_t count = 0;
  while (count < text->size() && IsDigit((*text)[count])) ++count;
  const std::string_view digits = text->substr(0, count);
  text->remove_prefix(count);
  return digits;
}

bool Take(std::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

bool TakeExponent(std::string_view* text, int* exponent) {
  const bool negative = Take(text, '-');
  if (!negative) Take(text, '+');
  const std::string_view digits = TakeDigits(text);
  for (const char c : digits) {
    *exponent = std::min(*exponent * 10 + (c - '0'), kExponentMax);
  }
  if (negative) *exponent = -*exponent;
  return !digits.empty();
}

// Whether the text is a number, by the grammar of JSON.
bool Split(std::string_view text, Parts* parts) {
  parts->negative = Take(&text, '-');
  parts->integer = TakeDigits(&text);
  if (parts->integer.empty() || (parts->integer.size() > 1 && parts->integer.front() == '0')) {
    return false;
  }
  if (Take(&text, '.')) {
    parts->fraction = TakeDigits(&text);
    if (parts->fraction.empty()) return false;
  }
  if ((Take(&text, 'e') || Take(&text, 'E')) && !TakeExponent(&text, &parts->exponent)) {
    return false;
  }
  return text.empty();
}

// As many digits as 64 bits surely hold: the fast way.
constexpr std::size_t kWordDigits = 18;

std::uint64_t AppendDigits(std::string_view digits, std::uint64_t value) {
  for (const char c : digits) value = value * 10 + static_cast<std::uint64_t>(c - '0');
  return value;
}

absl::Status DoesNotFit() {
  return absl::InvalidArgumentError(
      "the number does not fit: an integer has 64 bits, a decimal at most 38 digits");
}

}  // namespace

Decimal::Coefficient Decimal::PowerOfTen(int exponent) {
  static constexpr auto kPowers = [] {
    std::array<Coefficient, kDigitsMax + 1> powers{};
    Coefficient power = 1;
    for (Coefficient& each : powers) {
      each = power;
      if (&each != &powers.back()) power *= 10;
    }
    return powers;
  }();
  return kPowers[static_cast<std::size_t>(exponent)];
}

bool Decimal::Fits(Coefficient coefficient, int scale) {
  if (scale == 0) {
    return coefficient >= std::numeric_limits<std::int64_t>::min() &&
           coefficient <= std::numeric_limits<std::int64_t>::max();
  }
  return coefficient > -PowerOfTen(kDigitsMax) && coefficient < PowerOfTen(kDigitsMax);
}

absl::StatusOr<Decimal> Decimal::Parse(std::string_view number) {
  Parts parts;
  if (!Split(number, &parts)) return absl::InvalidArgumentError("the text is not a number");
  if (parts.fraction.size() > kExponentMax / 2) return DoesNotFit();
  Coefficient coefficient = 0;
  if (parts.integer.size() + parts.fraction.size() <= kWordDigits) {
    coefficient = AppendDigits(parts.fraction, AppendDigits(parts.integer, std::uint64_t{0}));
  } else {
    for (const std::string_view digits : {parts.integer, parts.fraction}) {
      for (const char c : digits) {
        if (coefficient >= PowerOfTen(kDigitsMax - 1)) return DoesNotFit();
        coefficient = coefficient * 10 + (c - '0');
      }
    }
  }
  // What an exponent leaves of the decimals; beyond them it makes zeros.
  const int scale = static_cast<int>(parts.fraction.size()) - parts.exponent;
  if (scale > kDigitsMax || (scale < -kDigitsMax && coefficient != 0)) return DoesNotFit();
  if (scale < 0 && coefficient != 0) {
    if (coefficient >= PowerOfTen(kDigitsMax + scale)) return DoesNotFit();
    coefficient *= PowerOfTen(-scale);
  }
  Decimal result;
  result.coefficient_ = parts.negative ? -coefficient : coefficient;
  result.scale_ = std::max(scale, 0);
  if (!Fits(result.coefficient_, result.scale_)) return DoesNotFit();
  return result;
}

absl::Status Decimal::Add(const Decimal& other) {
  if (scale_ != other.scale_) return AddScaled(other);
  // Two numbers of 38 digits may be more than 128 bits hold.
  Coefficient sum = 0;
  if (__builtin_add_overflow(coefficient_, other.coefficient_, &sum) || !Fits(sum, scale_)) {
    return absl::InvalidArgumentError(scale_ == 0
                                          ? "the sum overflows: it does not fit into 64 bits"
                                          : "the sum overflows: it has more than 38 digits");
  }
  coefficient_ = sum;
  return absl::OkStatus();
}

// Writes the number of the smaller scale with as many decimals as the other.
absl::Status Decimal::AddScaled(const Decimal& other) {
  Decimal fine = scale_ > other.scale_ ? *this : other;
  Decimal coarse = scale_ > other.scale_ ? other : *this;
  if (__builtin_mul_overflow(coarse.coefficient_, PowerOfTen(fine.scale_ - coarse.scale_),
                             &coarse.coefficient_) ||
      !Fits(coarse.coefficient_, fine.scale_)) {
    return absl::InvalidArgumentError(
        "the sum overflows: with all its decimals it has more than 38 digits");
  }
  coarse.scale_ = fine.scale_;
  absl::Status added = fine.Add(coarse);
  if (added.ok()) *this = fine;
  return added;
}

std::string Decimal::ToString() const {
  // The coefficient fits, so its negative does.
  Coefficient left = coefficient_ < 0 ? -coefficient_ : coefficient_;
  std::string out;
  for (int digit = 0; left != 0 || digit <= scale_; ++digit) {
    if (digit == scale_ && scale_ != 0) out.push_back('.');
    out.push_back(static_cast<char>('0' + static_cast<int>(left % 10)));
    left /= 10;
  }
  if (coefficient_ < 0) out.push_back('-');
  std::reverse(out.begin(), out.end());
  return out;
}

std::weak_ordering operator<=>(const Decimal& a, const Decimal& b) {
  // By what stands before the point, then by the decimals, brought to the same number of them: a
  // quotient and a remainder have the sign of the number, so both compare alike.
  const auto a_one = Decimal::PowerOfTen(a.scale_), b_one = Decimal::PowerOfTen(b.scale_);
  const auto a_whole = a.coefficient_ / a_one, b_whole = b.coefficient_ / b_one;
  if (a_whole != b_whole) {
    return a_whole < b_whole ? std::weak_ordering::less : std::weak_ordering::greater;
  }
  const auto a_rest = a.coefficient_ % a_one * Decimal::PowerOfTen(Decimal::kDigitsMax - a.scale_);
  const auto b_rest = b.coefficient_ % b_one * Decimal::PowerOfTen(Decimal::kDigitsMax - b.scale_);
  if (a_rest == b_rest) return std::weak_ordering::equivalent;
  return a_rest < b_rest ? std::weak_ordering::less : std::weak_ordering::greater;
}

}  // namespace daybook
