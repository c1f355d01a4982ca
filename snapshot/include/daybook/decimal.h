// Exact numbers, for sums of amounts: 64-bit integers, and decimals of up to 38 digits. No double
// is ever made of one.

#ifndef DAYBOOK_DECIMAL_H_
#define DAYBOOK_DECIMAL_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// A number with a scale, which is how many decimals it is written with: 1.10 has the scale 2, and
// equals 1.1. With the scale 0 it is an integer and fits into 64 bits with a sign; otherwise it has
// at most 38 digits, of which at most 38 are decimals.
//
// A plain value; nothing but ToString and an error allocates.
class Decimal {
 public:
  static constexpr int kDigitsMax = 38;

  constexpr Decimal() = default;  // 0
  constexpr explicit Decimal(std::int64_t integer) : coefficient_(integer) {}

  // Reads a number as JSON writes it (RFC 8259, section 6), exactly: `12`, `-0.50`, `1.5e3` (1500),
  // `12e-3` (0.012). kInvalidArgument where it is none, or does not fit.
  static absl::StatusOr<Decimal> Parse(std::string_view number);

  // Adds exactly; the scale of the sum is the larger one, also where decimals cancel out.
  // kInvalidArgument where the sum does not fit; this number is as it was then.
  absl::Status Add(const Decimal& other);

  [[nodiscard]] constexpr int scale() const { return scale_; }
  [[nodiscard]] constexpr bool is_integer() const { return scale_ == 0; }
  // With all its decimals and no exponent: "3.30", "-0.012", "1500". Parse reads it back as it was.
  [[nodiscard]] std::string ToString() const;

  // Compares what the numbers are worth, and not how they are written.
  friend std::weak_ordering operator<=>(const Decimal& a, const Decimal& b);
  friend bool operator==(const Decimal& a, const Decimal& b) { return (a <=> b) == 0; }

 private:
  __extension__ using Coefficient = __int128;
  static Coefficient PowerOfTen(int exponent);
  static bool Fits(Coefficient coefficient, int scale);
  absl::Status AddScaled(const Decimal& other);

  Coefficient coefficient_ = 0;  // the number without its point
  int scale_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_DECIMAL_H_
