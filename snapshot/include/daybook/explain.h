// Why a state is as it is: what differs between two moments, and which event changed a field last.
// (The first event at which something holds is Repository::Bisect.)
//
// A field is named as in json_fold.h: a top-level field by its name, one within others by its JSON
// Pointer, and so a top-level field whose name begins with `/`; the whole of a state that is no
// object by the empty name. Values are JSON text as in the state; where a field is absent there is
// no value.

#ifndef DAYBOOK_EXPLAIN_H_
#define DAYBOOK_EXPLAIN_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/json_fold.h"
#include "daybook/moment.h"
#include "daybook/store.h"

namespace daybook {

// A field that differs. Where both sides are objects their fields are compared, and not they.
struct FieldChange {
  std::string field;
  std::optional<std::string> before;
  std::optional<std::string> after;
  Position position;  // of the event that last changed it
};

// What differs in a stream between two moments, in the order in which the fields stand in the
// later state, and then those that are gone. Equal text is equal: 1.0 and 1.00 differ. The moments
// have the same effective bound, or none; kInvalidArgument where `from` is after `to`, or as
// Reader::Read says.
absl::StatusOr<std::vector<FieldChange>> Diff(const Reader& reader, const JsonFold& fold,
                                              std::string_view stream, const AsOf& from,
                                              const AsOf& to);

// The event that last changed a field.
struct Blamed {
  std::string field;
  std::optional<std::string> value;  // none where the event removed it
  EventHandle event;
};

// Nothing where no event up to the moment has changed the field.
absl::StatusOr<std::optional<Blamed>> Blame(const Reader& reader, const JsonFold& fold,
                                            std::string_view stream, std::string_view field,
                                            const AsOf& as_of);

}  // namespace daybook

#endif  // DAYBOOK_EXPLAIN_H_
