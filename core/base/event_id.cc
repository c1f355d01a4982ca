// EventId: UUIDs of RFC 9562.

#include <sys/random.h>
#include <time.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/check.h"
#include "base/thread.h"
#include "daybook/values.h"

namespace daybook {
namespace {

constexpr std::size_t kTextSize = 36;

// Where the first digit of each byte stands: "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
constexpr std::array<std::uint8_t, 16> kDigitsAt = {0,  2,  4,  6,  9,  11, 14, 16,
                                                    19, 21, 24, 26, 28, 30, 32, 34};
constexpr std::array<std::uint8_t, 4> kHyphensAt = {8, 13, 18, 23};

constexpr std::array<std::int8_t, 256> kHexValues = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::uint8_t i = 0; i < 10; ++i) values[std::size_t{'0'} + i] = static_cast<std::int8_t>(i);
  for (std::uint8_t i = 0; i < 6; ++i) {
    values[std::size_t{'a'} + i] = static_cast<std::int8_t>(10 + i);
    values[std::size_t{'A'} + i] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}();

// The two digits of each byte.
constexpr std::array<char, 512> kHexDigits = [] {
  std::array<char, 512> digits{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    digits[2 * byte] = "0123456789abcdef"[byte >> 4];
    digits[2 * byte + 1] = "0123456789abcdef"[byte & 15];
  }
  return digits;
}();

int HexValue(char digit) { return kHexValues[static_cast<std::uint8_t>(digit)]; }

// Random numbers of the kernel, fetched many at a time: unpredictable, and a few nanoseconds each.
class RandomWords {
 public:
  std::uint64_t Next() {
    // A forked child has a copy of what the parent will use.
    if (next_ == words_.size() || fork_generation_ != ForkGeneration()) Fill();
    return words_[next_++];
  }

 private:
  void Fill() {
    fork_generation_ = ForkGeneration();
    std::size_t filled = 0;
    while (filled < sizeof words_) {
      const ssize_t got = getrandom(reinterpret_cast<std::byte*>(words_.data()) + filled,
                                    sizeof words_ - filled, 0);
      // Nothing else can fail: the address is good and Linux has had the call since 3.17.
      DAYBOOK_CHECK(got > 0 || errno == EINTR);
      if (got > 0) filled += static_cast<std::size_t>(got);
    }
    next_ = 0;
  }

  std::array<std::uint64_t, 128> words_;
  std::size_t next_ = words_.size();
  std::uint64_t fork_generation_ = 0;
};

// Milliseconds since 1970 in the upper 52 bits and 1/4096 of one in the lower 12 (RFC 9562, 6.2,
// method 3): now, or one more than what any thread got last. More than four ids a microsecond run
// ahead of the clock, which catches up.
std::uint64_t NextTick() {
  static std::atomic<std::uint64_t> last{0};
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  const std::uint64_t clock = (static_cast<std::uint64_t>(time.tv_sec) * 1000 << 12) +
                              (static_cast<std::uint64_t>(time.tv_nsec) << 12) / 1'000'000;
  std::uint64_t seen = last.load(std::memory_order_relaxed);
  std::uint64_t tick;
  do {
    tick = clock > seen ? clock : seen + 1;
  } while (!last.compare_exchange_weak(seen, tick, std::memory_order_relaxed));
  return tick;
}

void PutBigEndian(std::uint8_t* at, std::uint64_t word) {
  const std::uint64_t swapped = __builtin_bswap64(word);
  std::memcpy(at, &swapped, sizeof swapped);
}

}  // namespace

EventId EventId::NewV7() {
  thread_local RandomWords random;
  const std::uint64_t tick = NextTick();
  EventId id;
  PutBigEndian(&id.bytes_[0], (tick >> 12) << 16 | 0x7000 | (tick & 0xFFF));
  PutBigEndian(&id.bytes_[8], (random.Next() >> 2) | std::uint64_t{1} << 63);
  return id;
}

absl::StatusOr<EventId> EventId::Parse(std::string_view text) {
  constexpr const char* kError =
      "event id: not a UUID of the form 0190163d-8694-739b-aea5-966c26f8ad91";
  if (text.size() != kTextSize) return absl::InvalidArgumentError(kError);
  for (const std::size_t at : kHyphensAt) {
    if (text[at] != '-') return absl::InvalidArgumentError(kError);
  }
  EventId id;
  int wrong = 0;  // negative once a digit was
  for (std::size_t i = 0; i < kDigitsAt.size(); ++i) {
    const int high = HexValue(text[kDigitsAt[i]]), low = HexValue(text[kDigitsAt[i] + 1u]);
    wrong |= high | low;
    id.bytes_[i] = static_cast<std::uint8_t>((high << 4 | low) & 0xFF);
  }
  if (wrong < 0) return absl::InvalidArgumentError(kError);
  return id;
}

std::string EventId::ToString() const {
  std::string text(kTextSize, '-');
  for (std::size_t i = 0; i < kDigitsAt.size(); ++i) {
    std::memcpy(&text[kDigitsAt[i]], &kHexDigits[std::size_t{2} * bytes_[i]], 2);
  }
  return text;
}

}  // namespace daybook
