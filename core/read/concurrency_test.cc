#include <atomic>
#include <memory>

#include "base/thread.h"
#include "index/active_index.h"
#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::DrainWithErrors;
using testing::ModelEvent;
using testing::ModelRead;
using testing::Outcome;
using testing::TestLog;

// The heads that a writer would have: ahead of what the reader saw, never behind.
class ModelHeads : public HeadSource {
 public:
  ModelHeads(const TestLog* log, const std::atomic<std::uint64_t>* visible)
      : log_(log), visible_(visible) {}
  absl::StatusOr<std::uint64_t> LastPosition(std::string_view stream) const override {
    for (std::uint64_t p = visible_->load(); p > 0; --p) {
      if (log_->events()[p - 1].stream == stream) return p;
    }
    return 0;
  }

 private:
  const TestLog* log_;
  const std::atomic<std::uint64_t>* visible_;
};

// Two segments that grow one after the other, as a writer's do: first the index, then what is
// visible.
class GrowingSet {
 public:
  explicit GrowingSet(const TestLog* log) : log_(log), source_(log->View().segments()) {}

  void Grow() {
    for (const auto& segment : source_) {
      const auto whole = segment->index().value();
      std::shared_ptr<ActiveIndex> index =
          ActiveIndex::Create(segment->first_position(), 1 << 20, 64).value();
      auto growing = std::make_shared<Segment>(segment->log(), index);
      set_.Append(growing);
      for (std::uint64_t local = 0; local < whole->count(); ++local) {
        const std::uint64_t position = segment->first_position() + local;
        const ModelEvent& e = log_->events()[position - 1];
        EventView view;
        if (!log_->View().ReadEvent(position, &view).ok()) return;
        index->Add({whole->links()[local].offset(), e.version, e.prev, e.skip, e.recorded_at,
                    e.effective(), e.stream, StreamHash(e.stream), e.type, e.id},
                   view.tags);
        if (local % 7 != 0 && local + 1 != whole->count()) continue;
        index->Publish();
        visible_.store(position);
      }
      growing->ReplaceIndex(whole);
    }
  }
  [[nodiscard]] const SegmentSet& set() const { return set_; }
  [[nodiscard]] const std::atomic<std::uint64_t>& visible() const { return visible_; }

 private:
  const TestLog* log_;
  const SegmentList source_;
  SegmentSet set_;
  std::atomic<std::uint64_t> visible_{0};
};

}  // namespace

TEST_CASE("reads beside a growing log give just what was visible when they began") {
  TestLog log;
  log.AddRandom(1, 3000);
  log.CutSegment();
  log.AddRandom(2, 3000);
  log.Build();
  GrowingSet growing(&log);
  const ModelHeads heads(&log, &growing.visible());
  std::atomic<int> wrong{0};
  std::atomic<int> reads{0};
  const auto read = [&](const ReadOptions& options) {
    const std::uint64_t visible = growing.visible().load();
    const ReadView view(visible, visible, &heads, &growing.set());
    const Outcome outcome = DrainWithErrors(MakeCursor(view, options));
    wrong += !outcome.status.ok() || outcome.positions != ModelRead(log.events(), options, visible);
    const auto streams = ListStreams(view, {});
    wrong += !streams.ok() || streams->size() > 8;
    ++reads;
  };
  {
    const Thread writer("writer", [&] { growing.Grow(); });
    const auto readers = [&](ReadOptions options) {
      return [&, options] {
        while (growing.visible().load() < log.head()) read(options);
        read(options);
      };
    };
    const Thread by_stream("by-stream", readers({.stream = "cash-1"}));
    const Thread by_tag("by-tag", readers({.types = {"Paid"}, .tags = {"a:1"}}));
    const Thread by_time("by-time", readers({.recorded_from = Timestamp(1500), .limit = 50}));
  }
  CHECK(wrong == 0);
  CHECK(reads >= 3);
}

}  // namespace daybook
