// Readers beside the thread that adds: run under ThreadSanitizer.

#include <atomic>
#include <optional>

#include "base/thread.h"
#include "index/index_testing.h"

namespace daybook {
namespace {

constexpr std::uint64_t kEvents = 20'000;
constexpr std::uint64_t kStreams = 50;

std::string StreamOf(std::uint64_t local) {
  return absl::StrCat("category", local / 1000, "-", local % kStreams);
}
std::string TypeOf(std::uint64_t local) { return absl::StrCat("type", local / 100); }
std::string TagOf(std::uint64_t local) { return absl::StrCat("tag", local % 7); }

void AddAll(ActiveIndex* index) {
  for (std::uint64_t local = 0; local < kEvents; ++local) {
    const std::string stream = StreamOf(local);
    const std::string type = TypeOf(local);
    const bool first = local % 1000 < kStreams;
    const testing::EncodedTags tags({TagOf(local)});
    EventId::Bytes id{};
    std::memcpy(id.data(), &local, sizeof(local));
    index->Add({.offset = 4096 + 128 * local,
                .version = local % 1000 / kStreams + 1,
                .prev = first ? 0 : local + 1 - kStreams,
                .skip = 0,
                .recorded_at = static_cast<std::int64_t>(local),
                .effective_at = static_cast<std::int64_t>(local),
                .stream = stream,
                .stream_hash = StreamHash(stream),
                .type = type,
                .id = EventId(id)},
               tags.list());
    if (local % 16 == 15) index->Publish();
  }
  index->Publish();
}

// All that can be asked about the first `count` events; false where an answer is wrong.
bool CheckPrefix(const ActiveIndex& index) {
  const std::uint64_t count = index.count();
  if (count == 0) return true;
  const std::uint64_t last = count - 1;
  std::vector<std::uint32_t> locals;
  const std::optional<Term> type = index.FindType(TypeOf(last));
  const std::optional<Term> category = index.FindCategory(CategoryOf(StreamOf(last)));
  bool good = type && index.types().At(last) == type->number && type->events > 0 && category &&
              index.categories().At(last) == category->number;
  good = good && index.links()[last].offset() == 4096 + 128 * last;
  good = good && index.time_samples()[last / 256] == static_cast<std::int64_t>(last / 256 * 256);
  good = good && index.effective_bounds().max >= static_cast<std::int64_t>(last);
  index.FindTag(TagHash(TagOf(last)), count, &locals);
  good = good && locals.size() == last / 7 + 1 && locals.back() == last;
  EventId::Bytes id{};
  std::memcpy(id.data(), &last, sizeof(last));
  index.FindId(IdHash(StreamHash(StreamOf(last)), EventId(id)), count, &locals);
  good = good && locals == std::vector<std::uint32_t>{static_cast<std::uint32_t>(last)};
  index.FindHead(StreamHash(StreamOf(last)), &locals);
  good = good && locals.size() == 1 && locals[0] >= last;
  index.AllHeads(&locals);
  return good && locals.size() >= std::min(count, kStreams);
}

TEST_CASE("readers see whole prefixes while events are added") {
  auto created = ActiveIndex::Create(1, kEvents * 128, 128);
  REQUIRE_OK(created);
  const std::unique_ptr<ActiveIndex> index = *std::move(created);
  std::atomic<bool> done = false;
  std::atomic<bool> good = true;
  {
    const auto read = [&] {
      while (!done) {
        if (!CheckPrefix(*index)) good = false;
      }
    };
    Thread first("reader1", read);
    Thread second("reader2", read);
    Thread third("reader3", read);
    AddAll(index.get());
    done = true;
  }
  CHECK(good);
  CHECK(CheckPrefix(*index));
  CHECK(index->count() == kEvents);
}

}  // namespace
}  // namespace daybook
