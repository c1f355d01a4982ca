// Times as text: two texts of one moment are equal, whatever their zone and precision.

#ifndef DAYBOOK_BINDINGS_SQL_MOMENT_TEXT_H_
#define DAYBOOK_BINDINGS_SQL_MOMENT_TEXT_H_

#include <optional>
#include <string_view>

#include "daybook/values.h"

namespace daybook::sql {

// The collation of time columns: as moments, and an error where one side is a time as it stands in
// a column and the other is no time.
inline constexpr char kTimeCollation[] = "daybook_time";
// The collation of a time that is written in a query: as moments where one side is a time as it
// stands in a column and the other any time, else as text.
inline constexpr char kMomentCollation[] = "daybook_moment";

// Whether the text has the form of a time column: UTC with nine decimals. Digits are not looked at
// beyond being digits.
bool IsColumnTime(std::string_view text);
// RFC 3339 with a zone; nothing where it is not.
std::optional<Timestamp> ParseMoment(std::string_view text);

struct Comparison {
  int order;            // < 0, 0, > 0
  bool is_time = true;  // false: a time of a column stood against what is no time
};
Comparison CompareTimes(std::string_view a, std::string_view b);
int CompareMoments(std::string_view a, std::string_view b);

}  // namespace daybook::sql

#endif  // DAYBOOK_BINDINGS_SQL_MOMENT_TEXT_H_
