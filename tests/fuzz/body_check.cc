#include "tests/fuzz/body_check.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "log/event_codec.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {
namespace {

// What a reader that follows every pointer goes through. Pointers that overlap make it more than
// there is, and the library refuses that: so does `Verify`, and nothing that we wrote has it.
std::uint64_t WordsRead(const EventView& event) {
  const auto words = [](std::size_t bytes) { return (bytes + 8) / 8; };
  std::uint64_t sum = words(event.stream.size()) + words(event.type.size()) +
                      words(event.metadata.size()) + words(event.content_type_text.size()) +
                      words(event.data.size()) + event.tags.size();
  for (const std::string_view tag : event.tags) sum += words(tag.size());
  return sum;
}

}  // namespace

bool SameBody(const EventView& a, const EventView& b) {
  return a.id == b.id && a.effective_at_given == b.effective_at_given &&
         a.content_type == b.content_type && a.stream == b.stream && a.type == b.type &&
         a.metadata == b.metadata && a.content_type_text == b.content_type_text &&
         std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end()) &&
         std::equal(a.tags.begin(), a.tags.end(), b.tags.begin(), b.tags.end());
}

void CheckDecoded(std::span<const std::byte> body, const EventView& event) {
  const absl::Status library = CheckBodyWithLibrary(body, event);
  if (!library.ok() && WordsRead(event) <= body.size() / 8) {
    std::fprintf(stderr, "%s\n", library.ToString().c_str());
    DAYBOOK_FUZZ_CHECK(library.ok());
  }
  const std::vector<std::string_view> tags(event.tags.begin(), event.tags.end());
  BodyFields fields{.id = event.id,
                    .effective_at = event.effective_at_given
                                        ? event.effective_at_given->unix_nanoseconds()
                                        : kEffectiveAtAbsent,
                    .content_type = event.content_type,
                    .stream = event.stream,
                    .type = event.type,
                    .data = event.data,
                    .metadata = event.metadata,
                    .tags = tags,
                    .content_type_text = event.content_type_text};
  // The encoder is for names that are not empty; a tag that is would be no pointer at all.
  if (std::find(tags.begin(), tags.end(), std::string_view()) != tags.end()) return;
  std::vector<std::uint64_t> words(EncodedBodyBytes(fields) / 8);
  const auto again = std::as_writable_bytes(std::span(words));
  EncodeBody(fields, again.data());
  EventView decoded;
  DAYBOOK_FUZZ_CHECK(DecodeBody(again, &decoded) == nullptr);
  DAYBOOK_FUZZ_CHECK(SameBody(decoded, event));
  DAYBOOK_FUZZ_CHECK(CheckBodyWithLibrary(again, decoded).ok());
}

}  // namespace daybook::fuzzing
