// What a commit takes, what it refuses, and that a refusal leaves it as it was.

#include "append/commit.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::HasText;

EventId Id(std::uint8_t n) {
  EventId::Bytes bytes{};
  bytes.fill(n);
  return EventId(bytes);
}

// What can be seen of a commit.
struct Look {
  std::size_t events;
  std::size_t streams;
  std::string bytes;
  friend bool operator==(const Look&, const Look&) = default;
};
Look At(Commit::Impl& commit) {
  return {commit.events.size(), commit.streams.size(), std::string(AsText(commit.bytes()))};
}

// Adds what must be refused; the message. The commit, which holds an event already, must not
// change.
std::string Refused(std::string_view stream, const NewEvent& event) {
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("before", {.type = "t", .id = Id(1)}));
  const Look before = At(commit);
  const absl::Status status = commit.Add(stream, event);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(At(commit) == before);
  return std::string(status.message());
}

absl::Status Add(std::string_view stream, const NewEvent& event) {
  Commit::Impl commit;
  return commit.Add(stream, event);
}

TEST_CASE("an event that is added reads as it was given") {
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("orders-7", {.type = "placed",
                                     .data = AsBytes("{}"),
                                     .content_type = ContentType::kText,
                                     .content_type_text = "text/x",
                                     .metadata = "{\"a\":1}",
                                     .tags = {"z", "a", "m"},
                                     .effective_at = Timestamp(5),
                                     .id = Id(9)}));
  REQUIRE(commit.events.size() == 1);
  CHECK(commit.events[0].id_given);
  const EventView view = commit.Decode(commit.events[0]);
  CHECK(view.stream == "orders-7");
  CHECK(view.type == "placed");
  CHECK(AsText(view.data) == "{}");
  CHECK(view.content_type == ContentType::kText);
  CHECK(view.content_type_text == "text/x");
  CHECK(view.metadata == "{\"a\":1}");
  CHECK(std::vector<std::string>(view.tags.begin(), view.tags.end()) ==
        std::vector<std::string>{"a", "m", "z"});
  CHECK(view.effective_at_given == Timestamp(5));
  CHECK(view.id == Id(9));
  const RecordHeader& record = commit.record(commit.events[0]);
  CHECK(record.header_length == sizeof(RecordHeader));
  CHECK(record.body_hash ==
        Hash64(commit.bytes().subspan(sizeof(CommitHeader) + sizeof(RecordHeader))));
  CHECK(commit.bytes().size() == sizeof(CommitHeader) + sizeof(RecordHeader) + record.body_length);
}

TEST_CASE("an event without an id gets one of its own, which is not taken for the caller's") {
  Commit commit;
  REQUIRE_OK(commit.Add("s", {.type = "t"}));
  REQUIRE_OK(commit.Add("s", {.type = "t"}));
  CHECK_FALSE(commit.id(0).is_nil());
  CHECK(commit.id(0) != commit.id(1));
  CHECK_FALSE(commit.impl().events[0].id_given);
  CHECK_FALSE(commit.impl().Decode(commit.impl().events[0]).effective_at_given);
}

TEST_CASE("tags are sorted as bytes, not as signed characters") {
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("s", {.type = "t", .tags = {"\xC3\xA9", "z"}}));
  const EventView view = commit.Decode(commit.events[0]);
  CHECK(view.tags[0] == "z");
  CHECK(view.tags[1] == "\xC3\xA9");
}

TEST_CASE("names have 1 to 255 bytes") {
  const std::string longest(255, 'n');
  const std::string longer(256, 'n');
  CHECK_OK(Add(longest, {.type = longest, .tags = {longest}}));
  CHECK_OK(Add("s", {.type = "t", .tags = {"a"}}));
  CHECK_THAT(Refused("", {.type = "t"}), HasText("stream"));
  CHECK_THAT(Refused(longer, {.type = "t"}), HasText("256 bytes"));
  CHECK_THAT(Refused("s", {}), HasText("type"));
  CHECK_THAT(Refused("s", {.type = longer}), HasText("256 bytes"));
  CHECK_THAT(Refused("s", {.type = "t", .tags = {""}}), HasText("tag"));
  CHECK_THAT(Refused("s", {.type = "t", .tags = {longer}}), HasText("256 bytes"));
  CHECK_THAT(
      Refused("s", {.type = "t", .content_type = ContentType::kText, .content_type_text = longer}),
      HasText("content type"));
}

TEST_CASE("names have no control characters and are UTF-8") {
  for (const char c : {'\0', '\n', '\x1F', '\x7F', '\xFF'}) {
    const std::string bad = std::string("a") + c + "b";
    CAPTURE(static_cast<int>(c));
    Refused(bad, {.type = "t"});
    Refused("s", {.type = bad});
    Refused("s", {.type = "t", .tags = {bad}});
  }
  CHECK_OK(Add("caf\xC3\xA9", {.type = "a b", .tags = {" "}}));
}

TEST_CASE("streams that begin with $ are the store's own, and none begins with -") {
  CHECK_THAT(Refused("$store", {.type = "t"}), HasText("the store's own"));
  CHECK_THAT(Refused("-a", {.type = "t"}), HasText("'-'"));
  CHECK_OK(Add("a$-", {.type = "$t", .tags = {"-", "$"}}));
  Commit::Impl commit;
  CHECK_OK(commit.Add("$store", {.type = "t"}, SystemNames::kAllow));
  CHECK_FALSE(commit.Add("-a", {.type = "t"}, SystemNames::kAllow).ok());
}

TEST_CASE("an event has up to 64 tags, none twice") {
  std::vector<std::string> names;
  for (int i = 0; i < 65; ++i) names.push_back("tag:" + std::to_string(i));
  const std::vector<std::string_view> all(names.begin(), names.end());
  CHECK_OK(Add("s", {.type = "t", .tags = {all.begin(), all.begin() + 64}}));
  CHECK_THAT(Refused("s", {.type = "t", .tags = all}), HasText("64"));
  CHECK_THAT(Refused("s", {.type = "t", .tags = {"a", "b", "a"}}), HasText("'a' is given twice"));
}

TEST_CASE("metadata is UTF-8 of up to 64 KiB") {
  const std::string largest(kMetadataBytesMax, 'm');
  CHECK_OK(Add("s", {.type = "t", .metadata = largest}));
  CHECK_THAT(Refused("s", {.type = "t", .metadata = largest + "m"}), HasText("65536"));
  CHECK_THAT(Refused("s", {.type = "t", .metadata = "\xC3"}), HasText("UTF-8"));
}

TEST_CASE("content_type_text and ContentType::kText go together") {
  Refused("s", {.type = "t", .content_type = ContentType::kText});
  Refused("s", {.type = "t", .content_type = ContentType::kJson, .content_type_text = "text/x"});
}

TEST_CASE("the nil id and a moment out of range are refused") {
  CHECK_THAT(Refused("s", {.type = "t", .id = EventId()}), HasText("nil"));
  CHECK_THAT(Refused("s", {.type = "t", .effective_at = Timestamp(INT64_MIN)}), HasText("1677"));
  CHECK_OK(Add("s", {.type = "t", .effective_at = Timestamp::Min()}));
  CHECK_OK(Add("s", {.type = "t", .effective_at = Timestamp::Max()}));
}

// The bytes of a record that is not its data, for an event of type "t" in stream "s" with data.
std::size_t Overhead() {
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("s", {.type = "t", .data = AsBytes("12345678")}));
  return commit.bytes().size() - sizeof(CommitHeader) - 8;
}

TEST_CASE("an event has up to 16 MiB, header and all") {
  const std::string data(kEventBytesMax - Overhead(), 'd');
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("s", {.type = "t", .data = AsBytes(data)}));
  CHECK(commit.bytes().size() == sizeof(CommitHeader) + kEventBytesMax);
  CHECK_THAT(Refused("s", {.type = "t", .data = AsBytes(data + "d")}), HasText("16777216"));
}

TEST_CASE("a commit has up to 64 MiB, and a refusal at the limit leaves it usable") {
  const std::string data(kEventBytesMax - Overhead(), 'd');
  Commit::Impl commit;
  for (int i = 0; i < 3; ++i) REQUIRE_OK(commit.Add("s", {.type = "t", .data = AsBytes(data)}));
  const std::size_t room = kCommitBytesMax - commit.bytes().size() - Overhead();
  const absl::Status refused =
      commit.Add("other", {.type = "t", .data = AsBytes(data), .id = Id(5)});
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.message()), HasText("67108864"));
  // Neither the stream nor the id of what was refused is in the commit.
  CHECK(commit.streams.size() == 1);
  const std::string one_more(room + 1, 'd');
  CHECK_FALSE(commit.Add("s", {.type = "t", .data = AsBytes(one_more), .id = Id(5)}).ok());
  CHECK_OK(commit.Add("s", {.type = "t", .data = AsBytes(one_more).first(room), .id = Id(5)}));
  CHECK(commit.bytes().size() == kCommitBytesMax);
  CHECK(commit.events.size() == 4);
}

TEST_CASE("a commit has up to 65,536 events") {
  Commit::Impl commit;
  for (std::size_t i = 0; i < kCommitEventsMax; ++i) {
    const absl::Status status = commit.Add("s", {.type = "t"});
    if (!status.ok()) REQUIRE_OK(status);
  }
  CHECK(commit.streams[0].events == kCommitEventsMax);
  const absl::Status refused = commit.Add("other", {.type = "t"});
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.message()), HasText("65536"));
  CHECK(commit.events.size() == kCommitEventsMax);
  CHECK(commit.streams.size() == 1);
}

TEST_CASE("an id stands once in each stream of a commit") {
  Commit::Impl commit;
  REQUIRE_OK(commit.Add("a", {.type = "t", .id = Id(1)}));
  REQUIRE_OK(commit.Add("b", {.type = "t", .id = Id(1)}));
  REQUIRE_OK(commit.Add("a", {.type = "t", .id = Id(2)}));
  const Look before = At(commit);
  const absl::Status refused = commit.Add("a", {.type = "u", .id = Id(1)});
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(refused.message()), HasText(Id(1).ToString()));
  CHECK(At(commit) == before);
  CHECK_OK(commit.Add("a", {.type = "u", .id = Id(3)}));
}

TEST_CASE("an expectation may come before or without events; the last word counts") {
  Commit::Impl commit;
  REQUIRE_OK(commit.Expect("only-checked", ExpectedVersion::NoStream()));
  REQUIRE_OK(commit.Expect("s", ExpectedVersion::NoStream()));
  REQUIRE_OK(commit.Add("s", {.type = "t"}));
  REQUIRE_OK(commit.Expect("s", ExpectedVersion::Exactly(Version(3))));
  REQUIRE(commit.streams.size() == 2);
  CHECK(commit.streams[0].events == 0);
  CHECK(commit.streams[1].events == 1);
  CHECK(commit.streams[1].expected == ExpectedVersion::Exactly(Version(3)));
  CHECK(commit.Expect("-", ExpectedVersion::Any()).code() == absl::StatusCode::kInvalidArgument);
  CHECK(commit.Expect("$a", ExpectedVersion::Any()).code() == absl::StatusCode::kInvalidArgument);
  CHECK(commit.streams.size() == 2);
}

TEST_CASE("a condition names only what could be a type or tag") {
  Commit::Impl commit;
  CHECK_OK(commit.Require({.fail_if_match = {{.types = {"t"}, .tags = {"a"}}}}));
  CHECK_OK(commit.Require({}));
  CHECK_FALSE(commit.Require({.fail_if_match = {{.types = {""}}}}).ok());
  CHECK_FALSE(commit.Require({.fail_if_match = {{.tags = {"ok", "\n"}}}}).ok());
  CHECK(commit.conditions.size() == 2);
}

TEST_CASE("clearing empties a commit and keeps its memory") {
  Commit::Impl commit;
  const std::string data(10'000, 'd');
  REQUIRE_OK(commit.Add("s", {.type = "t", .data = AsBytes(data), .id = Id(1)}));
  REQUIRE_OK(commit.Expect("x", ExpectedVersion::NoStream()));
  REQUIRE_OK(commit.Require({}));
  commit.tried = true;
  const void* const memory = commit.bytes().data();
  commit.header().recorded_at = 7;
  commit.Clear();
  CHECK(commit.events.empty());
  CHECK(commit.streams.empty());
  CHECK(commit.conditions.empty());
  CHECK_FALSE(commit.tried);
  CHECK(commit.bytes().size() == sizeof(CommitHeader));
  CHECK(commit.header().recorded_at == 0);
  // The id is free again, and the memory is the same.
  REQUIRE_OK(commit.Add("s", {.type = "t", .data = AsBytes(data), .id = Id(1)}));
  CHECK(commit.bytes().data() == memory);
}

TEST_CASE("a selection holds the events that are kept, and every expectation and condition") {
  Commit::Impl commit;
  REQUIRE_OK(commit.Expect("checked", ExpectedVersion::StreamExists()));
  REQUIRE_OK(commit.Add("a", {.type = "one", .id = Id(1)}));
  REQUIRE_OK(commit.Add("b", {.type = "two", .data = AsBytes("data"), .tags = {"x"}}));
  REQUIRE_OK(commit.Add("a", {.type = "three", .id = Id(3)}));
  REQUIRE_OK(commit.Expect("b", ExpectedVersion::NoStream()));
  REQUIRE_OK(commit.Require({.fail_if_match = {}, .after = Position(4)}));
  commit.tried = true;
  const Look before = At(commit);

  const std::unique_ptr<Commit::Impl> rest = commit.Select({false, true, true});
  CHECK(At(commit) == before);
  REQUIRE(rest->events.size() == 2);
  CHECK(rest->Decode(rest->events[0]).type == "two");
  CHECK(AsText(rest->Decode(rest->events[0]).data) == "data");
  CHECK(rest->Decode(rest->events[0]).tags.Contains("x"));
  CHECK(rest->Decode(rest->events[1]).type == "three");
  CHECK(rest->events[0].id == commit.events[1].id);
  CHECK_FALSE(rest->events[0].id_given);
  CHECK(rest->events[1].id_given);
  CHECK(rest->tried);
  REQUIRE(rest->streams.size() == 3);
  CHECK(rest->streams[0].expected == ExpectedVersion::StreamExists());
  CHECK(rest->streams[1].name == "a");
  CHECK(rest->streams[1].events == 1);
  CHECK(rest->streams[2].events == 1);
  CHECK(rest->streams[2].expected == ExpectedVersion::NoStream());
  REQUIRE(rest->conditions.size() == 1);
  CHECK(rest->conditions[0].after == Position(4));
  CHECK(rest->bytes().size() < commit.bytes().size());
  CHECK(commit.Select({false, false, false})->bytes().size() == sizeof(CommitHeader));
}

TEST_CASE("a released commit leaves an empty one that can be used") {
  Commit commit;
  REQUIRE_OK(commit.Add("s", {.type = "t"}));
  const std::unique_ptr<Commit::Impl> released = commit.Release();
  CHECK(released->events.size() == 1);
  CHECK(commit.events() == 0);
  CHECK_OK(commit.Add("s", {.type = "t"}));
  CHECK(commit.events() == 1);
}

}  // namespace
}  // namespace daybook
