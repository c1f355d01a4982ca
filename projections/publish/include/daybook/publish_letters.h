// Dead letters of a sink: what it would not take, and what waits behind that; and what operators
// decide about them, whether a publisher runs or not.

#ifndef DAYBOOK_PUBLISH_LETTERS_H_
#define DAYBOOK_PUBLISH_LETTERS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/store.h"
#include "daybook/values.h"

namespace daybook {

// A dead letter, or an event that waits behind one.
struct ParkedLetter {
  Position position;
  bool failed = false;  // the sink refused it; else it waits
  Timestamp parked_at;
};

// What is parked of a stream, in order of position.
struct ParkedStream {
  std::string stream;
  std::map<std::uint64_t, ParkedLetter> letters;  // by position
  std::uint32_t attempts = 0;                     // of the first
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string error;
  bool due = false;  // is to be tried again
};

// A decision that an event is never sent.
struct PublishSkip {
  Position position;
  std::string reason, actor;
  Timestamp time;
};

// What of a sink is parked, by stream, and which skips were decided. With read rights only, while a
// publisher runs or not. kNotFound where there is no such sink.
struct PublishLetters {
  std::vector<ParkedStream> parked;
  std::vector<PublishSkip> skips;
};
absl::StatusOr<PublishLetters> ReadPublishLetters(const Reader& reader, std::string_view name);

// Asks that letters be tried again: of one stream, or of all. A running publisher does so within a
// second, else the next one. Gives how many letters are meant. kNotFound where there is no such
// sink, or the stream has none.
absl::StatusOr<std::uint64_t> RetryLetters(const Reader& reader, std::string_view name,
                                           const std::optional<std::string>& stream);

// Decides that an event is not sent: a letter, or the event at which the publisher stopped. On
// record for good, with reason and actor. kFailedPrecondition where it is neither,
// kInvalidArgument where reason or actor is empty.
absl::StatusOr<PublishSkip> SkipLetter(const Reader& reader, std::string_view name,
                                       const PublishSkip& skip);

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_LETTERS_H_
