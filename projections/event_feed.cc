#include "projections/event_feed.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/checksum.h"
#include "base/seeded_bug.h"
#include "base/status.h"
#include "projections/event_filter.h"

namespace daybook {
namespace {

// Positions. Chunks are to be in the cache of the processor still when they are handled; where a
// filter passes over most events there is not much in one.
constexpr std::uint64_t kChunk = 4096, kFilteredChunk = 32768;

constexpr std::size_t kKeyBlockBytes = std::size_t{64} << 10;

unsigned ThreadOf(std::string_view key, unsigned threads) {
  return threads == 1 ? 0 : static_cast<unsigned>((Hash64(AsBytes(key)) >> 32) * threads >> 32);
}

}  // namespace

struct EventFeed::Chunk {
  std::uint64_t number = 0;
  // Guarded by the feed's mutex; the rest belongs to who decodes it, and then to all, for reading.
  bool ready = false;
  unsigned left = 0;  // threads that are not done with it

  std::vector<Cursor> cursors;  // what the views of the events live on
  std::vector<Batch> batches;   // of each thread
  std::vector<std::unique_ptr<char[]>> keys;
  std::size_t key_bytes_left = 0;  // in the last of them

  std::string_view Keep(std::string_view key) {
    if (key.size() > key_bytes_left) {
      key_bytes_left = std::max(key.size(), kKeyBlockBytes);
      keys.emplace_back(new char[key_bytes_left]);
      key_block_end = keys.back().get() + key_bytes_left;
    }
    char* const begin = key_block_end - key_bytes_left;
    std::copy(key.begin(), key.end(), begin);
    key_bytes_left -= key.size();
    return {begin, key.size()};
  }
  void ForgetKeys() {
    keys.clear();
    key_bytes_left = 0;
  }
  char* key_block_end = nullptr;
};

EventFeed::EventFeed(const Reader& reader, const Projection& projection, const SkipSet& skips,
                     Position after, Position to, unsigned threads)
    : reader_(reader),
      projection_(projection),
      skips_(skips),
      after_(after),
      to_(to),
      threads_(threads),
      chunk_(IsFiltered(projection.filter) ? kFilteredChunk : kChunk),
      system_streams_(SeesSystemStreams(projection.filter)),
      ring_(std::size_t{2} * threads + 1),
      next_(threads) {
  for (Chunk& chunk : ring_) chunk.batches.resize(threads);
  held_.resize(threads);
}

EventFeed::~EventFeed() = default;

bool EventFeed::IsPastEnd(std::uint64_t chunk) const {
  const Position first = FirstOf(chunk);
  return first > to_ || !is_wanted(first);
}

const EventFeed::Batch* EventFeed::Next(unsigned thread) {
  MutexLock lock(mutex_);
  if (held_[thread] != nullptr) Release(std::exchange(held_[thread], nullptr));
  for (;;) {
    const std::uint64_t wanted = next_[thread];
    if (IsPastEnd(wanted)) return nullptr;
    Chunk& chunk = ring_[wanted % ring_.size()];
    if (chunk.ready && chunk.number == wanted) {
      ++next_[thread];
      held_[thread] = &chunk;
      return &chunk.batches[thread];
    }
    Chunk& free = ring_[claimed_ % ring_.size()];
    if (free.left > 0 || IsPastEnd(claimed_)) {
      changed_.Wait(mutex_);
      continue;
    }
    free.number = claimed_++;
    free.ready = false;
    free.left = threads_;
    lock.Unlock();
    Decode(&free);
    lock.Lock();
    free.ready = true;
    changed_.NotifyAll();
  }
}

void EventFeed::StopBefore(Position position) {
  MutexLock lock(mutex_);
  stop_before_.store(std::min(stop_before_.load(), position.value()));
  changed_.NotifyAll();
}

void EventFeed::Release(Chunk* chunk) {
  if (--chunk->left == 0) changed_.NotifyAll();
}

void EventFeed::Decode(Chunk* chunk) {
  const Position first = FirstOf(chunk->number);
  const Position last(std::min(first.value() + chunk_ - 1, to_.value()));
  chunk->ForgetKeys();
  for (Batch& batch : chunk->batches) {
    batch.items.clear();
    batch.end = last;
  }
  chunk->cursors.clear();
  absl::Status status;
  for (Position seen(first.value() - 1); seen < last;) {
    status = Deal(last, chunk, &seen);
    if (status.ok()) break;
    const std::optional<Position> unreadable = UnreadableAfter(status, seen);
    if (!unreadable) break;
    if (!skips_.contains(*unreadable)) {
      status = SayHowToPass(projection_.name, status, *unreadable);
      break;
    }
    status = absl::OkStatus();
    seen = skips_.EndOf(*unreadable);
  }
  for (Batch& batch : chunk->batches) batch.status = status;
}

absl::Status EventFeed::Deal(Position last, Chunk* chunk, Position* seen) {
  DAYBOOK_ASSIGN_OR_RETURN(
      Cursor opened,
      reader_.Read(ReadOptionsOf(projection_.filter, Position(seen->value() + 1), last)));
  Cursor& cursor = chunk->cursors.emplace_back(std::move(opened));
  std::string key;
  const auto deal = [&](const EventView& event, std::string_view own_key, bool failed) {
    const unsigned thread = IsSeeded(SeededBug::kOrderBrokenOnTwoThreads)
                                ? static_cast<unsigned>(event.position.value() % threads_)
                                : ThreadOf(own_key, threads_);
    chunk->batches[thread].items.push_back({event, own_key, failed});
  };
  for (;;) {
    DAYBOOK_ASSIGN_OR_RETURN(const EventView* const event, cursor.Next());
    if (event == nullptr) break;
    *seen = event->position;
    if (!system_streams_ && event->stream.starts_with('$')) continue;
    if (!projection_.key) {
      deal(*event, event->stream, false);
      continue;
    }
    bool failed = false;
    key.clear();
    try {
      projection_.key(*event, &key);
    } catch (...) {  // who handles the event calls it again, and says what it was
      failed = true;
      key.clear();
    }
    deal(*event, chunk->Keep(key), failed);
  }
  return absl::OkStatus();
}

}  // namespace daybook
