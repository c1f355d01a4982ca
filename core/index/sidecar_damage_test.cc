#include <fstream>
#include <iterator>

#include "daybook/error.h"
#include "index/index_testing.h"
#include "index/sidecar.h"
#include "index/sidecar_format.h"

namespace daybook {
namespace {

using testing::ModelEvent;
using testing::ModelSegment;
using testing::NewSeed;
using testing::TempFolder;

// A good sidecar, and what becomes of it when its bytes are changed.
class Damaging {
 public:
  Damaging() : seed_(NewSeed()), random_(seed_), segment_(Shape(), seed_) {
    REQUIRE_OK(Sidecar::Write(path(), {.first_position = 101, .events = Shape().events},
                              segment_.index()));
    std::ifstream in(path(), std::ios::binary);
    good_.assign(std::istreambuf_iterator<char>(in), {});
    REQUIRE(good_.size() > sizeof(SidecarHeader));
  }

  [[nodiscard]] const std::string& good() const { return good_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "101.idx"; }
  std::size_t Below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }

  // Flips one bit at least.
  void FlipByte(std::string* bytes, std::size_t at) {
    (*bytes)[at] = static_cast<char>((*bytes)[at] ^ static_cast<char>(Below(255) + 1));
  }

  absl::StatusOr<std::unique_ptr<Sidecar>> Open(const std::string& bytes) const {
    std::filesystem::remove(path());  // the old one may be mapped
    std::ofstream(path(), std::ios::binary) << bytes;
    return Sidecar::Open(path());
  }
  absl::Status OpenAndVerify(const std::string& bytes) const {
    const auto sidecar = Open(bytes);
    return sidecar.ok() ? (*sidecar)->VerifyAll() : sidecar.status();
  }

 private:
  static testing::SegmentShape Shape() {
    return {.first_position = 101, .events = 999, .streams = 60, .types = 300, .lost = 0.05};
  }

  std::uint64_t seed_;
  std::mt19937_64 random_;
  TempFolder folder_;
  ModelSegment segment_;
  std::string good_;
};

SidecarHeader HeaderOf(const std::string& bytes) {
  SidecarHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  return header;
}

void PutHeader(SidecarHeader header, std::string* bytes) {
  header.header_hash = HashOf(header);
  std::memcpy(bytes->data(), &header, sizeof(header));
}

// Makes all hashes fit the bytes again, as someone would who wants to be believed.
void Forge(std::string* bytes) {
  SidecarHeader header = HeaderOf(*bytes);
  for (SidecarSectionEntry& entry : header.sections) {
    entry.hash = Hash64(AsBytes(std::string_view(*bytes).substr(entry.offset, entry.bytes)));
  }
  PutHeader(header, bytes);
}

TEST_CASE("every flipped byte of a sidecar's header is noticed when it is opened") {
  Damaging damaging;
  INFO("seed " << damaging.seed());
  for (std::size_t at = 0; at < sizeof(SidecarHeader); ++at) {
    std::string bytes = damaging.good();
    damaging.FlipByte(&bytes, at);
    INFO("byte " << at);
    const absl::Status status = damaging.Open(bytes).status();
    const bool other_format =
        at >= offsetof(SidecarHeader, format) && at < offsetof(SidecarHeader, header_bytes);
    CHECK(status.code() ==
          (other_format ? absl::StatusCode::kFailedPrecondition : absl::StatusCode::kDataLoss));
  }
}

TEST_CASE("a flipped byte anywhere in a sidecar is noticed when it is verified") {
  Damaging damaging;
  INFO("seed " << damaging.seed());
  REQUIRE_OK(damaging.OpenAndVerify(damaging.good()));
  for (int i = 0; i < 1500; ++i) {
    const std::size_t at = damaging.Below(damaging.good().size());
    std::string bytes = damaging.good();
    damaging.FlipByte(&bytes, at);
    INFO("byte " << at);
    REQUIRE_FALSE(damaging.OpenAndVerify(bytes).ok());
  }
}

TEST_CASE("damage in a section is kDataLoss that names file, offset and positions") {
  Damaging damaging;
  const SidecarHeader header = HeaderOf(damaging.good());
  for (const SidecarSectionEntry& entry : header.sections) {
    REQUIRE(entry.bytes > 0);
    std::string bytes = damaging.good();
    damaging.FlipByte(&bytes, entry.offset + damaging.Below(entry.bytes));
    const absl::Status status = damaging.OpenAndVerify(bytes);
    CHECK(absl::IsDataLoss(status));
    const std::optional<Damage> damage = DamageOf(status);
    REQUIRE(damage.has_value());
    CHECK(std::filesystem::path(damage->file).filename() == "101.idx");
    CHECK(damage->offset == entry.offset);
    CHECK(damage->first_position == Position(101));
    CHECK(damage->last_position == Position(101 + 999 - 1));
  }
}

TEST_CASE("a sidecar that was cut off or has grown is noticed when it is opened") {
  Damaging damaging;
  INFO("seed " << damaging.seed());
  for (int i = 0; i < 200; ++i) {
    const std::size_t size =
        i < 20 ? static_cast<std::size_t>(i) : damaging.Below(damaging.good().size());
    REQUIRE(absl::IsDataLoss(damaging.Open(damaging.good().substr(0, size)).status()));
  }
  CHECK(absl::IsDataLoss(damaging.Open(damaging.good() + std::string(8, '\0')).status()));
}

TEST_CASE("a sidecar of a newer format is no damage") {
  Damaging damaging;
  std::string bytes = damaging.good();
  SidecarHeader header = HeaderOf(bytes);
  ++header.format;
  PutHeader(header, &bytes);
  CHECK(absl::IsFailedPrecondition(damaging.Open(bytes).status()));
}

TEST_CASE("sections that point elsewhere are refused though the header's hash is good") {
  Damaging damaging;
  INFO("seed " << damaging.seed());
  for (std::size_t i = 0; i < kSidecarSections; ++i) {
    for (const std::uint64_t change : {8ULL, 0xFFFFFFFFFFFFFFF8ULL, 1ULL << 63, 1ULL}) {
      std::string bytes = damaging.good();
      SidecarHeader header = HeaderOf(bytes);
      header.sections[i].offset += change;
      PutHeader(header, &bytes);
      REQUIRE_FALSE(damaging.Open(bytes).ok());
      header = HeaderOf(damaging.good());
      header.sections[i].bytes += change;
      PutHeader(header, &bytes);
      REQUIRE_FALSE(damaging.Open(bytes).ok());
    }
  }
}

// Every answer, so that a sanitizer sees any access out of bounds.
void AskEverything(const Sidecar& sidecar, const std::vector<ModelEvent>& events) {
  std::vector<std::uint32_t> locals;
  const auto in_range = [&] {
    return std::all_of(locals.begin(), locals.end(),
                       [&](std::uint32_t l) { return l < sidecar.count(); });
  };
  bool good = true;
  std::size_t terms = 0;
  for (const ModelEvent& event : events) {
    terms += sidecar.FindType(event.type) ? 1 : 0;
    terms += sidecar.FindCategory(CategoryOf(event.stream)) ? 1 : 0;
    sidecar.FindHead(event.stream_hash, &locals);
    good = good && in_range();
    sidecar.FindId(IdHash(event.stream_hash, event.id), UINT64_MAX, &locals);
    good = good && in_range();
    for (const std::string& tag : event.tags) {
      sidecar.FindTag(TagHash(tag), UINT64_MAX, &locals);
      good = good && in_range();
    }
  }
  sidecar.AllHeads(&locals);
  good = good && in_range();
  std::uint64_t sum = 0;
  for (std::uint64_t i = 0; i < sidecar.count(); ++i) {
    sum += sidecar.types().At(i) + sidecar.categories().At(i);
    good = good && sidecar.links()[i].prev < sidecar.first_position() + i;
  }
  CHECK(good);
  CHECK(sum + terms > 0);
}

TEST_CASE("a sidecar with forged hashes is refused, or answers within its bounds") {
  Damaging damaging;
  INFO("seed " << damaging.seed());
  const ModelSegment asked(
      {.first_position = 101, .events = 999, .streams = 60, .types = 300, .lost = 0.05},
      damaging.seed());
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    std::string bytes = damaging.good();
    const SidecarHeader header = HeaderOf(bytes);
    const SidecarSectionEntry& entry = header.sections[damaging.Below(kSidecarSections)];
    for (std::size_t flips = damaging.Below(3) + 1; flips > 0; --flips) {
      damaging.FlipByte(&bytes, entry.offset + damaging.Below(entry.bytes));
    }
    Forge(&bytes);
    const auto sidecar = damaging.Open(bytes);
    if (!sidecar.ok() || !(*sidecar)->VerifyAll().ok()) {
      ++refused;
    } else if (i % 8 == 0) {
      AskEverything(**sidecar, asked.events());
    }
  }
  CHECK(refused > 300);
}

}  // namespace
}  // namespace daybook
