// A connection to a NATS server for one session of the sink: the thin layer over nats.c.
//
// A session has a connection of its own, which is never mended: the client library's reconnecting,
// and its buffer of what is to be sent then, are off. What a broken session left behind can so come
// from nowhere later but from what the server had received already, and the chain stands against
// that.

#ifndef DAYBOOK_PUBLISH_NATS_NATS_SESSION_H_
#define DAYBOOK_PUBLISH_NATS_NATS_SESSION_H_

#include <nats/nats.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/sink.h"
#include "projections/publish/nats/nats_target.h"

namespace daybook {

// Frees what the library gave.
struct NatsFree {
  void operator()(natsOptions* options) const { natsOptions_Destroy(options); }
  void operator()(natsConnection* connection) const { natsConnection_Destroy(connection); }
  void operator()(natsSubscription* subscription) const { natsSubscription_Destroy(subscription); }
  void operator()(natsMsg* message) const { natsMsg_Destroy(message); }
  void operator()(jsCtx* context) const { jsCtx_Destroy(context); }
  void operator()(jsStreamInfo* info) const { jsStreamInfo_Destroy(info); }
  void operator()(jsStreamNamesList* list) const { jsStreamNamesList_Destroy(list); }
};
template <class T>
using NatsPtr = std::unique_ptr<T, NatsFree>;

// The options of every connection of a target, with credentials from the environment or a file.
// kInvalidArgument where a file cannot be used.
absl::StatusOr<NatsPtr<natsOptions>> MakeNatsOptions(const NatsTarget& target,
                                                     const SinkSettings& settings);

// Not thread-safe.
class NatsSession {
 public:
  NatsSession(const NatsTarget* target, std::chrono::milliseconds timeout)
      : target_(target), timeout_(timeout) {}
  ~NatsSession() { Close(); }
  NatsSession(const NatsSession&) = delete;
  NatsSession& operator=(const NatsSession&) = delete;

  // Ends the connection before, and makes a new one with a new subject for answers.
  absl::Status Connect(natsOptions* options);
  void Close();

  // The stream that a target means: its own, or the one that listens for its subjects.
  absl::StatusOr<std::string> FindStream();
  absl::StatusOr<NatsPtr<jsStreamInfo>> Info(const std::string& stream);
  // nullptr: there is none with this sequence.
  absl::StatusOr<NatsPtr<natsMsg>> MessageAt(const std::string& stream, std::uint64_t sequence);

  // Gives a message to the library, which writes it soon.
  natsStatus Publish(natsMsg* message) { return natsConnection_PublishMsg(nc_.get(), message); }
  // The next answer; nullptr: none within `wait`. kNotFound: of one message it is known that nobody
  // took it (the library does not say of which). Any other status: there will be no more answers.
  absl::StatusOr<NatsPtr<natsMsg>> NextAnswer(std::chrono::milliseconds wait);
  // The subject for the answer to a publish, and from it the number again.
  [[nodiscard]] std::string AnswerSubject(std::uint64_t number) const;
  [[nodiscard]] std::optional<std::uint64_t> AnswerNumber(const natsMsg* message) const;

  // Why nothing can be sent or asked any more.
  [[nodiscard]] absl::Status BrokenStatus();
  [[nodiscard]] std::size_t payload_max() const {
    return static_cast<std::size_t>(natsConnection_GetMaxPayload(nc_.get()));
  }

 private:
  // Asks by a function of the library that takes options and gives a code, first for a moment and
  // then for as long as the timeout: what is not permitted is never answered, and known at once.
  template <class Request>
  natsStatus Ask(const Request& request, jsErrCode* code);
  // What the server did not permit; empty: it permitted all.
  [[nodiscard]] std::string Refused() const;
  absl::Status ApiStatus(natsStatus status, jsErrCode code, std::string_view what);

  const NatsTarget* const target_;
  const std::chrono::milliseconds timeout_;
  std::string answers_;  // the subjects of answers begin with this
  NatsPtr<natsConnection> nc_;
  NatsPtr<natsSubscription> subscription_;
  NatsPtr<jsCtx> js_;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_NATS_NATS_SESSION_H_
