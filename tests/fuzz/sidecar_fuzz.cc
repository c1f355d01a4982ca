// A sidecar: what passes its checks answers every question within its bounds.

#include <algorithm>
#include <string>
#include <vector>

#include "base/checksum.h"
#include "index/sidecar.h"
#include "index/sidecar_format.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {
namespace {

constexpr std::size_t kBytesMax = std::size_t{16} << 10;

// Makes the header's sums and the hashes right, so that the content is looked at.
void Mend(std::uint8_t* data, std::size_t size, Choices& choices) {
  if (size < sizeof(SidecarHeader)) return;
  SidecarHeader header;
  std::memcpy(&header, data, sizeof header);
  const auto wrong = [&] { return choices.OneIn(60); };
  header.magic = kSidecarMagic;
  header.format = kSidecarFormat;
  header.header_bytes = sizeof header;
  if (!wrong()) header.file_bytes = size;
  std::uint64_t offset = sizeof header;
  for (std::size_t i = 0; i < kSidecarSections; ++i) {
    SidecarSectionEntry& entry = header.sections[i];
    if (!wrong()) entry.offset = offset;
    const std::uint64_t room = size - std::min<std::uint64_t>(size, offset);
    if (entry.bytes > room) entry.bytes = room / 8 * 8;
    if (i + 1 == kSidecarSections && !wrong()) entry.bytes = room;
    if (!wrong()) {
      entry.hash = Hash64(std::as_bytes(std::span(data + (size - room), entry.bytes)));
    }
    offset += entry.bytes;
  }
  if (!wrong()) header.header_hash = HashOf(header);
  std::memcpy(data, &header, sizeof header);
}

void CheckLocals(const std::vector<std::uint32_t>& locals, std::uint64_t events) {
  for (const std::uint32_t local : locals) DAYBOOK_FUZZ_CHECK(local < events);
}

void AskAll(const Sidecar& sidecar) {
  const std::uint64_t events = sidecar.count();
  std::vector<std::uint32_t> locals;
  sidecar.AllHeads(&locals);
  CheckLocals(locals, events);
  for (const std::string_view name : {"Type0", "Type1", "account", "order", "", "zzz"}) {
    if (const auto term = sidecar.FindType(name)) DAYBOOK_FUZZ_CHECK(term->events <= events);
    if (const auto term = sidecar.FindCategory(name)) DAYBOOK_FUZZ_CHECK(term->events <= events);
    const std::uint64_t hash = Hash64(AsBytes(name));
    sidecar.FindTag(hash, events, &locals);
    CheckLocals(locals, events);
    sidecar.FindId(hash, events, &locals);
    CheckLocals(locals, events);
    sidecar.FindHead(hash, &locals);
    CheckLocals(locals, events);
  }
  for (std::uint64_t i = 0; i < events; ++i) {
    const Link& link = sidecar.links()[i];
    const std::uint64_t position = sidecar.first_position() + i;
    DAYBOOK_FUZZ_CHECK(link.prev < position && link.skip <= link.prev);
    static_cast<void>(sidecar.types().At(i));
    static_cast<void>(sidecar.categories().At(i));
  }
}

}  // namespace
}  // namespace daybook::fuzzing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace daybook::fuzzing;
  Choices choices(seed);
  if (choices.OneIn(2) && size >= 16) {  // in place: most sizes must stay as they are
    const std::size_t at = choices.Below(size / 8) * 8;
    LLVMFuzzerMutate(data + at, 8, 8);
  } else {
    size = LLVMFuzzerMutate(data, size, std::min(max_size, kBytesMax));
  }
  if (!choices.OneIn(16)) Mend(data, size, choices);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook;
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  const std::filesystem::path path = Folder() / "sidecar.idx";
  WriteFile(path, {data, size});
  const auto sidecar = Sidecar::Open(path);
  if (!sidecar.ok() || !(*sidecar)->VerifyAll().ok()) return 0;
  Tally::Get().Accepted();
  AskAll(**sidecar);
  return 0;
}
