#include "bindings/sql/moment_text.h"

#include <cstddef>

#include "absl/status/statusor.h"

namespace daybook::sql {
namespace {

constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddddddddZ";
constexpr std::size_t kShortest = std::string_view("2026-01-31T09:00:00Z").size();
constexpr std::size_t kLongest = std::string_view("2026-01-31T09:00:00.000000000+00:00").size();

int Sign(std::strong_ordering order) { return order < 0 ? -1 : order > 0 ? 1 : 0; }

}  // namespace

bool IsColumnTime(std::string_view text) {
  if (text.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == 'd' ? !digit : text[i] != kForm[i]) return false;
  }
  return true;
}

std::optional<Timestamp> ParseMoment(std::string_view text) {
  // A failed parse makes a message; most texts that are none need not come to it.
  if (text.size() < kShortest || text.size() > kLongest) return std::nullopt;
  if (text[4] != '-' || text[13] != ':') return std::nullopt;
  const absl::StatusOr<Timestamp> time = Timestamp::Parse(text);
  if (!time.ok()) return std::nullopt;
  return *time;
}

Comparison CompareTimes(std::string_view a, std::string_view b) {
  const bool a_column = IsColumnTime(a), b_column = IsColumnTime(b);
  if (a_column && b_column) return {Sign(a <=> b)};
  const std::optional<Timestamp> a_time = ParseMoment(a), b_time = ParseMoment(b);
  if (a_time && b_time) return {Sign(*a_time <=> *b_time)};
  return {Sign(a <=> b), !a_column && !b_column};
}

int CompareMoments(std::string_view a, std::string_view b) {
  const bool a_column = IsColumnTime(a), b_column = IsColumnTime(b);
  if (a_column != b_column) {
    const std::optional<Timestamp> a_time = ParseMoment(a), b_time = ParseMoment(b);
    if (a_time && b_time) return Sign(*a_time <=> *b_time);
  }
  return Sign(a <=> b);
}

}  // namespace daybook::sql
