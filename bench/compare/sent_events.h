// The events of a store in memory, as a program has them that publishes by a broker's own client.

#ifndef DAYBOOK_BENCH_COMPARE_SENT_EVENTS_H_
#define DAYBOOK_BENCH_COMPARE_SENT_EVENTS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"

namespace daybook::bench {

struct Sent {
  std::string stream, type, data;
};

inline absl::StatusOr<std::vector<Sent>> ReadEvents(const Reader& reader) {
  std::vector<Sent> events;
  absl::StatusOr<Cursor> cursor = reader.Read({});
  if (!cursor.ok()) return cursor.status();
  const absl::Status read = cursor->ForEach([&](const EventView& event) {
    events.push_back(
        {std::string(event.stream), std::string(event.type), std::string(AsText(event.data))});
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return events;
}

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_SENT_EVENTS_H_
