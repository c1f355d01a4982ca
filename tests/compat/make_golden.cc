// Makes the golden store of a format version: make_golden FOLDER writes FOLDER/store and
// FOLDER/events.txt. Run once for each version that is released, and committed; never run again for
// an old one.

#include <fstream>
#include <iostream>
#include <string>

#include "compat/describe.h"
#include "daybook/store.h"

namespace daybook::testing {
namespace {

EventId Id(unsigned number) {
  EventId::Bytes bytes{0x01, 0x97, 0xa5, 0xc0, 0x20, 0x00, 0x70, 0x00, 0x80};
  bytes[14] = static_cast<std::uint8_t>(number >> 8);
  bytes[15] = static_cast<std::uint8_t>(number);
  return EventId(bytes);
}

absl::Status AppendAll(Store* store) {
  constexpr std::int64_t kDay = std::int64_t{86400} * 1'000'000'000;
  const std::string binary("\0\1\2\xff", 4);
  const std::string long_text(700, 'x');
  for (unsigned i = 1; i <= 90; ++i) {
    Commit commit;
    const std::string json = "{\"amount_cents\":" + std::to_string(i * 25) + ",\"text\":\"" +
                             (i % 7 == 0 ? long_text : "é") + "\"}";
    NewEvent event{.type = "Amount Moved", .data = AsBytes(json), .id = Id(2 * i)};
    if (i % 2 == 0) event.metadata = R"({"actor":"auditor","correlation":"c-1"})";
    if (i % 3 == 0) event.tags = {"customer:7", "über", "bank:1"};
    if (i % 5 == 0) event.effective_at = Timestamp(kDay * i);
    if (absl::Status s = commit.Add("account-" + std::to_string(i % 4), event); !s.ok()) return s;
    NewEvent other{.type = "Blob", .data = AsBytes(binary), .id = Id(2 * i + 1)};
    other.content_type = static_cast<ContentType>(i % 4 == 1 ? 0 : i % 4);
    if (i % 11 == 0) {
      other.content_type = ContentType::kText;
      other.content_type_text = "image/png";
    }
    if (i % 13 == 0) other.data = {};
    if (i % 2 == 1) {
      if (absl::Status s = commit.Add("blobs", other); !s.ok()) return s;
    }
    if (auto result = store->Append(commit); !result.ok()) return result.status();
  }
  return absl::OkStatus();
}

int Run(const std::string& folder) {
  std::int64_t now = 1'767'258'000'000'000'000;  // 2026-01-01T09:00:00Z
  StoreOptions options;
  options.create = StoreOptions::Create::kMustNotExist;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  options.clock = [&now] { return Timestamp(now += 1'000'000'000); };
  auto store = Store::Open(folder + "/store", options);
  absl::Status status = store.status();
  if (status.ok()) status = AppendAll(store->get());
  if (status.ok()) status = (*store)->WaitIndexed();
  if (status.ok()) {
    const auto text = Describe(**store);
    status = text.status();
    if (status.ok()) std::ofstream(folder + "/events.txt") << *text;
  }
  if (!status.ok()) std::cerr << status.ToString() << "\n";
  return status.ok() ? 0 : 1;
}

}  // namespace
}  // namespace daybook::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_golden FOLDER\n";
    return 1;
  }
  return daybook::testing::Run(argv[1]);
}
