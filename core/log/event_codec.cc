#include "log/event_codec.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "log/event.capnp.h"

namespace daybook {
namespace {

// The layout that event.capnp gives the struct (see "Encoding" in the Cap'n Proto documentation).
constexpr std::size_t kWord = 8;
enum Pointer : std::uint32_t { kStream, kType, kData, kMetadata, kTags, kContentTypeText };
constexpr std::uint32_t kBytesOfList = 2;     // element size code: bytes
constexpr std::uint32_t kPointersOfList = 6;  // element size code: pointers

constexpr std::size_t Words(std::size_t bytes) { return (bytes + kWord - 1) / kWord; }

std::uint64_t Load(const std::byte* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}
void Store(std::byte* at, std::uint64_t word) { std::memcpy(at, &word, sizeof word); }

std::uint64_t BigEndian(const std::uint8_t* bytes) {
  std::uint64_t value;
  std::memcpy(&value, bytes, sizeof value);
  return __builtin_bswap64(value);
}

// The words of the data section and the pointers, without the trailing ones that are zero.
struct Sizes {
  std::uint32_t data_words;
  std::uint32_t pointers;
};

Sizes SizesOf(const BodyFields& fields) {
  Sizes sizes{2, 2};
  if (fields.content_type != ContentType::kOctetStream) {
    sizes.data_words = 4;
  } else if (fields.effective_at != 0) {
    sizes.data_words = 3;
  }
  if (!fields.content_type_text.empty()) {
    sizes.pointers = 6;
  } else if (!fields.tags.empty()) {
    sizes.pointers = 5;
  } else if (!fields.metadata.empty()) {
    sizes.pointers = 4;
  } else if (!fields.data.empty()) {
    sizes.pointers = 3;
  }
  return sizes;
}

// Writes what pointers point to, one after another.
class Objects {
 public:
  explicit Objects(std::byte* at) : at_(at) {}
  [[nodiscard]] std::byte* at() const { return at_; }

  void Text(std::byte* pointer, std::string_view text) {
    if (!text.empty()) Bytes(pointer, text.data(), text.size(), text.size() + 1);
  }
  void Data(std::byte* pointer, std::span<const std::byte> data) {
    if (!data.empty()) Bytes(pointer, data.data(), data.size(), data.size());
  }
  // Reserves the pointers of a list; the caller fills them.
  std::byte* PointerList(std::byte* pointer, std::size_t count) {
    StoreListPointer(pointer, kPointersOfList, count);
    std::byte* list = at_;
    at_ += count * kWord;
    return list;
  }

 private:
  void StoreListPointer(std::byte* pointer, std::uint32_t element, std::size_t count) {
    const auto offset = static_cast<std::uint64_t>(at_ - pointer - std::ptrdiff_t{kWord}) / kWord;
    Store(pointer, (offset << 2 | 1) | (std::uint64_t{count} << 3 | element) << 32);
  }
  void Bytes(std::byte* pointer, const void* bytes, std::size_t size, std::size_t counted) {
    StoreListPointer(pointer, kBytesOfList, counted);
    const std::size_t words = Words(counted);
    std::memset(at_ + (words - 1) * kWord, 0, kWord);
    std::memcpy(at_, bytes, size);
    at_ += words * kWord;
  }
  std::byte* at_;
};

// A list pointer, resolved.
struct List {
  const std::byte* items = nullptr;
  std::uint32_t count = 0;
};

// Resolves the list pointer at `pointer`, which must be of `element` size and lie within the
// message.
std::optional<List> ResolveList(const std::byte* pointer, const std::byte* end,
                                std::uint32_t element) {
  const std::uint64_t word = Load(pointer);
  if (word == 0) return List{};
  const auto low = static_cast<std::uint32_t>(word);
  const auto high = static_cast<std::uint32_t>(word >> 32);
  if ((low & 3) != 1 || (high & 7) != element) return std::nullopt;
  const std::uint32_t count = high >> 3;
  const std::size_t words = element == kBytesOfList ? Words(count) : count;
  // Canonical order: what a pointer points to follows it.
  const std::uint32_t offset = low >> 2;
  const auto room = static_cast<std::size_t>(end - pointer) / kWord - 1;
  if (offset > room || words > room - offset) return std::nullopt;
  return List{pointer + kWord + std::size_t{offset} * kWord, count};
}

std::optional<std::string_view> ResolveText(const std::byte* pointer, const std::byte* end) {
  const std::optional<List> list = ResolveList(pointer, end, kBytesOfList);
  if (!list) return std::nullopt;
  if (list->items == nullptr) return std::string_view();
  if (list->count == 0 || list->items[list->count - 1] != std::byte{0}) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(list->items), list->count - 1);
}

const char* DecodeTags(const std::byte* pointer, const std::byte* end, EventView* event) {
  const std::optional<List> tags = ResolveList(pointer, end, kPointersOfList);
  if (!tags) return "the pointer of the tags leads out of the event";
  if (tags->count > kTagsMax) return "the event has more than 64 tags";
  for (std::uint32_t i = 0; i < tags->count; ++i) {
    const std::byte* tag = tags->items + i * kWord;
    if (Load(tag) == 0 || !ResolveText(tag, end))
      return "the pointer of a tag leads out of the event";
  }
  event->tags = TagList(tags->items, tags->count);
  return nullptr;
}

}  // namespace

std::string_view TagList::operator[](std::size_t index) const {
  // Decoded once before, when the event was read: the pointer is in bounds.
  const std::byte* pointer = pointers_ + index * kWord;
  const std::uint64_t word = Load(pointer);
  const std::size_t offset = static_cast<std::uint32_t>(word) >> 2;
  const std::size_t count = word >> 35;
  return {reinterpret_cast<const char*>(pointer + kWord + offset * kWord), count - 1};
}

bool TagList::Contains(std::string_view tag) const {
  return std::any_of(begin(), end(), [tag](std::string_view t) { return t == tag; });
}

std::size_t EncodedBodyBytes(const BodyFields& fields) {
  const Sizes sizes = SizesOf(fields);
  std::size_t words = 1 + sizes.data_words + sizes.pointers;
  const auto text_words = [](std::string_view t) { return t.empty() ? 0 : Words(t.size() + 1); };
  words += text_words(fields.stream) + text_words(fields.type) + Words(fields.data.size()) +
           text_words(fields.metadata) + text_words(fields.content_type_text);
  for (const std::string_view tag : fields.tags) words += 1 + text_words(tag);
  return words * kWord;
}

void EncodeBody(const BodyFields& fields, std::byte* out) {
  const Sizes sizes = SizesOf(fields);
  Store(out, std::uint64_t{sizes.data_words} << 32 | std::uint64_t{sizes.pointers} << 48);
  std::byte* data = out + kWord;
  const EventId::Bytes& id = fields.id.bytes();
  Store(data, BigEndian(id.data()));
  Store(data + kWord, BigEndian(id.data() + 8));
  if (sizes.data_words > 2)
    Store(data + 2 * kWord, static_cast<std::uint64_t>(fields.effective_at));
  if (sizes.data_words > 3)
    Store(data + 3 * kWord, static_cast<std::uint64_t>(fields.content_type));

  std::byte* pointers = data + sizes.data_words * kWord;
  const auto pointer = [&](Pointer which) { return pointers + which * kWord; };
  std::memset(pointers, 0, sizes.pointers * kWord);
  Objects objects(pointers + sizes.pointers * kWord);
  objects.Text(pointer(kStream), fields.stream);
  objects.Text(pointer(kType), fields.type);
  if (sizes.pointers > kData) objects.Data(pointer(kData), fields.data);
  if (sizes.pointers > kMetadata) objects.Text(pointer(kMetadata), fields.metadata);
  if (!fields.tags.empty()) {
    std::byte* list = objects.PointerList(pointer(kTags), fields.tags.size());
    for (std::size_t i = 0; i < fields.tags.size(); ++i) {
      objects.Text(list + i * kWord, fields.tags[i]);
    }
  }
  if (sizes.pointers > kContentTypeText) {
    objects.Text(pointer(kContentTypeText), fields.content_type_text);
  }
}

const char* DecodeBody(std::span<const std::byte> body, EventView* event) {
  if (body.size() < kWord || body.size() % kWord != 0)
    return "the body is no whole number of words";
  const std::byte* const end = body.data() + body.size();
  const std::uint64_t root = Load(body.data());
  if (static_cast<std::uint32_t>(root) != 0) return "the root of the body is no struct in place";
  const auto data_words = static_cast<std::uint32_t>(root >> 32 & 0xFFFF);
  const auto pointer_count = static_cast<std::uint32_t>(root >> 48);
  if (body.size() / kWord < std::size_t{1} + data_words + pointer_count) {
    return "the root of the body leads out of it";
  }
  // A newer writer may have added fields: what is beyond ours is passed over.
  const std::byte* const data = body.data() + kWord;
  const auto data_word = [&](std::uint32_t i) {
    return i < data_words ? Load(data + i * kWord) : std::uint64_t{0};
  };
  EventId::Bytes id;
  const std::uint64_t high = __builtin_bswap64(data_word(0));
  const std::uint64_t low = __builtin_bswap64(data_word(1));
  std::memcpy(id.data(), &high, 8);
  std::memcpy(id.data() + 8, &low, 8);
  event->id = EventId(id);
  const auto effective_at = static_cast<std::int64_t>(data_word(2));
  event->effective_at_given =
      effective_at == kEffectiveAtAbsent ? std::nullopt : std::optional(Timestamp(effective_at));
  event->content_type = static_cast<ContentType>(data_word(3) & 0xFFFF);

  const std::byte* const pointers = data + std::size_t{data_words} * kWord;
  const auto text = [&](Pointer which, std::string_view* out) {
    if (which >= pointer_count) {
      *out = {};
      return true;
    }
    const std::optional<std::string_view> found = ResolveText(pointers + which * kWord, end);
    if (found) *out = *found;
    return found.has_value();
  };
  if (!text(kStream, &event->stream) || !text(kType, &event->type) ||
      !text(kMetadata, &event->metadata) || !text(kContentTypeText, &event->content_type_text)) {
    return "the pointer of a text leads out of the event";
  }
  event->data = {};
  if (kData < pointer_count) {
    const std::optional<List> bytes = ResolveList(pointers + kData * kWord, end, kBytesOfList);
    if (!bytes) return "the pointer of the data leads out of the event";
    event->data = {bytes->items, bytes->count};
  }
  event->tags = TagList();
  return kTags < pointer_count ? DecodeTags(pointers + kTags * kWord, end, event) : nullptr;
}

namespace {

std::string_view View(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

// The name of the first field on which the library's reading and ours differ.
const char* Difference(event::Event::Reader library, const EventView& event) {
  const EventId::Bytes& id = event.id.bytes();
  if (library.getIdHigh() != BigEndian(id.data())) return "id";
  if (library.getIdLow() != BigEndian(id.data() + 8)) return "id";
  const std::int64_t effective_at =
      event.effective_at_given ? event.effective_at_given->unix_nanoseconds() : kEffectiveAtAbsent;
  if (library.getEffectiveAt() != effective_at) return "effectiveAt";
  if (library.getContentType() != static_cast<std::uint16_t>(event.content_type))
    return "contentType";
  if (View(library.getStream()) != event.stream) return "stream";
  if (View(library.getType()) != event.type) return "type";
  if (View(library.getMetadata()) != event.metadata) return "metadata";
  if (View(library.getContentTypeText()) != event.content_type_text) return "contentTypeText";
  const capnp::Data::Reader data = library.getData();
  if (data.size() != event.data.size() ||
      (data.size() != 0 && std::memcmp(data.begin(), event.data.data(), data.size()) != 0)) {
    return "data";
  }
  const auto tags = library.getTags();
  if (tags.size() != event.tags.size()) return "tags";
  for (std::uint32_t i = 0; i < tags.size(); ++i) {
    if (View(tags[i]) != event.tags[i]) return "tags";
  }
  return nullptr;
}

}  // namespace

absl::Status CheckBodyWithLibrary(std::span<const std::byte> body, const EventView& decoded) {
  try {
    const kj::ArrayPtr<const capnp::word> words(reinterpret_cast<const capnp::word*>(body.data()),
                                                body.size() / sizeof(capnp::word));
    const kj::ArrayPtr<const capnp::word> segments[] = {words};
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size() * 2 + 64;
    capnp::SegmentArrayMessageReader reader(segments, options);
    const char* field = Difference(reader.getRoot<event::Event>(), decoded);
    if (field == nullptr) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat("two readings of the event's body differ in ", field));
  } catch (const kj::Exception& e) {
    return absl::DataLossError(
        absl::StrCat("the event's body is no valid message: ", e.getDescription().cStr()));
  }
}

}  // namespace daybook
