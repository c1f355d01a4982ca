#include "projections/publish/sqs/message.h"

#include <string>
#include <vector>

#include "daybook/json_text.h"
#include "projections/publish/sqs/lanes.h"
#include "tests/catch.h"

namespace daybook::sqs {
namespace {

constexpr std::string_view kIncarnation = "11111111-2222-4333-8444-555555555555";

EventView Event(std::string_view stream, std::string_view data) {
  EventView event;
  event.position = Position(7);
  event.stream = stream;
  event.type = "Deposited";
  event.content_type = ContentType::kJson;
  event.data = AsBytes(data);
  return event;
}

MessageForm Form(bool is_fifo) {
  MessageForm form;
  form.is_fifo = is_fifo;
  form.group = *NameTemplate::Parse("{stream}");
  return form;
}

absl::StatusOr<Message> Made(const EventView& event, const MessageForm& form,
                             std::size_t bytes_max = kMessageBytesDefault) {
  return MessageWriter(form, kIncarnation, bytes_max).Write({&event, 3, "k:7", Position(7), ""});
}

std::string FieldOf(const std::string& json, std::string_view key) {
  std::vector<JsonField> fields;
  REQUIRE(IsJsonObject(json));
  REQUIRE_OK(SplitJsonObject(json, fields));
  for (const JsonField& field : fields) {
    if (field.key != key) continue;
    return field.value.starts_with('"') ? *UnquoteJson(field.value) : std::string(field.value);
  }
  return "(none)";
}

TEST_CASE("a message has the event as its body, the stream as its group, the key against repeats") {
  const EventView event = Event("account-42", R"({"cents":1.10})");
  const auto message = Made(event, Form(true));
  REQUIRE_OK(message);
  CHECK(message->sequence == 3);
  CHECK(message->group == "account-42");
  const std::string entry = "{" + message->json;
  CHECK(FieldOf(entry, "MessageGroupId") == "account-42");
  CHECK(FieldOf(entry, "MessageDeduplicationId") == "k:7");
  const std::string body = FieldOf(entry, "MessageBody");
  CHECK(FieldOf(body, "subject") == "account-42");
  CHECK(FieldOf(body, "data") == R"({"cents":1.10})");
  CHECK(FieldOf(FieldOf(FieldOf(entry, "MessageAttributes"), "dedupe_key"), "StringValue") ==
        "k:7");
}

TEST_CASE("a message of a standard queue has no group and no deduplication id") {
  const auto message = Made(Event("a-1", "{}"), Form(false));
  REQUIRE_OK(message);
  CHECK(message->group.empty());
  CHECK(FieldOf("{" + message->json, "MessageGroupId") == "(none)");
  CHECK(FieldOf("{" + message->json, "MessageDeduplicationId") == "(none)");
}

TEST_CASE("what SQS does not take in a body stands there as an escape of JSON") {
  const EventView event =
      Event("a-\xEF\xBF\xBE", "{\"a\":\"\xEF\xBF\xBF\\u0000\xEF\xBF\xBD\\\\\xEF\xBF\xBE\"}");
  const auto message = Made(event, Form(true));
  REQUIRE_OK(message);
  const std::string body = FieldOf("{" + message->json, "MessageBody");
  CHECK(body.find("\xEF\xBF\xBE") == std::string::npos);
  CHECK(body.find("\xEF\xBF\xBF") == std::string::npos);
  CHECK(FieldOf(body, "subject") == "a-\xEF\xBF\xBE");
  CHECK(FieldOf(body, "data") == "{\"a\":\"\\uffff\\u0000\xEF\xBF\xBD\\\\\\ufffe\"}");
}

TEST_CASE("a group is itself where SQS takes it, and a hash where not") {
  CHECK(IdOf("account-42") == "account-42");
  CHECK(IdOf("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") == "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
  CHECK(IdOf(std::string(128, 'a')) == std::string(128, 'a'));
  std::vector<std::string> hashed = {"", "a b", "\xC3\xA9", std::string(129, 'a'),
                                     std::string(130, 'a')};
  for (std::string& name : hashed) {
    CHECK(IdOf(name) == IdOf(std::string(name)));
    name = IdOf(name);
    CHECK(name.size() == 34);
    CHECK(name.find_first_not_of("h-0123456789abcdef") == std::string::npos);
  }
  std::sort(hashed.begin(), hashed.end());
  CHECK(std::unique(hashed.begin(), hashed.end()) == hashed.end());
}

TEST_CASE("a message of just the limit is taken, one byte more is too large") {
  const EventView event = Event("a-1", "{}");
  const auto message = Made(event, Form(true));
  REQUIRE_OK(message);
  // Names, types and values of the two attributes count.
  const std::string body = FieldOf("{" + message->json, "MessageBody");
  CHECK(message->bytes == body.size() + 10 + 6 + 3 + 12 + 6 + 28);
  CHECK_OK(Made(event, Form(true), message->bytes));
  CHECK(Made(event, Form(true), message->bytes - 1).status().code() ==
        absl::StatusCode::kOutOfRange);
  const std::string large(100'000, ' ');
  CHECK(Made(Event("a-1", "\"" + large + "\""), Form(true), 1024).status().code() ==
        absl::StatusCode::kOutOfRange);
}

TEST_CASE("headers are attributes, and one that is empty is left out") {
  MessageForm form = Form(true);
  form.attributes.emplace_back("kind", *NameTemplate::Parse("{type}"));
  form.attributes.emplace_back("region", *NameTemplate::Parse("{tag:region}"));
  const auto message = Made(Event("a-1", "{}"), form);
  REQUIRE_OK(message);
  const std::string attributes = FieldOf("{" + message->json, "MessageAttributes");
  CHECK(FieldOf(FieldOf(attributes, "kind"), "StringValue") == "Deposited");
  CHECK(FieldOf(attributes, "region") == "(none)");
}

Message Plain(std::uint64_t sequence, const std::string& group, std::size_t bytes = 1) {
  return {sequence, group, "", bytes};
}

std::vector<std::uint64_t> Sequences(const std::vector<Message>& messages) {
  std::vector<std::uint64_t> sequences;
  for (const Message& message : messages) sequences.push_back(message.sequence);
  return sequences;
}

using Numbers = std::vector<std::uint64_t>;

TEST_CASE("of a group one message is on its way, and the next when that one is settled") {
  Lanes lanes;
  lanes.Add(Plain(0, "a"));
  lanes.Add(Plain(1, "a"));
  lanes.Add(Plain(2, "b"));
  lanes.Add(Plain(3, "a"));
  CHECK(lanes.ready() == 2);
  CHECK(Sequences(lanes.TakeBatch(10, 100)) == Numbers{0, 2});
  CHECK(lanes.TakeBatch(10, 100).empty());
  CHECK_FALSE(lanes.empty());
  lanes.Settle("b");
  CHECK(lanes.ready() == 0);
  lanes.Settle("a");
  CHECK(Sequences(lanes.TakeBatch(10, 100)) == Numbers{1});
  lanes.Add(Plain(4, "b"));
  lanes.Settle("a");
  CHECK(Sequences(lanes.TakeBatch(10, 100)) == Numbers{3, 4});
  CHECK(lanes.empty());
}

TEST_CASE("a batch has at most ten messages and the bytes of one, and takes the oldest first") {
  Lanes lanes;
  for (std::uint64_t i = 0; i < 12; ++i) lanes.Add(Plain(i, "", 10));
  CHECK(lanes.ready() == 12);
  CHECK(Sequences(lanes.TakeBatch(10, 25)) == Numbers{0, 1});
  CHECK(Sequences(lanes.TakeBatch(10, 10)) == Numbers{2});
  CHECK(lanes.TakeBatch(10, 1000).size() == 9);
}

TEST_CASE("what is given up is what was not taken") {
  Lanes lanes;
  lanes.Add(Plain(0, "a"));
  lanes.Add(Plain(1, "b"));
  lanes.Add(Plain(2, "a"));
  CHECK(lanes.TakeBatch(1, 100).size() == 1);
  Numbers left = lanes.Clear();
  std::sort(left.begin(), left.end());
  CHECK(left == Numbers{1, 2});
  CHECK(lanes.empty());
  lanes.Settle("a");  // of before: it lets nothing go
  CHECK(lanes.empty());
}

}  // namespace
}  // namespace daybook::sqs
