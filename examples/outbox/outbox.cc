// The store as the outbox, in one page: what an append made durable is sent outside by a publisher
// in a thread of its own, to a file; and to a sink of one's own, which refuses an event.
//
//   daybook_outbox STORE FILE

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "daybook/file_sink.h"
#include "daybook/publish_letters.h"
#include "daybook/publish_status.h"
#include "daybook/publisher.h"
#include "daybook/store.h"

namespace {

template <class T>
T OrDie(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::cerr << "outbox: " << result.status() << '\n';
  std::exit(EXIT_FAILURE);
}

void OrDie(const absl::Status& status) {
  if (status.ok()) return;
  std::cerr << "outbox: " << status << '\n';
  std::exit(EXIT_FAILURE);
}

// Takes what goes through its slot, at once. After an event that it did not take it takes nothing
// until the next session: that is how the order of each stream is kept.
class Letterbox : public daybook::Sink {
 public:
  explicit Letterbox(std::size_t slot_bytes) : slot_bytes_(slot_bytes) {}

  std::string_view kind() const override { return "letterbox"; }
  std::string destination() const override { return "letterbox:front-door"; }

  absl::StatusOr<daybook::SessionBegun> Begin(const daybook::SessionStart& /*start*/) override {
    outcomes_.clear();
    ended_ = false;
    return daybook::SessionBegun();
  }

  void Send(std::span<const daybook::OutgoingEvent> events) override {
    for (const daybook::OutgoingEvent& outgoing : events) {
      daybook::SinkOutcome outcome{.sequence = outgoing.sequence};
      const daybook::EventView& event = *outgoing.event;
      if (ended_) {
        outcome.outcome = daybook::Outcome::kRetry;
        outcome.status = absl::AbortedError("an event before it was refused");
      } else if (event.data.size() > slot_bytes_) {
        outcome.outcome = daybook::Outcome::kPoison;
        outcome.status = absl::OutOfRangeError("it does not go through the slot");
        ended_ = true;
      } else {
        std::cout << "  took " << event.stream << ' ' << event.version.value() << '\n';
      }
      outcomes_.push_back(std::move(outcome));
    }
  }

  void Poll(std::chrono::milliseconds /*timeout*/,
            std::vector<daybook::SinkOutcome>* outcomes) override {
    outcomes->insert(outcomes->end(), outcomes_.begin(), outcomes_.end());
    outcomes_.clear();
  }

  void Settle(std::chrono::milliseconds timeout,
              std::vector<daybook::SinkOutcome>* outcomes) override {
    Poll(timeout, outcomes);
  }

 private:
  const std::size_t slot_bytes_;
  std::vector<daybook::SinkOutcome> outcomes_;
  bool ended_ = false;
};

daybook::AppendResult Append(daybook::Store& store, std::string_view stream,
                             std::string_view text) {
  const std::string data = "{\"text\":\"" + std::string(text) + "\"}";
  return OrDie(store.Append(stream, daybook::ExpectedVersion::Any(),
                            {{.type = "Written", .data = daybook::AsBytes(data)}}));
}

void AppendAndPublishToFile(daybook::Store& store, const std::string& file) {
  // Beside the appends. PublishFrom::At is for the first time: later it would be a replay.
  const auto publisher =
      OrDie(daybook::Publisher::Open(store, OrDie(daybook::OpenFileSink({.url = "file:" + file})),
                                     {.name = "archive", .from = daybook::PublishFrom::At(1)}));
  std::atomic<bool> stopping = false;
  absl::Status ended;
  std::thread thread(
      [&] { ended = publisher->Run(daybook::PublishUntil::kStopped, [&] { return !stopping; }); });

  Append(store, "letter-1", "Dear Ada,");
  Append(store, "letter-2", "Sir, I regret to say that nothing whatsoever has arrived here.");
  Append(store, "letter-1", "how are you?");
  const daybook::AppendResult last = Append(store, "letter-2", "Yours.");

  // Anybody may look, also another process.
  while (OrDie(daybook::ReadPublishStatus(store, "archive")).acknowledged < last.last_position) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  stopping = true;
  thread.join();
  if (!absl::IsCancelled(ended)) OrDie(ended);  // that it was stopped is no failure
  std::cout << "archived up to position " << publisher->status().acknowledged.value() << '\n';
}

void PublishToLetterbox(daybook::Store& store, std::size_t slot_bytes,
                        const daybook::PublishFrom& from) {
  const auto publisher = OrDie(daybook::Publisher::Open(
      store, std::make_unique<Letterbox>(slot_bytes), {.name = "letterbox", .from = from}));
  OrDie(publisher->Run(daybook::PublishUntil::kCaughtUp, [] { return true; }));
}

void PrintParked(const daybook::Store& store) {
  for (const daybook::ParkedStream& parked :
       OrDie(daybook::ReadPublishLetters(store, "letterbox")).parked) {
    std::cout << "parked " << parked.stream << " from position " << parked.letters.begin()->first
              << ": " << parked.error << '\n';
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: daybook_outbox STORE FILE\n";
    return EXIT_FAILURE;
  }
  const auto store = OrDie(
      daybook::Store::Open(argv[1], {.create = daybook::StoreOptions::Create::kMustNotExist}));
  AppendAndPublishToFile(*store, argv[2]);

  std::cout << "the letterbox:\n";
  PublishToLetterbox(*store, 40, daybook::PublishFrom::At(1));
  PrintParked(*store);

  // The slot is made wider, and what was parked is tried again.
  OrDie(daybook::RetryLetters(*store, "letterbox", std::nullopt).status());
  std::cout << "with a wider slot:\n";
  PublishToLetterbox(*store, 100, {});

  // There is always one more.
  Append(*store, "letter-1", std::string(200, '!'));
  PublishToLetterbox(*store, 100, {});
  PrintParked(*store);
}
