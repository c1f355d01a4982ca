#include "projections/publish/sqs/message.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"
#include "base/status.h"
#include "base/utf8.h"
#include "daybook/json_text.h"

namespace daybook::sqs {
namespace {

constexpr std::size_t kIdBytesMax = 128;
constexpr std::string_view kType = "String";
constexpr std::string_view kContentType = "application/cloudevents+json";

// U+FFFE and U+FFFF are text, and none that SQS takes: bodies are what XML 1.0 can hold. (JSON has
// escapes for all else that it cannot.)
constexpr std::array<std::string_view, 2> kForbidden = {"\xEF\xBF\xBE", "\xEF\xBF\xBF"};
constexpr std::array<std::string_view, 2> kAsEscape = {"\\ufffe", "\\uffff"};
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

void ReplaceForbidden(const std::array<std::string_view, 2>& by, std::string* text) {
  for (std::size_t i = 0; i < kForbidden.size(); ++i) {
    for (std::size_t at = text->find(kForbidden[i]); at != std::string::npos;
         at = text->find(kForbidden[i], at + by[i].size())) {
      text->replace(at, kForbidden[i].size(), by[i]);
    }
  }
}

bool IsIdByte(char c) { return c > ' ' && c < '\x7f'; }

}  // namespace

std::string IdOf(std::string_view name) {
  if (!name.empty() && name.size() <= kIdBytesMax &&
      std::all_of(name.begin(), name.end(), IsIdByte)) {
    return std::string(name);
  }
  const Digest128 digest = Hash128(std::as_bytes(std::span(name)));
  return absl::StrFormat("h-%016x%016x", digest.high, digest.low);
}

void MessageWriter::AddAttribute(std::string_view name, std::string_view value, Message* message) {
  message->json.append(message->json.ends_with('{') ? "" : ",");
  AppendJsonString(name, message->json);
  message->json.append(":{\"DataType\":\"").append(kType).append("\",\"StringValue\":");
  AppendJsonString(value, message->json);
  message->json.push_back('}');
  message->bytes += name.size() + kType.size() + value.size();
}

absl::StatusOr<Message> MessageWriter::Write(const OutgoingEvent& outgoing) {
  Message message;
  message.sequence = outgoing.sequence;
  envelope_.Reset(outgoing);
  body_.clear();
  envelope_.AppendStructured(&body_);
  if (!IsValidUtf8(body_)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the event at position ", outgoing.event->position.value(), " has text that is not UTF-8"));
  }
  // Outside of strings JSON is ASCII, so what is found stands in a string.
  ReplaceForbidden(kAsEscape, &body_);
  message.bytes = body_.size();
  if (message.bytes <= bytes_max_) {
    message.json.reserve(body_.size() + body_.size() / 4 + 512);
    message.json.append("\"MessageBody\":");
    AppendJsonString(body_, message.json);
    message.json.append(",\"MessageAttributes\":{");
    AddAttribute("dedupe_key", outgoing.dedupe_key, &message);
    AddAttribute("content_type", kContentType, &message);
    for (const auto& [name, value] : form_.attributes) {
      name_.clear();
      value.AppendTo(*outgoing.event, NameEscape::kNone, &name_);
      ReplaceForbidden({kReplacement, kReplacement}, &name_);
      if (!name_.empty()) AddAttribute(name, name_, &message);
    }
    message.json.push_back('}');
  }
  if (message.bytes > bytes_max_) {
    return absl::OutOfRangeError(absl::StrCat(
        "the event at position ", outgoing.event->position.value(), " makes a message of ",
        message.bytes, " bytes, and the queue takes ", bytes_max_));
  }
  if (form_.is_fifo) {
    name_.clear();
    form_.group.AppendTo(*outgoing.event, NameEscape::kNone, &name_);
    message.group = IdOf(name_);
    message.json.append(",\"MessageGroupId\":");
    AppendJsonString(message.group, message.json);
    message.json.append(",\"MessageDeduplicationId\":");
    AppendJsonString(IdOf(outgoing.dedupe_key), message.json);
  }
  message.json.push_back('}');
  return message;
}

std::string WriteBatch(std::string_view queue_url, std::span<const Message> messages) {
  std::string body = "{\"QueueUrl\":";
  AppendJsonString(queue_url, body);
  body.append(",\"Entries\":[");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    absl::StrAppend(&body, i == 0 ? "" : ",", "{\"Id\":\"", i, "\",", messages[i].json);
  }
  body.append("]}");
  return body;
}

}  // namespace daybook::sqs
