#include "micro/log_fixture.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <system_error>

#include "base/check.h"
#include "daybook/store.h"
#include "log/format.h"

namespace daybook::bench {
namespace {

constexpr std::uint64_t kEventsPerCommit = 100;

StoreIdentity IdentityOf(const std::filesystem::path& store) {
  StoreHeader header{};
  std::ifstream file(store / "STORE", std::ios::binary);
  DAYBOOK_CHECK(file.read(reinterpret_cast<char*>(&header), sizeof(header)).good());
  return {.store_id = header.store_id, .incarnation = header.incarnation};
}

}  // namespace

std::string FixtureStream(std::uint64_t number) { return "account-" + std::to_string(number); }

LogFixture::LogFixture() {
  std::string name = (std::filesystem::temp_directory_path() / "daybook_micro.XXXXXX").string();
  DAYBOOK_CHECK(mkdtemp(name.data()) != nullptr);
  directory_ = std::filesystem::path(name) / "store";
  Write();
  OpenSegments();
}

LogFixture::~LogFixture() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_.parent_path(), ignored);
}

void LogFixture::Write() const {
  auto store = Store::Open(directory_, {.durability = Durability::kBuffered,
                                        .segment_bytes_max = std::uint64_t{8} << 20});
  DAYBOOK_CHECK(store.ok());
  std::string payload = R"({"amount_cents":500,"memo":")";
  payload.append(256 - payload.size() - 2, 'x').append("\"}");
  Commit commit;
  for (std::uint64_t i = 0; i < kFixtureEvents; ++i) {
    const std::uint64_t stream = i % 2 == 0 ? 0 : i / 2 % kFixtureStreams + 1;
    DAYBOOK_CHECK(commit
                      .Add(FixtureStream(stream), {.type = i % 8 == 0 ? "Withdrawn" : "Deposited",
                                                   .data = AsBytes(payload)})
                      .ok());
    if (commit.events() < kEventsPerCommit) continue;
    DAYBOOK_CHECK((*store)->Append(commit).ok());
    commit.Clear();
  }
  DAYBOOK_CHECK((*store)->WaitIndexed().ok());
}

void LogFixture::OpenSegments() {
  const StoreIdentity identity = IdentityOf(directory_);
  std::vector<std::uint64_t> firsts;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ / "log")) {
    const std::uint64_t first = FirstPositionOf(entry.path().filename().string());
    if (first != 0) firsts.push_back(first);
  }
  std::sort(firsts.begin(), firsts.end());
  for (const std::uint64_t first : firsts) {
    auto log = LogSegment::Open(directory_, first, identity);
    DAYBOOK_CHECK(log.ok());
    auto sidecar = Sidecar::Open(directory_ / "log" / SidecarFileName(first));
    if (!sidecar.ok()) break;  // the active one
    DAYBOOK_CHECK((*sidecar)->VerifyAll().ok());
    sidecars_.push_back(*std::move(sidecar));
    segments_.push_back(std::make_shared<Segment>(*std::move(log), sidecars_.back()));
    const std::uint64_t end = first + sidecars_.back()->count();
    last_of_long_stream_ = (end - 1) % 2 == 1 ? end - 1 : end - 2;  // it has the odd positions
  }
  DAYBOOK_CHECK(segments_.size() >= 2);
}

const LogFixture& SharedLog() {
  static const LogFixture log;
  return log;
}

}  // namespace daybook::bench
