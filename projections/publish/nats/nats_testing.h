// A nats-server for a test, and what a JetStream stream of it holds.

#ifndef DAYBOOK_PUBLISH_NATS_NATS_TESTING_H_
#define DAYBOOK_PUBLISH_NATS_NATS_TESTING_H_

#include <nats/nats.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "daybook/sink.h"
#include "tests/temp_folder.h"

namespace daybook::testing {

// One server, on a free port that it keeps over restarts. It ends with its test.
class NatsServer {
 public:
  enum class JetStream : std::uint8_t { kYes, kNo };
  // `config` goes into its configuration file.
  explicit NatsServer(const std::string& config = "", JetStream jetstream = JetStream::kYes);
  ~NatsServer() { Kill(); }
  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  // Whether there is one on this machine: nats-server on PATH, or DAYBOOK_NATS_SERVER.
  static bool IsInstalled();

  bool Start();
  void Kill();  // -9, and waits for its end
  void Pause();
  void Resume();

  [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }

 private:
  TempFolder folder_;
  int port_ = 0;
  pid_t pid_ = -1;
};

struct StoredMessage {
  std::string subject, data;
  std::map<std::string, std::string> headers;
};

// Makes a stream for "ledger.>"; `adjust` sees its configuration first.
bool AddStream(const std::string& url, const std::string& name,
               const std::function<void(jsStreamConfig*)>& adjust = {});
// All messages from the first, by another way than the sink's.
std::vector<StoredMessage> ReadStream(const std::string& url, const std::string& name);
// With a connection and JetStream of it.
void WithJetStream(const std::string& url, const std::function<void(natsConnection*, jsCtx*)>& use);

}  // namespace daybook::testing

#endif  // DAYBOOK_PUBLISH_NATS_NATS_TESTING_H_
