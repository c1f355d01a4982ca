// Signed requests to SQS in its JSON protocol, several at a time: the place that knows libcurl.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_CLIENT_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_CLIENT_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "projections/publish/sqs/credentials.h"

namespace daybook::sqs {

struct ClientSettings {
  std::string endpoint;  // "https://HOST/"
  std::string region;
  std::string tls_ca_file;
  std::chrono::milliseconds timeout{10'000};  // of a connection, and of a request
  std::size_t requests_max = 16;
};

struct Answer {
  std::uint64_t tag = 0;
  // Whether there was an answer at all; then code and body are its.
  absl::Status status;
  long code = 0;
  std::string body;
  std::chrono::seconds retry_after{0};
};

// Keeps its connections. Not thread-safe.
class Client {
 public:
  static absl::StatusOr<std::unique_ptr<Client>> Make(const ClientSettings& settings);

  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Of the requests that begin from now on.
  virtual void SetCredentials(const Credentials& credentials) = 0;
  // Begins a request, as "SendMessageBatch"; there must be room for it. Its answer has the tag.
  virtual absl::Status Start(std::uint64_t tag, std::string_view action, std::string body) = 0;
  // Goes on with what is on its way, and adds the answers that there are. Waits for one, or for
  // anything to happen, up to `timeout`.
  virtual void Run(std::chrono::milliseconds timeout, std::vector<Answer>* answers) = 0;
  // Gives up what is on its way. It may still reach SQS.
  virtual void Cancel() = 0;
  [[nodiscard]] virtual std::size_t in_flight() const = 0;
  [[nodiscard]] virtual bool has_room() const = 0;

 protected:
  Client() = default;
};

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_CLIENT_H_
