// A server of HTTP/1.1 on 127.0.0.1 in place of SQS: what it answers is the test's to say.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_FAKE_QUEUE_TESTING_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_FAKE_QUEUE_TESTING_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace daybook::sqs::testing {

struct Request {
  std::string line;                            // "POST / HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;

  [[nodiscard]] std::string action() const;
  // The values of a name in the entries of a batch, in their order; they hold no quotes.
  [[nodiscard]] std::vector<std::string> Values(std::string_view name) const;
};

struct Reply {
  int code = 200;
  std::string body;
  std::string headers;  // whole lines
  std::chrono::milliseconds delay{0};
  bool cut = false;  // no answer: the connection is closed
};

// {"Successful":[...],"Failed":[...]} for a batch of so many entries; `failed` gives the code and
// whether it is the sender's fault, by the number of the entry.
std::string BatchAnswer(std::size_t entries,
                        const std::map<std::size_t, std::pair<std::string, bool>>& failed = {});

class FakeQueue {
 public:
  // `answer` is called for each request, from several threads, one at a time. GetQueueAttributes is
  // answered here, and not noted, unless message_bytes_max is 0.
  explicit FakeQueue(std::function<Reply(const Request&)> answer,
                     std::size_t message_bytes_max = std::size_t{256} << 10);
  ~FakeQueue();
  FakeQueue(const FakeQueue&) = delete;
  FakeQueue& operator=(const FakeQueue&) = delete;

  [[nodiscard]] std::string Url(std::string_view queue) const;
  [[nodiscard]] std::vector<Request> requests();
  [[nodiscard]] std::size_t connections() const { return connections_; }

 private:
  void Accept();
  void Serve(int connection);
  Reply Answer(const Request& request);

  const std::function<Reply(const Request&)> answer_;
  const std::size_t message_bytes_max_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<std::size_t> connections_{0};
  std::mutex mutex_;
  std::vector<Request> requests_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread accepting_;
};

}  // namespace daybook::sqs::testing

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_FAKE_QUEUE_TESTING_H_
