// What was appended, and whether a store holds a prefix of it.

#ifndef DAYBOOK_TESTS_SIMULATION_HISTORY_H_
#define DAYBOOK_TESTS_SIMULATION_HISTORY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daybook/store.h"
#include "simulation/disk.h"

namespace daybook::simulation {

// An event that was given to the store, at its position.
struct Planned {
  std::string stream, type, data, metadata, tag;
  EventId id;
  std::int64_t effective_at = 0;  // 0: not given
  std::int64_t recorded_at = 0;   // 0: nobody was told
  std::uint64_t version = 0;
  std::uint64_t commit_first = 0, commit_events = 0;  // the commit that it belongs to

  [[nodiscard]] NewEvent AsNew() const;
  // What is wrong with an event that was read in its place, or nullptr.
  [[nodiscard]] const char* Compare(const EventView& event) const;
};

// A history is a value; histories share their events.
class History {
 public:
  struct Shape {
    std::size_t streams = 5;
    std::size_t data_bytes_max = 400;
  };
  // Plans a commit of so many events behind what is planned. It is for whoever knows the head.
  void Plan(std::size_t events, const Shape& shape, Random* random);
  // Plans the next commit of a longer history again, with other ids and other data of its lengths.
  void PlanAlike(const History& longer, Random* random);
  // The planned events from position `first` on, as one commit.
  [[nodiscard]] Commit MakeCommit(std::uint64_t first) const;
  // What the store said of the commit that begins at `first`. "" or what is wrong with it.
  std::string Acknowledge(std::uint64_t first, const AppendResult& result);

  [[nodiscard]] std::uint64_t size() const { return events_.size(); }
  [[nodiscard]] const Planned& at(std::uint64_t position) const { return *events_[position - 1]; }
  // Forgets what stands behind a position.
  void CutBehind(std::uint64_t position);

  // Reads all that the store shows. "" or what is wrong: less than `least` events or more than
  // `most`, an event that is not the one that was appended, half a commit, a time that goes back.
  // `*found` is how many there are.
  std::string Check(const Reader& reader, std::uint64_t least, std::uint64_t most,
                    std::uint64_t* found) const;
  // Checks the head of each stream after so many positions.
  [[nodiscard]] std::string CheckHeads(const Reader& reader, std::uint64_t position) const;

  void Save(std::string* out) const;
  static History Load(std::string_view* in);

 private:
  std::vector<std::shared_ptr<Planned>> events_;
  std::map<std::string, std::uint64_t> versions_;
};

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_HISTORY_H_
