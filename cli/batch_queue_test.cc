#include "cli/batch_queue.h"

#include <thread>

#include "tests/catch.h"

namespace daybook::cli {
namespace {

TEST_CASE("batches go round in order, and the end is seen after the last", "[cli][import]") {
  BatchQueue queue(2);
  std::vector<std::string> taken;
  std::thread taker([&] {
    while (auto batch = queue.TakeFilled()) {
      taken.push_back(batch->text);
      batch->Clear();
      queue.GiveFree(std::move(batch));
    }
  });
  std::vector<std::string> given;
  for (int i = 0; i < 500; ++i) {
    auto batch = queue.TakeFree();
    batch->text = given.emplace_back(std::to_string(i));
    queue.GiveFilled(std::move(batch));
  }
  queue.Finish();
  taker.join();
  CHECK(taken == given);
}

TEST_CASE("a filler that waits is told that the appender stopped", "[cli][import]") {
  BatchQueue queue(1);
  auto batch = queue.TakeFree();
  std::thread stopper([&queue] { queue.Stop(); });
  CHECK(queue.TakeFree() == nullptr);
  stopper.join();
}

}  // namespace
}  // namespace daybook::cli
