#include "tests/corruption/answers.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"

namespace daybook::testing {
namespace {

std::uint64_t HashOf(const EventView& event) {
  const auto number = [](std::uint64_t value, std::uint64_t seed) {
    return Hash64(std::as_bytes(std::span(&value, 1)), seed);
  };
  const auto text = [&](std::string_view value, std::uint64_t seed) {
    return number(value.size(), Hash64(AsBytes(value), seed));
  };
  std::uint64_t hash = number(event.position.value(), event.version.value());
  hash = number(event.commit_first_position.value(), hash);
  hash = number(static_cast<std::uint64_t>(event.recorded_at.unix_nanoseconds()), hash);
  hash = number(static_cast<std::uint64_t>(event.effective_at().unix_nanoseconds()), hash);
  hash = number(event.effective_at_given.has_value() ? 1 : 0, hash);
  hash = number(static_cast<std::uint64_t>(event.content_type), hash);
  hash = Hash64(std::as_bytes(std::span(event.id.bytes())), hash);
  for (const std::string_view field :
       {event.stream, event.type, event.content_type_text, event.metadata, AsText(event.data)}) {
    hash = text(field, hash);
  }
  for (const std::string_view tag : event.tags) hash = text(tag, hash);
  return hash;
}

absl::Status AddQuestions(const Reader& reader, const std::vector<EventView>& events,
                          const std::vector<StreamInfo>& streams, Truth* truth) {
  std::vector<ReadOptions> asked(2);
  asked[1].direction = Direction::kBackwards;
  std::set<std::string> types, tags, categories;
  for (const EventView& event : events) {
    types.emplace(event.type);
    categories.emplace(CategoryOf(event.stream));
    for (const std::string_view tag : event.tags) tags.emplace(tag);
  }
  for (const StreamInfo& stream : streams) asked.push_back({.stream = stream.stream});
  for (const std::string& type : types) asked.push_back({.types = {type}});
  for (const std::string& tag : tags) asked.push_back({.tags = {tag}});
  for (const std::string& category : categories) asked.push_back({.category = category});
  for (std::size_t i = 0; i < events.size(); i += events.size() / 5 + 1) {
    const EventView& event = events[i];
    asked.push_back({.id = event.id});
    asked.push_back({.as_of = AsOf::RecordedAt(event.recorded_at)});
    asked.push_back({.stream = std::string(event.stream),
                     .as_of = AsOf::AtVersion(event.version),
                     .direction = Direction::kBackwards});
    asked.push_back({.as_of = AsOf::EffectiveAt(event.effective_at())});
  }
  for (ReadOptions& options : asked) {
    Question question{std::move(options), {}};
    DAYBOOK_ASSIGN_OR_RETURN(Cursor cursor, reader.Read(question.options));
    DAYBOOK_RETURN_IF_ERROR(cursor.ForEach([&](const EventView& event) {
      question.positions.push_back(event.position.value());
      return absl::OkStatus();
    }));
    truth->questions.push_back(std::move(question));
  }
  return absl::OkStatus();
}

// One question. What is given before an error must be how the true answer begins.
void Ask(const Reader& reader, const Question& question, const Truth& truth, Comparison* result) {
  const std::uint64_t head = result->head;
  absl::StatusOr<Cursor> cursor = reader.Read(question.options);
  std::size_t given = 0;
  absl::Status status = cursor.status();
  while (status.ok() && result->wrong.empty()) {
    const absl::StatusOr<const EventView*> next = cursor->Next();
    status = next.status();
    if (!status.ok() || *next == nullptr) break;
    const EventView& event = **next;
    const std::uint64_t position = event.position.value();
    // Of a head that is lower, a backward read begins later.
    while (head < truth.head && given < question.positions.size() &&
           question.options.direction == Direction::kBackwards &&
           question.positions[given] > head) {
      ++given;
    }
    if (given >= question.positions.size() || question.positions[given] != position ||
        HashOf(event) != truth.events[position - 1]) {
      result->wrong = absl::StrCat("a read gives position ", position, " as number ", given);
    }
    ++given;
  }
  if (!status.ok()) {
    result->errors.push_back(std::move(status));
    return;
  }
  if (!result->wrong.empty()) return;
  while (given < question.positions.size() && question.positions[given] > head) ++given;
  if (given < question.positions.size()) {
    result->wrong = absl::StrCat("a read ends before position ", question.positions[given]);
  }
}

void AskForStreams(const Reader& reader, const Truth& truth, Comparison* result) {
  const auto streams = reader.Streams({});
  if (!streams.ok()) {
    result->errors.push_back(streams.status());
    return;
  }
  if (result->head != truth.head) return;
  const auto same = [](const StreamInfo& a, const StreamInfo& b) {
    return a.stream == b.stream && a.version == b.version && a.first_position == b.first_position &&
           a.last_position == b.last_position && a.last_recorded_at == b.last_recorded_at;
  };
  if (!std::equal(streams->begin(), streams->end(), truth.streams.begin(), truth.streams.end(),
                  same)) {
    result->wrong = "other streams are listed";
  }
}

void AskForHeads(const Reader& reader, const Truth& truth, Comparison* result) {
  for (std::size_t i = 0; i < truth.streams.size() && result->wrong.empty(); i += 3) {
    const StreamInfo& stream = truth.streams[i];
    const auto head = reader.Head(stream.stream);
    if (!head.ok()) {
      result->errors.push_back(head.status());
    } else if (result->head == truth.head && head->last_position != stream.last_position) {
      result->wrong = "another head of stream " + stream.stream;
    }
    const Version middle(stream.version.value() / 2 + 1);
    const auto event = reader.EventAt(stream.stream, middle);
    if (!event.ok()) {
      if (result->head == truth.head || absl::IsDataLoss(event.status())) {
        result->errors.push_back(event.status());
      }
    } else if (HashOf(**event) != truth.events[(*event)->position.value() - 1] ||
               (*event)->stream != stream.stream || (*event)->version != middle) {
      result->wrong = "another event of stream " + stream.stream;
    }
  }
  for (std::size_t i = 0; i < result->head && result->wrong.empty(); i += truth.head / 4 + 1) {
    const auto position = reader.PositionAt(truth.times[i]);
    if (!position.ok()) {
      result->errors.push_back(position.status());
      continue;
    }
    std::uint64_t expected = i + 1;  // the last of its commit
    while (expected < result->head && truth.times[expected] == truth.times[i]) ++expected;
    // Positions that cannot be read have no time: those behind the last event in time are taken in,
    // so that a read up to there tells of them.
    while (expected < position->value() && !reader.EventAt(Position(expected + 1)).ok()) {
      ++expected;
    }
    if (position->value() != expected) {
      result->wrong =
          absl::StrCat("a time leads to position ", position->value(), ", not ", expected);
    }
  }
}

}  // namespace

absl::StatusOr<Truth> AskForTruth(const Reader& reader, std::uint64_t head) {
  Truth truth;
  truth.head = head;
  std::vector<EventHandle> handles;
  std::vector<EventView> events;
  for (std::uint64_t position = 1; position <= head; ++position) {
    DAYBOOK_ASSIGN_OR_RETURN(EventHandle event, reader.EventAt(Position(position)));
    truth.events.push_back(HashOf(*event));
    truth.times.push_back(event->recorded_at);
    events.push_back(*event);
    handles.push_back(std::move(event));
  }
  DAYBOOK_ASSIGN_OR_RETURN(truth.streams, reader.Streams({}));
  DAYBOOK_RETURN_IF_ERROR(AddQuestions(reader, events, truth.streams, &truth));
  return truth;
}

Comparison Compare(const Reader& reader, const Truth& truth, Depth depth) {
  Comparison result;
  result.head = reader.visible().value();
  if (result.head > truth.head) {
    result.wrong = absl::StrCat("the head is ", result.head, ", not ", truth.head);
    return result;
  }
  for (std::uint64_t position = 1; position <= truth.head && result.wrong.empty(); ++position) {
    const auto event = reader.EventAt(Position(position));
    if (event.ok()) {
      if (HashOf(**event) != truth.events[position - 1]) {
        result.wrong = absl::StrCat("another event at position ", position);
      }
    } else if (position <= result.head || absl::IsDataLoss(event.status())) {
      result.errors.push_back(event.status());
    }
  }
  if (depth == Depth::kEvents) return result;
  for (const Question& question : truth.questions) {
    if (!result.wrong.empty()) return result;
    Ask(reader, question, truth, &result);
  }
  if (result.wrong.empty()) AskForStreams(reader, truth, &result);
  if (result.wrong.empty()) AskForHeads(reader, truth, &result);
  return result;
}

}  // namespace daybook::testing
