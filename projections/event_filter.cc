#include "projections/event_filter.h"

#include <optional>
#include <string>

namespace daybook {
namespace {

bool IsSystemName(const std::optional<std::string>& name) { return name && name->starts_with('$'); }

}  // namespace

bool IsFiltered(const EventFilter& filter) {
  return filter.stream || filter.category || !filter.types.empty() || !filter.tags.empty();
}

bool SeesSystemStreams(const EventFilter& filter) {
  return filter.system_streams || IsSystemName(filter.stream) || IsSystemName(filter.category);
}

ReadOptions ReadOptionsOf(const EventFilter& filter, Position from, Position to) {
  ReadOptions options;
  options.stream = filter.stream;
  options.category = filter.category;
  options.types = filter.types;
  options.tags = filter.tags;
  options.from_position = from;
  options.to_position = to;
  return options;
}

}  // namespace daybook
