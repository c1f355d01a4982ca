// What the tests of aggregates share: a fold that tells every order apart, and random histories
// with a model of what they must answer.

#ifndef DAYBOOK_SNAPSHOT_SNAPSHOT_TESTING_H_
#define DAYBOOK_SNAPSHOT_SNAPSHOT_TESTING_H_

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/checksum.h"
#include "daybook/repository.h"
#include "daybook/store.h"

namespace daybook::testing {

// A chain of hashes: no two orders, and no two sets of events, give the same.
struct Chain {
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  friend bool operator==(const Chain&, const Chain&) = default;
};

struct ChainFold {
  using State = Chain;
  static std::string_view id() { return "chain"; }
  [[nodiscard]] std::uint32_t revision() const { return of_revision; }
  absl::Status Apply(Chain& chain, const EventView& event) const {
    if (event.type == refused) return absl::OutOfRangeError("this type is refused");
    chain.hash = Hash64(event.data, chain.hash + 1);
    ++chain.events;
    return absl::OkStatus();
  }
  void Save(const Chain& chain, std::string& out) const {
    out.append(reinterpret_cast<const char*>(&chain), sizeof chain);
    out.append(padding, 'x');
  }
  absl::StatusOr<Chain> Restore(std::string_view bytes) const {
    Chain chain;
    if (bytes.size() != sizeof chain + padding) return absl::DataLossError("no chain");
    std::memcpy(&chain, bytes.data(), sizeof chain);
    return chain;
  }

  std::uint32_t of_revision = 1;
  std::string refused = "Refused";
  std::size_t padding = 0;  // bytes more in each snapshot
};

// The state of a stream at a moment as it must be.
struct Expected {
  Chain state;
  Position position;
  Version version;
  Timestamp recorded_at;
};

// A store whose clock the test sets, and all that was appended to it, in memory.
class History {
 public:
  History(const std::filesystem::path& directory, StoreOptions options, std::uint32_t seed);

  [[nodiscard]] Store& store() { return *store_; }
  // A number below `end`.
  std::uint32_t Random(std::uint32_t end) { return static_cast<std::uint32_t>(random_()) % end; }
  // Closes the store and opens it again.
  void Reopen();

  struct Event {
    std::string stream;
    std::string data;
    std::int64_t recorded_at = 0;
    std::int64_t effective_at = 0;
    std::uint64_t position = 0;
    std::uint64_t version = 0;
  };
  // Appends a commit of 1 to 4 events over `streams` streams, now and then without advancing the
  // clock, with late, early and equal effective times.
  void AppendRandom(std::uint32_t streams);
  // Appends one event to a stream.
  void Append(const std::string& stream, std::string_view type = "Happened");

  static std::string StreamName(std::uint32_t number) { return "s-" + std::to_string(number); }
  // A moment of any kind that may be asked of the stream.
  AsOf RandomMoment(const std::string& stream);
  [[nodiscard]] Expected ExpectedAt(const std::string& stream, const AsOf& as_of) const;
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] std::uint64_t VersionOf(const std::string& stream) const;

 private:
  void Commit(std::vector<Event> events, std::string_view type);

  const std::filesystem::path directory_;
  StoreOptions options_;
  std::mt19937 random_;
  std::shared_ptr<std::int64_t> clock_ = std::make_shared<std::int64_t>(1'000'000);
  std::unique_ptr<Store> store_;
  std::vector<Event> events_;
  std::map<std::string, std::uint64_t> versions_;
};

// The answer of a repository, as a model can be held against it.
void CheckState(const Chain& state, const StateInfo& info, const Expected& expected);

}  // namespace daybook::testing

#endif  // DAYBOOK_SNAPSHOT_SNAPSHOT_TESTING_H_
