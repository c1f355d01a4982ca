// The hand-written codec is held to Cap'n Proto's library in both directions.

#include "log/event_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "log/event.capnp.h"
#include "log/log_testing.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::AlignedBytes;
using testing::HasText;

// What a body is made of, with the memory of its own.
struct Source {
  EventId id;
  std::int64_t effective_at = kEffectiveAtAbsent;
  ContentType content_type = ContentType::kOctetStream;
  std::string stream = "s";
  std::string type = "t";
  std::string data;
  std::string metadata;
  std::vector<std::string> tags;
  std::string content_type_text;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t Below(std::uint64_t n) { return engine_() % n; }
  std::uint64_t Word() { return engine_(); }
  std::string Bytes(std::size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(engine_());
    return bytes;
  }
  EventId Id() {
    EventId::Bytes id;
    for (std::uint8_t& byte : id) byte = static_cast<std::uint8_t>(engine_() | 1);
    return EventId(id);
  }
  std::vector<std::string> Tags(std::size_t count) {
    std::vector<std::string> tags;
    for (std::size_t i = 0; i < count; ++i) {
      tags.push_back(std::string(1, static_cast<char>('0' + i)) + Bytes(Below(12)));
    }
    return tags;
  }
  Source Event(std::size_t data_bytes, std::size_t tags) {
    Source source{.id = Id(),
                  .stream = Bytes(1 + Below(40)),
                  .type = Bytes(1 + Below(20)),
                  .data = Bytes(data_bytes),
                  .tags = Tags(tags)};
    return source;
  }

 private:
  std::mt19937_64 engine_;
};

AlignedBytes Encode(const Source& source) {
  const std::vector<std::string_view> tags(source.tags.begin(), source.tags.end());
  const BodyFields fields{.id = source.id,
                          .effective_at = source.effective_at,
                          .content_type = source.content_type,
                          .stream = source.stream,
                          .type = source.type,
                          .data = AsBytes(source.data),
                          .metadata = source.metadata,
                          .tags = tags,
                          .content_type_text = source.content_type_text};
  AlignedBytes body(EncodedBodyBytes(fields));
  // What was there before must not show.
  std::fill(body.bytes().begin(), body.bytes().end(), std::byte{0xA5});
  EncodeBody(fields, body.bytes().data());
  return body;
}

class Library {
 public:
  explicit Library(AlignedBytes& body)
      : words_(reinterpret_cast<const capnp::word*>(body.bytes().data()), body.bytes().size() / 8),
        segments_{words_},
        reader_(kj::arrayPtr(segments_, 1)) {}
  event::Event::Reader event() { return reader_.getRoot<event::Event>(); }
  bool IsCanonical() { return reader_.isCanonical(); }

 private:
  kj::ArrayPtr<const capnp::word> words_;
  kj::ArrayPtr<const capnp::word> segments_[1];
  capnp::SegmentArrayMessageReader reader_;
};

std::uint64_t BigEndian(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

std::string Text(capnp::Text::Reader text) { return {text.begin(), text.size()}; }
std::string Text(capnp::Data::Reader data) { return {data.asChars().begin(), data.size()}; }

// The first field on which the library's reading of a body is not what went in.
std::string DifferenceByLibrary(event::Event::Reader read, const Source& source) {
  const std::span<const std::uint8_t> id = source.id.bytes();
  if (read.getIdHigh() != BigEndian(id.first(8))) return "idHigh";
  if (read.getIdLow() != BigEndian(id.subspan(8))) return "idLow";
  if (read.getEffectiveAt() != source.effective_at) return "effectiveAt";
  if (read.getContentType() != static_cast<std::uint16_t>(source.content_type))
    return "contentType";
  if (Text(read.getStream()) != source.stream) return "stream";
  if (Text(read.getType()) != source.type) return "type";
  if (Text(read.getData()) != source.data) return "data";
  if (Text(read.getMetadata()) != source.metadata) return "metadata";
  if (Text(read.getContentTypeText()) != source.content_type_text) return "contentTypeText";
  if (read.getTags().size() != source.tags.size()) return "tags";
  for (std::uint32_t i = 0; i < source.tags.size(); ++i) {
    if (Text(read.getTags()[i]) != source.tags[i]) return "tags";
  }
  return "";
}

// The same of what DecodeBody made of it.
std::string DifferenceByView(const EventView& view, const Source& source) {
  if (view.id != source.id) return "id";
  const std::int64_t effective_at =
      view.effective_at_given ? view.effective_at_given->unix_nanoseconds() : kEffectiveAtAbsent;
  if (effective_at != source.effective_at) return "effective_at";
  if (view.content_type != source.content_type) return "content_type";
  if (view.stream != source.stream) return "stream";
  if (view.type != source.type) return "type";
  if (AsText(view.data) != source.data) return "data";
  if (view.metadata != source.metadata) return "metadata";
  if (view.content_type_text != source.content_type_text) return "content_type_text";
  if (!std::equal(view.tags.begin(), view.tags.end(), source.tags.begin(), source.tags.end())) {
    return "tags";
  }
  return "";
}

// Everything that is asked of one body; empty if it is so.
std::string WhatIsWrongWith(const Source& source) {
  AlignedBytes body = Encode(source);
  Library library(body);
  if (!library.IsCanonical()) return "it is not canonical";
  if (std::string field = DifferenceByLibrary(library.event(), source); !field.empty()) {
    return "the library reads another " + field;
  }
  EventView view;
  if (const char* problem = DecodeBody(body.bytes(), &view)) return problem;
  if (std::string field = DifferenceByView(view, source); !field.empty()) {
    return "DecodeBody reads another " + field;
  }
  return std::string(CheckBodyWithLibrary(body.bytes(), view).message());
}

constexpr std::int64_t kEffectiveAts[] = {kEffectiveAtAbsent, 0,
                                          Timestamp::Min().unix_nanoseconds(),
                                          Timestamp::Max().unix_nanoseconds()};
constexpr ContentType kContentTypes[] = {ContentType::kOctetStream, ContentType::kJson,
                                         ContentType::kText};

TEST_CASE("a body is canonical and reads as it was, whichever fields are there") {
  Random random(1);
  int bodies = 0;
  for (unsigned present = 0; present < 16; ++present) {
    for (const std::int64_t effective_at : kEffectiveAts) {
      for (const ContentType content_type : kContentTypes) {
        for (std::size_t data_bytes = 0; data_bytes <= 20; ++data_bytes) {
          Source source = random.Event(present & 1 ? data_bytes : 0, present & 2 ? 2 : 0);
          source.effective_at = effective_at;
          source.content_type = content_type;
          if (present & 4) source.metadata = random.Bytes(1 + random.Below(30));
          if (present & 8) source.content_type_text = random.Bytes(1 + random.Below(30));
          const std::string wrong = WhatIsWrongWith(source);
          ++bodies;
          if (wrong.empty()) continue;
          CAPTURE(present, effective_at, static_cast<int>(content_type), data_bytes);
          CHECK(wrong == "");
        }
      }
    }
  }
  CHECK(bodies == 16 * 4 * 3 * 21);
}

TEST_CASE("a body holds any number of tags up to 64, of any length") {
  Random random(2);
  for (std::size_t tags = 0; tags <= kTagsMax; ++tags) {
    CAPTURE(tags);
    CHECK(WhatIsWrongWith(random.Event(random.Below(21), tags)) == "");
  }
  Source longest = random.Event(3, 0);
  longest.tags = {std::string(kNameBytesMax, 'a'), std::string(kNameBytesMax, 'b')};
  CHECK(WhatIsWrongWith(longest) == "");
}

TEST_CASE("a megabyte of data reads as it was") {
  Random random(3);
  CHECK(WhatIsWrongWith(random.Event((std::size_t{1} << 20) + 1, 1)) == "");
}

TEST_CASE("the size that is announced is the size that is written") {
  Random random(4);
  for (int i = 0; i < 200; ++i) {
    const Source source = random.Event(random.Below(21), random.Below(5));
    AlignedBytes body = Encode(source);
    REQUIRE(body.bytes().size() % 8 == 0);
    // Nothing is left at 0xA5, and nothing was written behind (ASan): the last word is reached.
    Library library(body);
    CHECK(library.IsCanonical());  // and canonical bodies have no bytes left over
  }
  CHECK(Encode({.id = random.Id(), .effective_at = 0}).bytes().size() == kBodyBytesMin);
}

TEST_CASE("an id whose lower half is zero keeps its two words, and reads as it was") {
  // No RFC 9562 UUID but the nil one is so. Of all bodies this one is not canonical: the library
  // would leave the word out.
  EventId::Bytes id{};
  id[0] = 7;
  const Source source{.id = EventId(id), .effective_at = 0};
  AlignedBytes body = Encode(source);
  CHECK(body.bytes().size() == kBodyBytesMin);
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) == nullptr);
  CHECK(DifferenceByView(view, source) == "");
  CHECK(DifferenceByLibrary(Library(body).event(), source) == "");
}

void Build(const Source& source, event::Event::Builder event) {
  const std::span<const std::uint8_t> id = source.id.bytes();
  event.setIdHigh(BigEndian(id.first(8)));
  event.setIdLow(BigEndian(id.subspan(8)));
  event.setEffectiveAt(source.effective_at);
  event.setContentType(static_cast<std::uint16_t>(source.content_type));
  event.setStream(source.stream.c_str());
  event.setType(source.type.c_str());
  if (!source.content_type_text.empty()) {
    event.setContentTypeText(source.content_type_text.c_str());
  }
  if (!source.tags.empty()) {
    auto tags = event.initTags(static_cast<unsigned>(source.tags.size()));
    for (unsigned i = 0; i < source.tags.size(); ++i) tags.set(i, source.tags[i].c_str());
  }
  if (!source.metadata.empty()) event.setMetadata(source.metadata.c_str());
  if (!source.data.empty()) {
    event.setData({reinterpret_cast<const kj::byte*>(source.data.data()), source.data.size()});
  }
}

AlignedBytes Canonical(capnp::MallocMessageBuilder* message) {
  const auto words = capnp::canonicalize(message->getRoot<event::Event>().asReader());
  return AlignedBytes(std::as_bytes(std::span(words.begin(), words.size())));
}

TEST_CASE("what the library builds and makes canonical is what is encoded here, byte for byte") {
  Random random(5);
  for (int i = 0; i < 2000; ++i) {
    Source source{.id = random.Id(), .data = random.Bytes(random.Below(21))};
    source.effective_at = kEffectiveAts[random.Below(4)];
    source.content_type = kContentTypes[random.Below(3)];
    source.stream = "orders-" + std::to_string(random.Below(1'000'000'000));
    for (std::uint64_t tag = random.Below(4); tag > 0; --tag) {
      source.tags.insert(source.tags.begin(), "tag:" + std::to_string(tag));
    }
    if (random.Below(2) == 0) source.metadata = std::string(random.Below(20), 'm');
    if (source.content_type == ContentType::kText) source.content_type_text = "text/plain";

    capnp::MallocMessageBuilder message;
    Build(source, message.initRoot<event::Event>());
    AlignedBytes built = Canonical(&message);
    AlignedBytes encoded = Encode(source);
    EventView view;
    CAPTURE(i);
    REQUIRE(DecodeBody(built.bytes(), &view) == nullptr);
    CHECK(DifferenceByView(view, source) == "");
    CHECK(AsText(built.bytes()) == AsText(encoded.bytes()));
  }
}

TEST_CASE("an empty text, list or data that is there reads as one that is not") {
  const Source source{.id = Random(6).Id()};
  capnp::MallocMessageBuilder message;
  auto event = message.initRoot<event::Event>();
  Build(source, event);
  event.setMetadata("");
  event.setContentTypeText("");
  event.initTags(0);
  event.initData(0);
  AlignedBytes body = Canonical(&message);
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) == nullptr);
  CHECK(DifferenceByView(view, source) == "");
  CHECK_OK(CheckBodyWithLibrary(body.bytes(), view));
}

// A body of every field.
Source Full() {
  Source source = Random(7).Event(13, 3);
  source.effective_at = 1234567;
  source.content_type = ContentType::kText;
  source.metadata = "{\"actor\":\"me\"}";
  source.content_type_text = "text/plain";
  return source;
}

TEST_CASE("fields that a newer writer adds are passed over") {
  AlignedBytes old = Encode(Full());
  constexpr std::size_t kOldData = 4;
  constexpr std::size_t kOldPointers = 6;
  // One data word more, and one pointer more, which is null.
  AlignedBytes body(old.bytes().size() + 16);
  const auto copy = [&](std::size_t from, std::size_t to, std::size_t words) {
    std::memcpy(body.bytes().data() + to * 8, old.bytes().data() + from * 8, words * 8);
  };
  const std::size_t before = 1 + kOldData;
  copy(0, 0, before);
  body.At<std::uint64_t>(before * 8) = 0xFEDCBA9876543210;
  copy(before, before + 1, kOldPointers);
  copy(before + kOldPointers, before + kOldPointers + 2,
       old.bytes().size() / 8 - before - kOldPointers);
  body.At<std::uint64_t>(0) += std::uint64_t{1} << 32 | std::uint64_t{1} << 48;
  for (std::size_t i = 0; i < kOldPointers; ++i)
    body.At<std::uint64_t>((before + 1 + i) * 8) += 1 << 2;
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) == nullptr);
  CHECK(DifferenceByView(view, Full()) == "");
  CHECK_OK(CheckBodyWithLibrary(body.bytes(), view));
}

bool Inside(std::span<const std::byte> body, const void* at, std::size_t size) {
  if (size == 0) return true;
  const auto* begin = static_cast<const std::byte*>(at);
  return begin >= body.data() && begin + size <= body.data() + body.size();
}

// Whether all views lie within the body. Reads every byte of them, for ASan.
bool AllInside(std::span<const std::byte> body, const EventView& view) {
  std::vector<std::string_view> texts = {view.stream, view.type, view.metadata,
                                         view.content_type_text, AsText(view.data)};
  if (view.tags.size() > kTagsMax) return false;
  texts.insert(texts.end(), view.tags.begin(), view.tags.end());
  unsigned sum = 0;
  for (const std::string_view text : texts) {
    if (!Inside(body, text.data(), text.size())) return false;
    for (const char c : text) sum += static_cast<unsigned char>(c);
  }
  return sum != UINT32_MAX;
}

TEST_CASE("a body that ends early is refused, wherever it ends") {
  AlignedBytes body = Encode(Full());
  for (std::size_t size = 0; size < body.bytes().size(); ++size) {
    AlignedBytes cut(body.bytes().first(size));
    EventView view;
    CAPTURE(size);
    CHECK(DecodeBody(cut.bytes(), &view) != nullptr);
  }
}

TEST_CASE("every flipped bit of a body leads to a refusal or to views inside of it") {
  const Source source = Full();
  AlignedBytes body = Encode(source);
  int refused = 0;
  int read = 0;
  for (std::size_t bit = 0; bit < body.bytes().size() * 8; ++bit) {
    AlignedBytes flipped(body.bytes());
    flipped.bytes()[bit / 8] ^= static_cast<std::byte>(1 << bit % 8);
    EventView view;
    if (DecodeBody(flipped.bytes(), &view) != nullptr) {
      ++refused;
      continue;
    }
    ++read;
    CAPTURE(bit / 8, bit % 8);
    REQUIRE(AllInside(flipped.bytes(), view));
    // What is accepted here is what the library reads too.
    CHECK_OK(CheckBodyWithLibrary(flipped.bytes(), view));
  }
  CHECK(refused > 100);
  CHECK(read > 100);
}

TEST_CASE("random words are refused or give views inside of them") {
  Random random(8);
  int read = 0;
  for (int i = 0; i < 200'000; ++i) {
    AlignedBytes body(random.Below(20) * 8 + (i % 16 == 0 ? random.Below(8) : 0));
    for (std::size_t at = 0; at + 8 <= body.bytes().size(); at += 8) {
      // Small numbers in both halves make pointers that sometimes lead somewhere.
      body.At<std::uint64_t>(at) = random.Below(4) == 0 ? random.Word()
                                   : random.Below(3) == 0
                                       ? 0
                                       : random.Below(64) | random.Below(128) << 32;
    }
    if (body.bytes().size() >= 8) {
      body.At<std::uint64_t>(0) = random.Below(5) << 32 | random.Below(8) << 48;
    }
    EventView view;
    if (DecodeBody(body.bytes(), &view) != nullptr) continue;
    ++read;
    if (!AllInside(body.bytes(), view)) {
      CAPTURE(i);
      CHECK(false);
    }
  }
  CHECK(read > 100);
}

TEST_CASE("a pointer that leads backwards, out, or through another segment is refused") {
  AlignedBytes body = Encode(Full());
  const std::size_t stream = (1 + 4) * 8;
  const std::uint64_t good = body.At<std::uint64_t>(stream);
  const auto decode = [&](std::uint64_t pointer) {
    body.At<std::uint64_t>(stream) = pointer;
    EventView view;
    return DecodeBody(body.bytes(), &view);
  };
  REQUIRE(decode(good) == nullptr);
  const std::uint64_t sizes = good >> 32 << 32;
  CHECK(decode(sizes | 1 | 0xFFFFFFFC) != nullptr);  // one word back
  CHECK(decode(sizes | 1 | std::uint64_t{1} << 31) != nullptr);
  CHECK(decode(sizes | 1 | 10'000 << 2) != nullptr);
  CHECK(decode(sizes | 2) != nullptr);                               // far
  CHECK(decode(sizes | 3) != nullptr);                               // capability
  CHECK(decode(good | std::uint64_t{0xFFFFFFF8} << 32) != nullptr);  // as long as can be
  CHECK(decode(good & 0xFFFFFFFF) != nullptr);                       // a list of no elements
}

TEST_CASE("more than 64 tags are refused, though they be well-formed") {
  const Source source{.id = Random(9).Id(), .tags = Random(9).Tags(kTagsMax + 1)};
  AlignedBytes body = Encode(source);
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) != nullptr);
  CHECK_THAT(std::string(DecodeBody(body.bytes(), &view)), HasText("64 tags"));
}

TEST_CASE("the library's second opinion finds each field that was decoded wrongly") {
  AlignedBytes body = Encode(Full());
  EventView right;
  REQUIRE(DecodeBody(body.bytes(), &right) == nullptr);
  REQUIRE_OK(CheckBodyWithLibrary(body.bytes(), right));
  AlignedBytes other_body = Encode(Random(10).Event(5, 2));
  EventView other;
  REQUIRE(DecodeBody(other_body.bytes(), &other) == nullptr);
  const auto said = [&](const EventView& wrong) {
    const absl::Status status = CheckBodyWithLibrary(body.bytes(), wrong);
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    return std::string(status.message());
  };
  const auto with = [&](auto change) {
    EventView wrong = right;
    change(wrong);
    return said(wrong);
  };
  CHECK_THAT(with([&](EventView& e) { e.id = other.id; }), HasText(" id"));
  CHECK_THAT(with([](EventView& e) { e.effective_at_given = Timestamp(1); }),
             HasText("effectiveAt"));
  CHECK_THAT(with([](EventView& e) { e.effective_at_given.reset(); }), HasText("effectiveAt"));
  CHECK_THAT(with([](EventView& e) { e.content_type = ContentType::kJson; }),
             HasText("contentType"));
  CHECK_THAT(with([&](EventView& e) { e.stream = other.stream; }), HasText("stream"));
  CHECK_THAT(with([&](EventView& e) { e.type = other.type; }), HasText("type"));
  CHECK_THAT(with([](EventView& e) { e.metadata = {}; }), HasText("metadata"));
  CHECK_THAT(with([](EventView& e) { e.content_type_text = "x"; }), HasText("contentTypeText"));
  CHECK_THAT(with([&](EventView& e) { e.data = other.data; }), HasText("data"));
  CHECK_THAT(with([](EventView& e) { e.data = e.data.first(e.data.size() - 1); }), HasText("data"));
  CHECK_THAT(with([&](EventView& e) { e.tags = other.tags; }), HasText("tags"));
}

TEST_CASE("the second opinion on what is no message is kDataLoss, not an exception") {
  AlignedBytes body = Encode(Full());
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) == nullptr);
  AlignedBytes cut(body.bytes().first(body.bytes().size() - 8));
  const absl::Status status = CheckBodyWithLibrary(cut.bytes(), view);
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(status.message()), HasText("no valid message"));
}

TEST_CASE("a list of tags can be walked, indexed and searched") {
  const Source source{.id = Random(11).Id(), .tags = {"a", "b:2", "caf\xC3\xA9"}};
  AlignedBytes body = Encode(source);
  EventView view;
  REQUIRE(DecodeBody(body.bytes(), &view) == nullptr);
  CHECK_FALSE(view.tags.empty());
  REQUIRE(view.tags.size() == 3);
  CHECK(view.tags[0] == "a");
  CHECK(view.tags[1] == "b:2");
  CHECK(view.tags[2] == "caf\xC3\xA9");
  CHECK(std::vector<std::string>(view.tags.begin(), view.tags.end()) == source.tags);
  CHECK(view.tags.Contains("a"));
  CHECK(view.tags.Contains("caf\xC3\xA9"));
  CHECK_FALSE(view.tags.Contains("b"));
  CHECK_FALSE(view.tags.Contains("b:22"));
  CHECK_FALSE(view.tags.Contains(""));
  auto at = view.tags.begin();
  CHECK(*at++ == "a");
  CHECK(*at == "b:2");
  CHECK(++at != view.tags.end());

  const TagList none;
  CHECK(none.empty());
  CHECK(none.begin() == none.end());
  CHECK_FALSE(none.Contains("a"));
}

}  // namespace
}  // namespace daybook
