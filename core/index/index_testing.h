// For the tests of index/: segments of random events, and the plain model that says what their
// index must answer.

#ifndef DAYBOOK_INDEX_INDEX_TESTING_H_
#define DAYBOOK_INDEX_INDEX_TESTING_H_

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "daybook/event.h"
#include "index/active_index.h"
#include "index/links.h"
#include "index/segment_index.h"
#include "tests/catch.h"

namespace daybook::testing {

// A folder that is gone with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "daybook_index.XXXXXX").string();
    DAYBOOK_CHECK(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Tags as they stand in an event's body: Cap'n Proto text pointers, and the texts behind them.
class EncodedTags {
 public:
  EncodedTags() = default;
  explicit EncodedTags(const std::vector<std::string>& tags)
      : words_(tags.size()), count_(static_cast<std::uint32_t>(tags.size())) {
    for (std::size_t i = 0; i < tags.size(); ++i) {
      const std::uint64_t offset = words_.size() - (i + 1);
      words_[i] = (offset << 2) | 1 | (std::uint64_t{2} << 32) | ((tags[i].size() + 1) << 35);
      const std::size_t begin = words_.size();
      words_.resize(begin + tags[i].size() / 8 + 1);
      std::memcpy(&words_[begin], tags[i].data(), tags[i].size());
    }
  }
  [[nodiscard]] TagList list() const {
    return {reinterpret_cast<const std::byte*>(words_.data()), count_};
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint32_t count_ = 0;
};

struct ModelEvent {
  bool lost = false;
  std::string stream;
  std::uint64_t stream_hash = 0;
  std::string type;
  std::vector<std::string> tags;
  EventId id;
  Link link{};
  std::int64_t recorded_at = 0;
  std::int64_t effective_at = 0;
};

struct SegmentShape {
  std::uint64_t first_position = 1;
  std::size_t events = 5000;
  std::size_t streams = 300;
  std::size_t types = 20;
  std::size_t tags = 400;
  double lost = 0;
  bool category_for_each_stream = false;
  // Streams 2k and 2k+1 share a hash, and ids are drawn from few, so that they collide as well.
  bool collide = false;
};

// Random events, in the index and in the model.
class ModelSegment {
 public:
  ModelSegment(const SegmentShape& shape, std::uint64_t seed) : shape_(shape), random_(seed) {
    auto created = ActiveIndex::Create(shape.first_position, 128 * shape.events, 128);
    REQUIRE_OK(created);
    index_ = *std::move(created);
    for (std::size_t i = 0; i < shape.events; ++i) AddOne();
    index_->Publish();
  }

  [[nodiscard]] const ActiveIndex& index() const { return *index_; }
  [[nodiscard]] const std::vector<ModelEvent>& events() const { return events_; }
  [[nodiscard]] const SegmentShape& shape() const { return shape_; }

  std::size_t Below(std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_);
  }

 private:
  struct StreamState {
    std::vector<std::uint64_t> positions{0};  // by version
  };

  std::string StreamName(std::size_t i) const {
    if (shape_.category_for_each_stream) return absl::StrCat("category", i);
    static constexpr const char* kCategories[] = {"account", "order", "a", "inventory-item", "x"};
    return absl::StrCat(kCategories[i % 5], "-", i);
  }

  void AddOne() {
    ModelEvent event;
    const std::uint64_t position = shape_.first_position + events_.size();
    const std::size_t number = Below(shape_.streams);
    event.stream = StreamName(number);
    event.stream_hash = StreamHash(shape_.collide ? StreamName(number / 2 * 2) : event.stream);
    // Every second pair shares but the upper half, which is all that a sidecar's run keeps.
    if (shape_.collide && number % 4 >= 2) event.stream_hash += number % 2;
    event.type = absl::StrCat("type", Below(shape_.types));
    EventId::Bytes id{};
    const std::uint64_t word = shape_.collide ? Below(shape_.events / 8) + 1 : random_();
    std::memcpy(id.data(), &word, sizeof(word));
    event.id = EventId(id);
    std::set<std::string> tags;
    for (std::size_t n = Below(4); n > 0; --n)
      tags.insert(absl::StrCat("tag:", Below(shape_.tags)));
    event.tags.assign(tags.begin(), tags.end());
    time_ += static_cast<std::int64_t>(Below(3));
    event.recorded_at = time_;
    event.effective_at = static_cast<std::int64_t>(Below(1'000'000)) - 500'000;

    StreamState& stream = streams_[event.stream];
    const std::uint64_t version = stream.positions.size();
    event.link = {.offset8 = static_cast<std::uint32_t>(512 + 16 * events_.size()),
                  .version = static_cast<std::uint32_t>(version),
                  .prev = stream.positions.back(),
                  .skip = stream.positions[SkipVersion(version)]};
    stream.positions.push_back(position);
    event.lost = std::bernoulli_distribution(shape_.lost)(random_);
    if (event.lost) {
      event.link = {};
      index_->AddLost();
    } else {
      index_->Add({.offset = event.link.offset(),
                   .version = version,
                   .prev = event.link.prev,
                   .skip = event.link.skip,
                   .recorded_at = event.recorded_at,
                   .effective_at = event.effective_at,
                   .stream = event.stream,
                   .stream_hash = event.stream_hash,
                   .type = event.type,
                   .id = event.id},
                  EncodedTags(event.tags).list());
    }
    events_.push_back(std::move(event));
  }

  SegmentShape shape_;
  std::mt19937_64 random_;
  std::int64_t time_ = 1'700'000'000'000'000'000;
  std::unique_ptr<ActiveIndex> index_;
  std::vector<ModelEvent> events_;
  std::map<std::string, StreamState> streams_;
};

// Whether a run of a sidecar, which keeps only the upper half of a hash, may answer with more than
// the index in memory.
enum class Keeps : std::uint8_t { kWholeHash, kUpperHalf };

// Checks everything that `index` can be asked against the model.
void CheckIndex(const SegmentIndex& index, const ModelSegment& model, Keeps keeps);

inline std::uint64_t NewSeed() { return std::random_device()(); }

}  // namespace daybook::testing

#endif  // DAYBOOK_INDEX_INDEX_TESTING_H_
