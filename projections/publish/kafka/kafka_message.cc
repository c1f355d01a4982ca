#include "projections/publish/kafka/kafka_message.h"

#include "daybook/event.h"

namespace daybook {
namespace {

constexpr std::string_view kDedupeHeader = "daybook-dedupe-key";
constexpr std::string_view kContentType = "content-type";
constexpr std::string_view kPrefix = "ce_";
constexpr std::size_t kHeadersMax = 32;
// The header of a record batch of version 2, and of a record the attributes, and the differences of
// its time and offset to the batch's, which are 0 for the only one.
constexpr std::size_t kBatchHeaderBytes = 61;
constexpr std::size_t kRecordFixedBytes = 3;

// Of a number as Kafka writes it: zigzag, 7 bits a byte.
std::size_t VarintBytes(std::size_t number) {
  std::size_t bytes = 1;
  for (std::size_t rest = number << 1; rest > 0x7F; rest >>= 7) ++bytes;
  return bytes;
}

std::size_t TextBytes(std::string_view text) { return VarintBytes(text.size()) + text.size(); }

}  // namespace

KafkaMessage::KafkaMessage(const KafkaSettings& settings, std::string_view incarnation)
    : settings_(settings), envelope_(incarnation) {}

void KafkaMessage::AddHeader(std::string_view name, std::string_view value) {
  rd_kafka_header_add(headers_.get(), name.data(), static_cast<ssize_t>(name.size()), value.data(),
                      static_cast<ssize_t>(value.size()));
  batch_bytes_ += TextBytes(name) + TextBytes(value);
}

void KafkaMessage::Reset(const OutgoingEvent& outgoing) {
  const EventView& event = *outgoing.event;
  envelope_.Reset(outgoing);
  topic_.clear();
  settings_.topic.AppendTo(event, NameEscape::kToken, &topic_);
  key_.clear();
  settings_.key.AppendTo(event, NameEscape::kNone, &key_);
  value_ = AsText(event.data);

  headers_.reset(rd_kafka_headers_new(kHeadersMax));
  batch_bytes_ = 0;
  text_ = kPrefix;
  for (const CloudEvent::Attribute& attribute : envelope_) {
    if (attribute.name == "datacontenttype") {
      AddHeader(kContentType, attribute.value);
      continue;
    }
    text_.resize(kPrefix.size());
    text_.append(attribute.name);
    AddHeader(text_, attribute.value);
  }
  AddHeader(kDedupeHeader, outgoing.dedupe_key);
  for (const auto& [name, value] : settings_.headers) {
    text_.clear();
    value.AppendTo(event, NameEscape::kNone, &text_);
    AddHeader(name, text_);
  }
  batch_bytes_ += VarintBytes(rd_kafka_header_cnt(headers_.get())) + TextBytes(key_) +
                  TextBytes(value_) + kRecordFixedBytes;
  batch_bytes_ += VarintBytes(batch_bytes_) + kBatchHeaderBytes;
}

}  // namespace daybook
