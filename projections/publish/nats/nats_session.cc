#include "projections/publish/nats/nats_session.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "projections/publish/nats/nats_answer.h"

namespace daybook {
namespace {

// A server that is silent for two of these is gone, so that an idle publisher notices.
constexpr std::chrono::milliseconds kPingInterval{5'000};
constexpr int kPingsOutMax = 2;
// How long a request waits before it looks whether it was permitted.
constexpr std::chrono::milliseconds kMoment{500};

// Errors are asked for; without a handler the library prints them.
void IgnoreError(natsConnection*, natsSubscription*, natsStatus, void*) {}

std::string_view FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

// What the library says was wrong, on one line.
std::string LastError(natsStatus status) {
  natsStatus last = NATS_OK;
  const char* detail = nats_GetLastError(&last);
  std::string text = natsStatus_GetText(status);
  if (last == status && detail != nullptr && *detail != '\0' && text != detail) {
    absl::StrAppend(&text, ": ", detail);
  }
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return text;
}

absl::Status ConnectStatus(natsStatus status, std::string_view url) {
  const std::string error = LastError(status);
  const std::string text = absl::StrCat("nats: cannot connect to ", ToAbsl(url), ": ", error);
  switch (status) {
    case NATS_CONNECTION_AUTH_FAILED:
    case NATS_NOT_PERMITTED:
      return absl::UnauthenticatedError(absl::StrCat(
          text, "; see DAYBOOK_NATS_USER, DAYBOOK_NATS_TOKEN and the credentials file"));
    case NATS_SECURE_CONNECTION_WANTED:
      return absl::FailedPreconditionError(absl::StrCat(text, " (the server speaks no TLS)"));
    case NATS_SSL_ERROR:
    case NATS_SECURE_CONNECTION_REQUIRED:
      // A handshake that a kill cut short is no mistake of anybody's.
      if (absl::StrContains(error, "certificate") || absl::StrContains(error, "cert=")) {
        return absl::FailedPreconditionError(
            absl::StrCat(text, " (a certificate is missing, or not to be trusted)"));
      }
      return absl::UnavailableError(text);
    case NATS_ADDRESS_MISSING:
    case NATS_INVALID_ARG:
      return absl::InvalidArgumentError(text);
    case NATS_TIMEOUT:
      return absl::DeadlineExceededError(text);
    default:
      return absl::UnavailableError(text);
  }
}

absl::Status FileRefused(natsStatus status, std::string_view what, std::string_view file) {
  return absl::InvalidArgumentError(
      absl::StrCat("nats: ", ToAbsl(what), " ", ToAbsl(file), ": ", LastError(status)));
}

absl::Status SetCredentials(const SinkSettings& settings, natsOptions* options) {
  const std::string& file = settings.credentials_file;
  if (!file.empty()) {
    const natsStatus set = natsOptions_SetUserCredentialsFromFiles(options, file.c_str(), nullptr);
    return set == NATS_OK ? absl::OkStatus() : FileRefused(set, "the credentials file", file);
  }
  const std::string_view user = FromEnvironment("DAYBOOK_NATS_USER");
  const std::string_view token = FromEnvironment("DAYBOOK_NATS_TOKEN");
  if (!user.empty() && !token.empty()) {
    return absl::InvalidArgumentError(
        "nats: DAYBOOK_NATS_USER and DAYBOOK_NATS_TOKEN are both set");
  }
  natsStatus set = NATS_OK;
  if (!user.empty()) {
    set = natsOptions_SetUserInfo(options, user.data(),
                                  FromEnvironment("DAYBOOK_NATS_PASSWORD").data());
  } else if (!token.empty()) {
    set = natsOptions_SetToken(options, token.data());
  }
  return set == NATS_OK ? absl::OkStatus() : FileRefused(set, "credentials", "");
}

absl::Status SetTls(const SinkSettings& settings, natsOptions* options) {
  if (const natsStatus set = natsOptions_SetSecure(options, true); set != NATS_OK) {
    return FileRefused(set, "TLS", "");
  }
  const std::string& ca = settings.tls_ca_file;
  if (!ca.empty()) {
    const natsStatus set = natsOptions_LoadCATrustedCertificates(options, ca.c_str());
    if (set != NATS_OK) return FileRefused(set, "the certificates to trust,", ca);
  }
  const std::string& certificate = settings.tls_certificate_file;
  if (!certificate.empty()) {
    const natsStatus set = natsOptions_LoadCertificatesChain(options, certificate.c_str(),
                                                             settings.tls_key_file.c_str());
    if (set != NATS_OK) return FileRefused(set, "the certificate and key,", certificate);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NatsPtr<natsOptions>> MakeNatsOptions(const NatsTarget& target,
                                                     const SinkSettings& settings) {
  natsOptions* raw = nullptr;
  natsStatus set = natsOptions_Create(&raw);
  NatsPtr<natsOptions> options(raw);
  std::vector<const char*> servers;
  servers.reserve(target.servers.size());
  for (const std::string& server : target.servers) servers.push_back(server.c_str());
  const std::int64_t timeout = settings.timeout.count();
  if (set == NATS_OK) {
    set = natsOptions_SetServers(raw, servers.data(), static_cast<int>(servers.size()));
  }
  if (set == NATS_OK) set = natsOptions_SetName(raw, "daybook");
  if (set == NATS_OK) set = natsOptions_SetTimeout(raw, timeout);
  if (set == NATS_OK) set = natsOptions_SetWriteDeadline(raw, timeout);
  if (set == NATS_OK) set = natsOptions_SetAllowReconnect(raw, false);
  if (set == NATS_OK) set = natsOptions_SetPingInterval(raw, kPingInterval.count());
  if (set == NATS_OK) set = natsOptions_SetMaxPingsOut(raw, kPingsOutMax);
  if (set == NATS_OK) set = natsOptions_SetErrorHandler(raw, &IgnoreError, nullptr);
  if (set == NATS_OK && !target.inbox_prefix.empty()) {
    set = natsOptions_SetCustomInboxPrefix(raw, target.inbox_prefix.c_str());
  }
  if (set != NATS_OK) return FileRefused(set, "settings", "");
  DAYBOOK_RETURN_IF_ERROR(SetCredentials(settings, raw));
  if (target.tls) DAYBOOK_RETURN_IF_ERROR(SetTls(settings, raw));
  return options;
}

void NatsSession::Close() {
  js_.reset();
  subscription_.reset();
  nc_.reset();
}

absl::Status NatsSession::Connect(natsOptions* options) {
  Close();
  natsConnection* nc = nullptr;
  natsStatus done = natsConnection_Connect(&nc, options);
  if (done != NATS_OK) return ConnectStatus(done, target_->url);
  nc_.reset(nc);
  natsInbox* inbox = nullptr;
  done = natsInbox_Create(&inbox);
  if (done == NATS_OK) {
    // The library's own inbox, under the prefix of the options where there is one.
    const std::string_view made(inbox);
    const std::string_view prefix =
        target_->inbox_prefix.empty() ? "_INBOX" : std::string_view(target_->inbox_prefix);
    answers_ = absl::StrCat(ToAbsl(prefix), ToAbsl(made.substr(made.find('.'))), ".");
    natsInbox_Destroy(inbox);
    natsSubscription* subscription = nullptr;
    done = natsConnection_SubscribeSync(&subscription, nc, (answers_ + "*").c_str());
    subscription_.reset(subscription);
  }
  // Answers are as many as there are events on their way: none may be dropped.
  if (done == NATS_OK) done = natsSubscription_SetPendingLimits(subscription_.get(), -1, -1);
  if (done == NATS_OK) {
    jsOptions js_options;
    jsOptions_Init(&js_options);
    js_options.Wait = timeout_.count();
    if (!target_->domain.empty()) js_options.Domain = target_->domain.c_str();
    jsCtx* js = nullptr;
    done = natsConnection_JetStream(&js, nc, &js_options);
    js_.reset(js);
  }
  return done == NATS_OK ? absl::OkStatus() : ConnectStatus(done, target_->url);
}

std::string NatsSession::Refused() const {
  const char* text = nullptr;
  if (nc_ == nullptr || natsConnection_GetLastError(nc_.get(), &text) != NATS_NOT_PERMITTED) {
    return "";
  }
  return text == nullptr || *text == '\0' ? "not permitted" : text;
}

template <class Request>
natsStatus NatsSession::Ask(const Request& request, jsErrCode* code) {
  natsStatus done = NATS_TIMEOUT;
  for (const std::chrono::milliseconds wait : {std::min(kMoment, timeout_), timeout_}) {
    jsOptions options;
    jsOptions_Init(&options);
    options.Wait = wait.count();
    if (!target_->domain.empty()) options.Domain = target_->domain.c_str();
    done = request(&options, code);
    if (done != NATS_TIMEOUT || !Refused().empty()) break;
  }
  return done;
}

absl::Status NatsSession::BrokenStatus() {
  if (const std::string refused = Refused(); !refused.empty()) {
    return absl::PermissionDeniedError(absl::StrCat("nats: ", target_->url, ": ", refused));
  }
  const char* text = nullptr;
  if (nc_ == nullptr || natsConnection_GetLastError(nc_.get(), &text) == NATS_OK ||
      text == nullptr || *text == '\0') {
    text = "the connection is lost";
  }
  return absl::UnavailableError(absl::StrCat("nats: ", target_->url, ": ", text));
}

absl::Status NatsSession::ApiStatus(natsStatus status, jsErrCode code, std::string_view what) {
  if (code != 0) return StatusOfApiError(code, absl::StrCat(ToAbsl(what), ": ", LastError(status)));
  if (!Refused().empty() || natsConnection_IsClosed(nc_.get())) return BrokenStatus();
  switch (status) {
    case NATS_NO_RESPONDERS:
      return absl::UnavailableError(
          absl::StrCat("nats: ", ToAbsl(what), ": no JetStream answers at ", target_->url));
    case NATS_TIMEOUT:
      return absl::DeadlineExceededError(
          absl::StrCat("nats: ", ToAbsl(what), ": no answer from ", target_->url));
    default:
      return absl::UnavailableError(absl::StrCat("nats: ", ToAbsl(what), ": ", LastError(status)));
  }
}

absl::StatusOr<std::string> NatsSession::FindStream() {
  if (!target_->stream.empty()) return target_->stream;
  jsStreamNamesList* raw = nullptr;
  jsErrCode code{};
  const natsStatus done = Ask(
      [&](jsOptions* options, jsErrCode* error) {
        options->Stream.Info.SubjectsFilter = target_->filter.c_str();
        return js_StreamNames(&raw, js_.get(), options, error);
      },
      &code);
  const NatsPtr<jsStreamNamesList> names(raw);
  if (done == NATS_NOT_FOUND || (done == NATS_OK && names->Count == 0)) {
    return absl::NotFoundError(
        absl::StrCat("nats: no stream at ", target_->url, " listens for ", target_->filter));
  }
  if (done != NATS_OK) return ApiStatus(done, code, "looking for the stream");
  if (names->Count > 1) {
    const std::vector<absl::string_view> all(names->List, names->List + names->Count);
    return absl::FailedPreconditionError(
        absl::StrCat("nats: more than one stream listens for ", target_->filter, ": ",
                     absl::StrJoin(all, ", "), "; name one in the URL"));
  }
  return std::string(names->List[0]);
}

absl::StatusOr<NatsPtr<jsStreamInfo>> NatsSession::Info(const std::string& stream) {
  jsStreamInfo* raw = nullptr;
  jsErrCode code{};
  const natsStatus done = Ask(
      [&](jsOptions* options, jsErrCode* error) {
        return js_GetStreamInfo(&raw, js_.get(), stream.c_str(), options, error);
      },
      &code);
  NatsPtr<jsStreamInfo> info(raw);
  if (done == NATS_OK) return info;
  const std::string what = absl::StrCat("the stream ", stream);
  if (done == NATS_NOT_FOUND && code == 0) code = JSStreamNotFoundErr;
  return ApiStatus(done, code, what);
}

absl::StatusOr<NatsPtr<natsMsg>> NatsSession::MessageAt(const std::string& stream,
                                                        std::uint64_t sequence) {
  natsMsg* raw = nullptr;
  jsErrCode code{};
  const natsStatus done = Ask(
      [&](jsOptions* options, jsErrCode* error) {
        return js_GetMsg(&raw, js_.get(), stream.c_str(), sequence, options, error);
      },
      &code);
  NatsPtr<natsMsg> message(raw);
  if (done == NATS_OK) return message;
  if (done == NATS_NOT_FOUND && code != JSStreamNotFoundErr) return NatsPtr<natsMsg>();
  return ApiStatus(done, code, "reading a message back");
}

absl::StatusOr<NatsPtr<natsMsg>> NatsSession::NextAnswer(std::chrono::milliseconds wait) {
  natsMsg* raw = nullptr;
  const natsStatus done = natsSubscription_NextMsg(&raw, subscription_.get(), wait.count());
  if (done == NATS_OK) return NatsPtr<natsMsg>(raw);
  if (done == NATS_NO_RESPONDERS) return absl::NotFoundError("nobody listens");
  const bool works = !natsConnection_IsClosed(nc_.get()) && Refused().empty();
  if (done == NATS_TIMEOUT && works) return NatsPtr<natsMsg>();
  return BrokenStatus();
}

std::string NatsSession::AnswerSubject(std::uint64_t number) const {
  return absl::StrCat(answers_, number);
}

std::optional<std::uint64_t> NatsSession::AnswerNumber(const natsMsg* message) const {
  const std::string_view subject = natsMsg_GetSubject(message);
  if (!subject.starts_with(answers_)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] =
      std::from_chars(subject.data() + answers_.size(), subject.data() + subject.size(), number);
  if (error != std::errc() || end != subject.data() + subject.size()) return std::nullopt;
  return number;
}

}  // namespace daybook
