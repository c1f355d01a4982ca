// STORE and WAKE: the first byte says which. What is believed is whole, and written again it is
// the same bytes.

#include <algorithm>
#include <span>

#include "base/checksum.h"
#include "io/wake_page.h"
#include "log/format.h"
#include "store/store_file.h"
#include "tests/fuzz/fuzz_support.h"

namespace daybook::fuzzing {
namespace {

void TryStore(std::span<const std::uint8_t> bytes) {
  WriteFile(Folder() / "STORE", bytes);
  const auto header = ReadStoreFile(Folder().path());
  if (!header.ok()) {
    DAYBOOK_FUZZ_CHECK(absl::IsDataLoss(header.status()) ||
                       absl::IsFailedPrecondition(header.status()));
    return;
  }
  Tally::Get().Accepted();
  DAYBOOK_FUZZ_CHECK(bytes.size() == sizeof(StoreHeader) &&
                     std::memcmp(&*header, bytes.data(), bytes.size()) == 0);
  DAYBOOK_FUZZ_CHECK(header->header_hash == HashOf(*header));
  DAYBOOK_FUZZ_CHECK(UuidText(header->store_id).size() == 36);
}

void TryWake(std::span<const std::uint8_t> bytes) {
  WriteFile(Folder() / "WAKE", bytes);
  const auto wake = WakeReader::Open(Folder() / "WAKE");
  DAYBOOK_FUZZ_CHECK(wake.ok() == (bytes.size() >= kWakePageBytes));
  if (!wake.ok()) return;
  const auto state = wake->Load();
  if (!state) return;
  Tally::Get().Accepted();
  std::uint64_t hash = 0;
  std::memcpy(&hash, bytes.data() + 48, 8);
  DAYBOOK_FUZZ_CHECK(Hash64(std::as_bytes(bytes.subspan(16, 32))) == hash);
  std::uint64_t position = 0;
  std::memcpy(&position, bytes.data() + 40, 8);
  DAYBOOK_FUZZ_CHECK(state->position.value() == position);
  // A writer takes the file over, whatever it holds.
  auto writer = WakeWriter::Create(Folder() / "WAKE", {9}, 7, Position(3));
  DAYBOOK_FUZZ_CHECK(writer.ok());
  writer->Publish(Position(4));
  const auto after = wake->Load();
  DAYBOOK_FUZZ_CHECK(after && after->position == Position(4) && after->run_id == 7);
}

void Mend(std::uint8_t* data, std::size_t size) {
  if (data[0] % 2 == 0 && size > sizeof(StoreHeader)) {
    StoreHeader header;
    std::memcpy(&header, data + 1, sizeof header);
    header.magic = kStoreMagic;
    header.format_major = kFormatMajor;
    header.header_hash = HashOf(header);
    std::memcpy(data + 1, &header, sizeof header);
  } else if (data[0] % 2 == 1 && size > kWakePageBytes) {
    const std::uint64_t hash = Hash64(std::as_bytes(std::span(data + 1 + 16, 32)));
    std::memcpy(data + 1 + 48, &hash, 8);
  }
}

}  // namespace
}  // namespace daybook::fuzzing

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  using namespace daybook::fuzzing;
  Choices choices(seed);
  if (size > 128 && !choices.OneIn(4)) {  // the size as it is
    LLVMFuzzerMutate(data + 1 + choices.Below(64), 16, 16);
  } else {
    size = LLVMFuzzerMutate(data, size, max_size);
  }
  if (size > 0 && !choices.OneIn(8)) Mend(data, size);
  return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace daybook::fuzzing;
  Tally::Get().Input();
  if (size == 0) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  data[0] % 2 == 0 ? TryStore(bytes) : TryWake(bytes);
  return 0;
}
