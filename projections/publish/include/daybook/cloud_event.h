// The envelope: an event as CloudEvents 1.0 (https://cloudevents.io, specification 1.0.2).
//
//   specversion      1.0
//   id               the event's id (unique in its stream)
//   source           urn:daybook:<incarnation of the store>
//   type, subject    the event's type, and its stream
//   time             when the fact holds in the world (effective_at)
//   datacontenttype  of the data; absent where there is no data
//   sequence         the position, with zeros to 20 digits: the order of the store
//   partitionkey     the stream
//   streamversion    the version of the stream that the event made
//   recordedtime     when the store recorded it
//   correlation, causation, traceparent, tracestate   as the metadata has them, where it does
//   tags             a JSON array, where there are any
//   metadata         a JSON object, as it was given, where there is any
//   line             only of an event that is sent aside of the line: OutgoingEvent::line
//   replay           the id of the replay, only in a replay
//
// In binary mode these are headers and the data is the message; in structured mode all of it is one
// JSON object, with the data as "data" where it is JSON and as "data_base64" where it is not.

#ifndef DAYBOOK_CLOUD_EVENT_H_
#define DAYBOOK_CLOUD_EVENT_H_

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "daybook/event.h"
#include "daybook/sink.h"

namespace daybook {

// Writes envelopes, one after another; keeps its memory. Not thread-safe.
class CloudEvent {
 public:
  struct Attribute {
    std::string_view name;
    std::string_view value;
  };

  // Of events of a store of this incarnation.
  explicit CloudEvent(std::string_view incarnation);

  // Makes this the envelope of an event; its views are good as long as the event and until the
  // next call.
  void Reset(const OutgoingEvent& outgoing);

  [[nodiscard]] const Attribute* begin() const { return attributes_.data(); }
  [[nodiscard]] const Attribute* end() const { return attributes_.data() + count_; }
  // datacontenttype; empty where there is no data. It is among the attributes too.
  [[nodiscard]] std::string_view content_type() const { return content_type_; }

  // The event as one JSON object, without a line break.
  void AppendStructured(std::string* json) const;

 private:
  static constexpr std::size_t kAttributesMax = 18;
  void Add(std::string_view name, std::string_view value) {
    if (count_ < attributes_.size()) attributes_[count_++] = {name, value};
  }
  void AddMetadata(std::string_view metadata);

  const std::string source_;
  const EventView* event_ = nullptr;
  std::array<Attribute, kAttributesMax> attributes_;
  std::size_t count_ = 0;
  std::string_view content_type_;
  std::string id_, sequence_, version_, time_, recorded_, tags_, line_;
  std::array<std::string, 4> from_metadata_;
};

// The value of a header of the NATS binding of CloudEvents: bytes outside of printable ASCII,
// space, double quote and percent are percent-encoded.
void AppendPercentEncoded(std::string_view value, std::string* out);

// What a mark is read from again, by the names of the attributes: `find` gives the value of one, or
// an empty view. nullopt where it is no envelope of a store.
template <class Find>
std::optional<BrokerMark> MarkOfEnvelope(const Find& find);
std::optional<BrokerMark> MarkOf(std::string_view source, std::string_view sequence,
                                 std::string_view line, std::string_view replay);

template <class Find>
std::optional<BrokerMark> MarkOfEnvelope(const Find& find) {
  return MarkOf(find("source"), find("sequence"), find("line"), find("replay"));
}

}  // namespace daybook

#endif  // DAYBOOK_CLOUD_EVENT_H_
