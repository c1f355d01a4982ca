#include <algorithm>
#include <memory>
#include <random>

#include "index/active_index.h"
#include "index/links.h"
#include "read/link_walker.h"
#include "read/test_log.h"
#include "tests/catch.h"

namespace daybook {
namespace {

using testing::ModelEvent;
using testing::TestLog;

// The last event of a stream, or of all, that is at most at `bound`.
template <class Less>
std::uint64_t LastWhere(const TestLog& log, Less matches) {
  std::uint64_t last = 0;
  for (const ModelEvent& event : log.events()) {
    if (matches(event)) last = event.position;
  }
  return last;
}

// Links alone, of one stream with an event at every `step`th position, and of another in between.
class LinkedSegment {
 public:
  LinkedSegment(std::uint64_t versions, std::uint64_t step) {
    log_.Add(1, {{.stream = "any"}});
    log_.Build();
    const std::uint64_t events = versions * step;
    auto made = ActiveIndex::Create(1, events, 1);
    REQUIRE_OK(made);
    std::shared_ptr<ActiveIndex> index = std::move(*made);
    for (std::uint64_t p = 1; p <= events; ++p) {
      const bool ours = p % step == 0;
      const std::uint64_t version = ours ? p / step : p - p / step;
      const auto position = [&](std::uint64_t v) {
        return ours ? v * step : v == 0 ? 0 : v + (v - 1) / (step - 1);
      };
      index->Add({4096 + p * 8, version, position(version - 1), position(SkipVersion(version)), 1,
                  1, ours ? "ours" : "theirs", ours ? 1U : 2U, "T", EventId()},
                 TagList());
    }
    index->Publish();
    segments_.push_back(
        std::make_shared<Segment>(log_.View().segments()[0]->log(), std::move(index)));
  }
  [[nodiscard]] const SegmentList& segments() const { return segments_; }

 private:
  TestLog log_;
  SegmentList segments_;
};

}  // namespace

TEST_CASE("a recorded time is found, with ties within a commit and between samples") {
  TestLog log;
  log.AddRandom(1, 700);
  log.CutSegment();
  log.AddRandom(2, 1);
  log.CutSegment();
  log.AddRandom(3, 1500);
  log.Build();
  const std::int64_t last = log.events().back().recorded_at;
  for (const std::uint64_t visible : {0U, 1U, 256U, 257U, 700U, 701U, 702U, 1400U, 2201U}) {
    const ReadView view = log.View(visible);
    for (std::int64_t time = 995; time < last + 5; time += visible < 2201 ? 7 : 1) {
      const std::uint64_t expected = LastWhere(
          log, [&](const ModelEvent& e) { return e.position <= visible && e.recorded_at <= time; });
      CAPTURE(visible, time);
      REQUIRE(view.PositionAt(Timestamp(time)).value() == expected);
      REQUIRE(view.PositionAfter(Timestamp(time)).value() == expected + 1);
    }
  }
  CHECK(log.View().PositionAt(Timestamp::Min()).value() == 0);
  CHECK(log.View().PositionAt(Timestamp::Max()).value() == 2201);
}

TEST_CASE("a stream's head at any bound, and the position of any version") {
  TestLog log;
  log.AddRandom(1, 400);
  log.CutSegment();
  log.AddRandom(2, 300);
  SECTION("with indexes in memory") {}
  SECTION("with sidecars") { log.UseSidecars(); }
  log.Build();
  const ReadView view = log.View();
  for (const char* stream : {"cash-1", "bank-1", "plain", "none", ""}) {
    for (std::uint64_t bound = 0; bound <= log.head(); bound += 3) {
      const std::uint64_t expected =
          LastWhere(log, [&](const auto& e) { return e.stream == stream && e.position <= bound; });
      REQUIRE(view.HeadAt(stream, bound).value() == expected);
      // Also where the heads know of more than the view.
      REQUIRE(log.View(bound).HeadAt(stream, bound).value() == expected);
    }
  }
  for (const ModelEvent& event : log.events()) {
    const std::uint64_t head = view.HeadAt(event.stream, log.head()).value();
    REQUIRE(view.PositionOfVersion(head, event.version).value() == event.position);
  }
  CHECK(view.PositionOfVersion(log.head(), 0).value() == 0);
}

TEST_CASE("a search in a stream of a million versions takes at most 42 hops") {
  constexpr std::uint64_t kVersions = 1'000'000;
  const LinkedSegment linked(kVersions, 2);
  std::mt19937_64 random(1);
  std::uint64_t most = 0;
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    const std::uint64_t version = 1 + (i < 100 ? i : random() % kVersions);
    LinkWalker walker(linked.segments());
    REQUIRE(walker.PositionOf(kVersions * 2, version).value() == version * 2);
    most = std::max(most, walker.loads());
    LinkWalker other(linked.segments());
    const StreamPoint point = other.AtOrBefore(kVersions * 2, version * 2 + 1).value();
    REQUIRE((point.position == version * 2 && point.version == version));
    most = std::max(most, other.loads());
  }
  CHECK(most - 1 <= 42);  // the head itself is no hop
}

TEST_CASE("links that cannot be end a walk as data loss") {
  TestLog log;
  log.Add(1, {{.stream = "any"}});
  log.Build();
  const auto walk = [&](const std::vector<Link>& links) {
    auto index = std::shared_ptr<ActiveIndex>(ActiveIndex::Create(1, 100, 1).value());
    for (const Link& link : links) {
      index->Add({link.offset(), link.version, link.prev, link.skip, 1, 1, "s", 1, "T", {}}, {});
    }
    index->Publish();
    const SegmentList segments{
        std::make_shared<Segment>(log.View().segments()[0]->log(), std::move(index))};
    LinkWalker walker(segments);
    // A walk by positions ends too, though it may not come upon what is wrong.
    CHECK(walker.AtOrBefore(links.size(), 1).value_or(StreamPoint{}).position <= 1);
    return walker.PositionOf(links.size(), 1).status();
  };
  CHECK_OK(walk({{1, 1, 0, 0}, {2, 2, 1, 1}, {3, 3, 2, 0}}));
  CHECK(absl::IsDataLoss(walk({{1, 1, 0, 0}, {2, 2, 1, 1}, {3, 3, 3, 0}})));  // to itself
  CHECK(absl::IsDataLoss(walk({{1, 1, 0, 0}, {2, 2, 3, 1}, {3, 3, 2, 0}})));  // forwards
  CHECK(absl::IsDataLoss(walk({{1, 1, 0, 0}, {2, 2, 1, 1}, {3, 3, 1, 2}})));  // skip above prev
  CHECK(absl::IsDataLoss(walk({{1, 1, 0, 0}, {2, 3, 1, 0}, {3, 4, 2, 2}})));  // leaves out one
  CHECK(absl::IsDataLoss(walk({{1, 1, 0, 0}, {2, 2, 0, 0}, {3, 3, 2, 0}})));  // ends too early
}

TEST_CASE("where there is no sidecar to use, the index is rebuilt once, or the error told") {
  TestLog log;
  log.AddRandom(1, 300);
  log.UseSidecars();
  log.Build();
  const auto log_segment = log.View().segments()[0]->log();
  int rebuilt = 0;
  const auto good = log.View().segments()[0]->index().value();
  const Segment segment(log_segment, nullptr, [&](const LogSegment&) {
    ++rebuilt;
    return absl::StatusOr<std::shared_ptr<const SegmentIndex>>(good);
  });
  CHECK(segment.index().value() == good);
  CHECK(segment.index().value() == good);
  CHECK(rebuilt == 1);
  const Segment hopeless(log_segment, nullptr, [](const LogSegment&) {
    return absl::StatusOr<std::shared_ptr<const SegmentIndex>>(absl::DataLossError("no"));
  });
  CHECK(absl::IsDataLoss(hopeless.index().status()));
  CHECK(absl::IsDataLoss(hopeless.index().status()));
}

}  // namespace daybook
