// Makes the fuzzers' first inputs out of a small store: make_seeds FOLDER. Nothing of them is
// checked in.

#include <filesystem>
#include <fstream>
#include <iostream>
#include <string>

#include "daybook/store.h"
#include "log/format.h"
#include "log/frame.h"
#include "log/segment.h"
#include "store/store_file.h"
#include "tests/corruption/store_tree.h"
#include "tests/temp_folder.h"

namespace daybook::fuzzing {
namespace {

namespace fs = std::filesystem;

void Write(const fs::path& folder, const std::string& name, const std::string& bytes) {
  fs::create_directories(folder);
  std::ofstream(folder / name, std::ios::binary) << bytes;
}

// The frames of a segment without the zeros around them.
std::string ShortSegment(const std::string& bytes, std::size_t frames_max) {
  const std::size_t end = bytes.find_last_not_of('\0');
  if (end < kSegmentHeaderBytes) return bytes.substr(0, sizeof(SegmentHeader));
  const std::size_t length =
      std::min<std::size_t>(RoundUp(end + 1, kFrameAlignment) - kSegmentHeaderBytes, frames_max);
  return bytes.substr(0, sizeof(SegmentHeader)) + bytes.substr(kSegmentHeaderBytes, length);
}

int WriteBodies(const fs::path& store, const std::string& name, const fs::path& folder) {
  const auto header = ReadStoreFile(store);
  if (!header.ok()) return 0;
  const auto log = LogSegment::Open(store, FirstPositionOf(fs::path(name).filename().string()),
                                    IdentityOf(*header));
  if (!log.ok()) return 0;
  FrameScanner scanner((*log)->bytes(), (*log)->header());
  std::int64_t recorded_at = INT64_MIN;
  int bodies = 0;
  while (scanner.Next() == FrameScanner::Result::kFrame) {
    static_cast<void>(
        WalkFrame(**log, scanner.frame(), &recorded_at,
                  [&](std::uint64_t offset, const RecordHeader& record, const EventView&) {
                    const auto body =
                        (*log)->bytes().subspan(offset + sizeof(RecordHeader), record.body_length);
                    Write(folder, "body-" + std::to_string(bodies++), std::string(AsText(body)));
                  }));
  }
  return bodies;
}

void WriteTexts(const fs::path& folder) {
  Write(folder, "ndjson",
        std::string("\0\7", 2) +
            "{\"stream\":\"account-1\",\"type\":\"Opened\",\"data\":{\"a\":[1,2.5e3,\"\\u00e9\"]},"
            "\"tags\":[\"k:v\",\"b\"],\"metadata\":{\"actor\":\"ada\"},"
            "\"time\":\"2024-02-29T12:00:00Z\"}\r\n\n"
            "{\"stream\":\"s\",\"type\":\"T\",\"data_base64\":\"aGVsbG8=\",\"id\":"
            "\"0190b2c4-8f00-7000-8000-000000000001\",\"content_type\":\"text/plain\"}\n");
  Write(folder, "csv",
        "\1\3stream,type,time,data,tags\r\ns-1,Made,2024-01-01T00:00:00Z,\"{\"\"a\"\":1}\",\"[]\"\n"
        "\"s,2\",\"T\nT\",,,\n");
  Write(folder, "csv-columns", "\1\1stream,type,amount,note\na,B,12,\"x \"\"y\"\"\"\n");
}

absl::Status MakeAll(const fs::path& folder) {
  const testing::TempFolder scratch;
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  {
    auto store = Store::Open(scratch / "store", options);
    if (!store.ok()) return store.status();
    const absl::Status filled = testing::FillSmallStore(**store, {.events = 60, .data_bytes = 90});
    if (!filled.ok()) return filled;
    const absl::Status indexed = (*store)->WaitIndexed();
    if (!indexed.ok()) return indexed;
  }
  int bodies = 0;
  for (const auto& [name, bytes] : testing::ReadTree(scratch / "store")) {
    const std::string file = fs::path(name).filename().string();
    if (name == "STORE") Write(folder / "store_file", file, std::string(1, '\0') + bytes);
    if (name == "WAKE") Write(folder / "store_file", file, std::string(1, '\1') + bytes);
    if (name == "index/data.mdb") Write(folder / "lmdb", file, bytes);
    if (name.ends_with(".idx")) Write(folder / "sidecar", file, bytes);
    if (!testing::IsLogFile(name)) continue;
    for (const std::size_t frames_max : {1024U, 4096U, 65536U}) {
      Write(folder / "segment", file + "-" + std::to_string(frames_max),
            ShortSegment(bytes, frames_max));
    }
    if (bodies == 0) bodies = WriteBodies(scratch / "store", name, folder / "event_body");
  }
  WriteTexts(folder / "import");
  return bodies > 0 ? absl::OkStatus() : absl::InternalError("no bodies");
}

}  // namespace
}  // namespace daybook::fuzzing

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const absl::Status made = daybook::fuzzing::MakeAll(argv[1]);
  if (!made.ok()) std::cerr << made << "\n";
  return made.ok() ? 0 : 1;
}
