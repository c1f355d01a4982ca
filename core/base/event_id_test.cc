#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/thread.h"
#include "daybook/values.h"
#include "tests/catch.h"

namespace daybook {
namespace {

std::uint64_t MillisecondsOf(const EventId& id) {
  std::uint64_t milliseconds = 0;
  for (std::size_t i = 0; i < 6; ++i) milliseconds = milliseconds << 8 | id.bytes()[i];
  return milliseconds;
}

std::uint64_t MillisecondsNow() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

TEST_CASE("an id is written as 36 characters in lower case and read in either case") {
  const EventId id(EventId::Bytes{0x01, 0x90, 0x16, 0x3D, 0x86, 0x94, 0x73, 0x9B, 0xAE, 0xA5, 0x96,
                                  0x6C, 0x26, 0xF8, 0xAD, 0x91});
  CHECK(id.ToString() == "0190163d-8694-739b-aea5-966c26f8ad91");
  for (const char* text :
       {"0190163d-8694-739b-aea5-966c26f8ad91", "0190163D-8694-739B-AEA5-966C26F8AD91"}) {
    const auto parsed = EventId::Parse(text);
    REQUIRE_OK(parsed);
    CHECK(*parsed == id);
  }
  CHECK(EventId().ToString() == "00000000-0000-0000-0000-000000000000");
  CHECK(EventId::Parse("00000000-0000-0000-0000-000000000000")->is_nil());
}

TEST_CASE("anything but the 36-character form is kInvalidArgument") {
  const std::string good = "0190163d-8694-739b-aea5-966c26f8ad91";
  for (const std::string& text :
       {std::string(), good + "0", good.substr(1), "{" + good + "}",
        std::string("0190163d8694739baea5966c26f8ad91"), "urn:uuid:" + good}) {
    INFO(text);
    CHECK(EventId::Parse(text).status().code() == absl::StatusCode::kInvalidArgument);
  }
  // Each single character matters.
  for (std::size_t i = 0; i < good.size(); ++i) {
    for (const char wrong : {'g', 'G', ' ', '/', ':', '@', '`', '\0', '\x80', '\xFF'}) {
      std::string text = good;
      text[i] = wrong;
      INFO(i << " " << static_cast<int>(wrong));
      CHECK_FALSE(EventId::Parse(text).ok());
    }
    std::string text = good;
    text[i] = text[i] == '-' ? '0' : '-';
    INFO(i);
    CHECK_FALSE(EventId::Parse(text).ok());
  }
}

TEST_CASE("a new id is a UUIDv7 of now") {
  const std::uint64_t before = MillisecondsNow();
  const EventId id = EventId::NewV7();
  const std::uint64_t after = MillisecondsNow();
  CHECK(MillisecondsOf(id) >= before);
  CHECK(MillisecondsOf(id) <= after);
  CHECK(id.ToString()[14] == '7');
  CHECK((id.bytes()[8] & 0xC0) == 0x80);
  const auto parsed = EventId::Parse(id.ToString());
  REQUIRE_OK(parsed);
  CHECK(*parsed == id);
}

TEST_CASE("new ids increase, faster than the clock ticks") {
  EventId last = EventId::NewV7();
  for (int i = 0; i < 100'000; ++i) {
    const EventId id = EventId::NewV7();
    if (!(last < id)) FAIL(last.ToString() << " then " << id.ToString());
    last = id;
  }
}

TEST_CASE("every random bit takes both values, and no two ids share them") {
  EventId::Bytes ones{}, zeros{};
  std::set<std::string> tails;
  for (int i = 0; i < 1000; ++i) {
    const EventId id = EventId::NewV7();
    for (std::size_t b = 8; b < 16; ++b) {
      ones[b] = static_cast<std::uint8_t>(ones[b] | id.bytes()[b]);
      zeros[b] = static_cast<std::uint8_t>(zeros[b] | ~id.bytes()[b]);
    }
    tails.insert(id.ToString().substr(19));
  }
  CHECK(tails.size() == 1000);
  CHECK((ones[8] & zeros[8]) == 0x3F);  // but the two bits of the variant
  for (std::size_t b = 9; b < 16; ++b) CHECK((ones[b] & zeros[b]) == 0xFF);
}

TEST_CASE("ids of several threads are all different, and increase in each and across them") {
  constexpr std::size_t kThreads = 4, kIds = 20'000;
  std::vector<std::vector<EventId>> ids(kThreads);
  std::vector<std::unique_ptr<Thread>> threads;
  for (std::vector<EventId>& mine : ids) {
    threads.push_back(std::make_unique<Thread>("ids", [&mine] {
      for (std::size_t i = 0; i < kIds; ++i) mine.push_back(EventId::NewV7());
    }));
  }
  threads.clear();
  const EventId after = EventId::NewV7();
  std::vector<EventId> all;
  for (const std::vector<EventId>& mine : ids) {
    CHECK(std::is_sorted(mine.begin(), mine.end()));
    CHECK(mine.back() < after);
    all.insert(all.end(), mine.begin(), mine.end());
  }
  std::sort(all.begin(), all.end());
  // Not even the part that tells the time is shared: that is what makes them increase.
  CHECK(std::adjacent_find(all.begin(), all.end(), [](const EventId& a, const EventId& b) {
          return std::equal(a.bytes().begin(), a.bytes().begin() + 8, b.bytes().begin());
        }) == all.end());
}

TEST_CASE("after a fork, parent and child draw other random numbers") {
  EventId::NewV7();  // the generator has numbers in store
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const EventId id = EventId::NewV7();
    const bool written = write(ends[1], id.bytes().data(), 16) == 16;
    _exit(written ? 0 : 1);
  }
  const EventId mine = EventId::NewV7();
  close(ends[1]);
  EventId::Bytes theirs{};
  CHECK(read(ends[0], theirs.data(), theirs.size()) == 16);
  close(ends[0]);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  CHECK_FALSE(std::equal(theirs.begin() + 8, theirs.end(), mine.bytes().begin() + 8));
}

}  // namespace
}  // namespace daybook
