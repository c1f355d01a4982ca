#include "cli/explain.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/strings.h"
#include "cli/terminal_text.h"
#include "daybook/explain.h"
#include "daybook/json_text.h"

namespace daybook::cli {
namespace {

// A value as it stands in a state; where there is none, JSON's null.
std::string_view ValueOrNull(const std::optional<std::string>& value) {
  return value.has_value() ? std::string_view(*value) : "null";
}

std::string ValueOrNothing(const std::optional<std::string>& value) {
  return value.has_value() ? Printable(*value) : "(none)";
}

// A state that is no object has no fields: it stands for itself.
std::string FieldName(const std::string& field) {
  return field.empty() ? "(the state)" : Printable(field);
}

void Append(const FieldChange& change, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, FieldName(change.field), "  ", ValueOrNothing(change.before), " -> ",
                    ValueOrNothing(change.after), "  position ", change.position.value(), "\n");
    return;
  }
  out.append("{\"field\":");
  AppendJsonString(change.field, out);
  absl::StrAppend(&out, ",\"before\":", ToAbsl(ValueOrNull(change.before)),
                  ",\"after\":", ToAbsl(ValueOrNull(change.after)),
                  ",\"position\":", change.position.value(), "}\n");
}

void Append(const Blamed& blamed, OutputMode mode, std::string& out) {
  const EventView& event = *blamed.event;
  const std::string recorded_at = event.recorded_at.ToString();
  const std::string effective_at = event.effective_at().ToString();
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, FieldName(blamed.field), " = ", ValueOrNothing(blamed.value), "  ",
                    Printable(event.type), " at version ", event.version.value(), ", position ",
                    event.position.value(), "  recorded ", recorded_at, "  effective ",
                    effective_at, "  ", event.id.ToString(), "\n");
    return;
  }
  out.append("{\"field\":");
  AppendJsonString(blamed.field, out);
  absl::StrAppend(&out, ",\"value\":", ToAbsl(ValueOrNull(blamed.value)),
                  ",\"position\":", event.position.value(), ",\"version\":", event.version.value(),
                  ",\"type\":");
  AppendJsonString(event.type, out);
  absl::StrAppend(&out, ",\"id\":\"", event.id.ToString(), "\",\"recorded_at\":\"", recorded_at,
                  "\",\"effective_at\":\"", effective_at, "\"}\n");
}

}  // namespace

absl::Status RunDiff(const DiffFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  AsOf from = AsOf::AtPosition(flags.from);
  // What is there now is a position too, so that what is appended meanwhile is not a part of it.
  // (A first moment beyond it is not before the second: the library then names the head.)
  AsOf to = AsOf::AtPosition(flags.to.value_or(std::max((*reader)->visible(), flags.from)));
  from.effective_at = flags.effective_at;
  to.effective_at = flags.effective_at;
  const absl::StatusOr<std::vector<FieldChange>> changes =
      Diff(**reader, flags.fold, flags.stream, from, to);
  if (!changes.ok()) return changes.status();
  for (const FieldChange& change : *changes) Append(change, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

absl::Status RunBlame(const BlameFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::optional<Blamed>> blamed =
      Blame(**reader, flags.fold, flags.stream, flags.field, flags.as_of);
  if (!blamed.ok()) return blamed.status();
  if (blamed->has_value()) Append(**blamed, console.mode(), console.out().buffer());
  return absl::OkStatus();
}

}  // namespace daybook::cli
