// A random history, the same for the same seed, and what is known of each of its events.

#ifndef DAYBOOK_BINDINGS_SQL_HISTORY_TESTING_H_
#define DAYBOOK_BINDINGS_SQL_HISTORY_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daybook/store.h"
#include "tests/temp_folder.h"

namespace daybook::sql::testing {

struct KnownEvent {
  std::int64_t position = 0;
  std::string stream;
  std::string category;
  std::int64_t version = 0;
  std::string type;
  std::string id;
  std::int64_t recorded_ns = 0;
  std::int64_t effective_ns = 0;
};

// A store whose clock moves by hand, in small segments.
class History {
 public:
  explicit History(std::int64_t first_ns = 1'262'304'000'000'000'000);  // 2010-01-01T00:00:00Z

  // One commit, at the next moment.
  void Append(const std::vector<KnownEvent>& events);
  // `commits` commits of 1 to 4 events.
  void AppendRandom(std::uint32_t seed, int commits);
  void Advance(std::int64_t nanoseconds) { now_ += nanoseconds; }

  [[nodiscard]] Store& store() const { return *store_; }
  [[nodiscard]] const std::vector<KnownEvent>& events() const { return events_; }
  [[nodiscard]] std::filesystem::path path() const { return folder_.path() / "s"; }
  // Closes the store and flips a byte of its segment number `segment`, counted from 0, of more.
  void CloseAndDamage(std::size_t segment, std::uint64_t offset);

 private:
  daybook::testing::TempFolder folder_;
  std::int64_t now_;
  std::unique_ptr<Store> store_;
  std::vector<KnownEvent> events_;
};

}  // namespace daybook::sql::testing

#endif  // DAYBOOK_BINDINGS_SQL_HISTORY_TESTING_H_
