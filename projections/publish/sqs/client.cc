#include "projections/publish/sqs/client.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::sqs {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 20;
constexpr std::int64_t kRetryAfterMax = 60;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

bool Append(const std::string& line, HeaderList* list) {
  curl_slist* longer = curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return false;
  static_cast<void>(list->release());  // it is the tail, or the head, of the longer one
  list->reset(longer);
  return true;
}

// A request on its way, or the memory of one that was.
struct Exchange {
  std::unique_ptr<CURL, FreeEasy> easy;
  HeaderList headers;
  std::string sent;
  std::string received;
  std::array<char, CURL_ERROR_SIZE> problem{};
  std::uint64_t tag = 0;
  bool is_busy = false;
};

std::size_t Receive(char* data, std::size_t, std::size_t bytes, void* to) {
  auto* received = static_cast<std::string*>(to);
  if (received->size() + bytes > kAnswerBytesMax) return 0;  // and libcurl ends the request
  received->append(data, bytes);
  return bytes;
}

absl::Status NotMade(const char* what) {
  return absl::ResourceExhaustedError(absl::StrCat("libcurl: cannot make ", what));
}

// What became of a request that has no answer.
absl::Status StatusOfTransfer(CURLcode code, const char* problem, const std::string& endpoint) {
  const std::string text =
      absl::StrCat(endpoint, ": ", *problem != '\0' ? problem : curl_easy_strerror(code),
                   " (libcurl ", static_cast<int>(code), ")");
  switch (code) {
    case CURLE_OK:
      return absl::OkStatus();
    case CURLE_OPERATION_TIMEDOUT:
      return absl::DeadlineExceededError(text);
    case CURLE_PEER_FAILED_VERIFICATION:
      return absl::FailedPreconditionError(
          absl::StrCat(text, "; its certificate is not trusted: give the file of its authority"));
    case CURLE_SSL_CACERT_BADFILE:
      return absl::InvalidArgumentError(
          absl::StrCat(text, "; the file of certificates cannot be read"));
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return absl::FailedPreconditionError(absl::StrCat(text, "; is it the right host and port?"));
    case CURLE_URL_MALFORMAT:
      return absl::InvalidArgumentError(text);
    default:
      return absl::UnavailableError(text);
  }
}

class CurlClient final : public Client {
 public:
  explicit CurlClient(const ClientSettings& settings)
      : settings_(settings),
        sign_with_(absl::StrCat("aws:amz:", settings.region, ":sqs")),
        exchanges_(settings.requests_max) {}

  ~CurlClient() override { CurlClient::Cancel(); }
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  absl::Status Open();
  void SetCredentials(const Credentials& credentials) override { credentials_ = credentials; }
  absl::Status Start(std::uint64_t tag, std::string_view action, std::string body) override;
  void Run(std::chrono::milliseconds timeout, std::vector<Answer>* answers) override;
  void Cancel() override;
  [[nodiscard]] std::size_t in_flight() const override { return in_flight_; }
  [[nodiscard]] bool has_room() const override { return in_flight_ < exchanges_.size(); }

 private:
  absl::Status Prepare(Exchange* exchange);
  void Collect(std::vector<Answer>* answers);

  const ClientSettings settings_;
  const std::string sign_with_;
  Credentials credentials_;
  std::unique_ptr<CURLM, FreeMulti> multi_;
  std::vector<Exchange> exchanges_;  // destroyed before multi_; none is in it then
  std::size_t in_flight_ = 0;
};

absl::Status CurlClient::Open() {
  // libcurl wants this once in a process; a static is made by one thread, however many come.
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (ready != CURLE_OK) return NotMade("itself");
  multi_.reset(curl_multi_init());
  if (multi_ == nullptr) return NotMade("its connections");
  const long connections = static_cast<long>(settings_.requests_max);
  if (curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, connections) != CURLM_OK) {
    return NotMade("its connections");
  }
  return absl::OkStatus();
}

absl::Status CurlClient::Prepare(Exchange* exchange) {
  if (exchange->easy == nullptr) exchange->easy.reset(curl_easy_init());
  if (exchange->easy == nullptr) return NotMade("a request");
  CURL* const easy = exchange->easy.get();
  const auto timeout = static_cast<long>(settings_.timeout.count());
  const bool is_plain = settings_.endpoint.starts_with("http:");
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = good && curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  curl_easy_reset(easy);  // keeps the connections
  set(CURLOPT_URL, settings_.endpoint.c_str());
  set(CURLOPT_PROTOCOLS_STR, is_plain ? "http" : "https");
  if (is_plain) set(CURLOPT_NOPROXY, "*");  // an emulator stands near
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TIMEOUT_MS, timeout);
  set(CURLOPT_CONNECTTIMEOUT_MS, timeout);
  set(CURLOPT_EXPECT_100_TIMEOUT_MS, 1L);
  set(CURLOPT_ERRORBUFFER, exchange->problem.data());
  set(CURLOPT_WRITEFUNCTION, &Receive);
  set(CURLOPT_WRITEDATA, &exchange->received);
  set(CURLOPT_PRIVATE, exchange);
  set(CURLOPT_USERAGENT, "daybook");
  if (!settings_.tls_ca_file.empty()) set(CURLOPT_CAINFO, settings_.tls_ca_file.c_str());
  // libcurl signs what stands here and in `headers`; a header that is given to be left out ("X:")
  // it would sign and not send.
  set(CURLOPT_AWS_SIGV4, sign_with_.c_str());
  set(CURLOPT_USERNAME, credentials_.key_id.c_str());
  set(CURLOPT_PASSWORD, credentials_.secret.c_str());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, exchange->sent.c_str());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(exchange->sent.size()));
  set(CURLOPT_HTTPHEADER, exchange->headers.get());
  return good ? absl::OkStatus() : NotMade("a request as it has to be (is it older than 7.88?)");
}

absl::Status CurlClient::Start(std::uint64_t tag, std::string_view action, std::string body) {
  const auto free = std::find_if(exchanges_.begin(), exchanges_.end(),
                                 [](const Exchange& exchange) { return !exchange.is_busy; });
  if (free == exchanges_.end()) return absl::InternalError("more requests than were agreed on");
  free->tag = tag;
  free->sent = std::move(body);
  free->received.clear();
  free->problem[0] = '\0';
  free->headers.reset();
  bool good = Append("Content-Type: application/x-amz-json-1.0", &free->headers) &&
              Append(absl::StrCat("X-Amz-Target: AmazonSQS.", ToAbsl(action)), &free->headers);
  if (!credentials_.session_token.empty()) {
    good = good && Append(absl::StrCat("X-Amz-Security-Token: ", credentials_.session_token),
                          &free->headers);
  }
  if (!good) return NotMade("the headers of a request");
  DAYBOOK_RETURN_IF_ERROR(Prepare(&*free));
  if (curl_multi_add_handle(multi_.get(), free->easy.get()) != CURLM_OK) {
    return NotMade("a request");
  }
  free->is_busy = true;
  ++in_flight_;
  return absl::OkStatus();
}

void CurlClient::Collect(std::vector<Answer>* answers) {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const easy = message->easy_handle;
    const CURLcode result = message->data.result;  // the message is gone with the handle
    char* owner = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    auto* exchange = reinterpret_cast<Exchange*>(owner);
    Answer answer;
    answer.tag = exchange->tag;
    answer.status = StatusOfTransfer(result, exchange->problem.data(), settings_.endpoint);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer.code);
    curl_off_t wait = 0;
    curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait);
    answer.retry_after = std::chrono::seconds(std::clamp<std::int64_t>(wait, 0, kRetryAfterMax));
    answer.body = std::move(exchange->received);
    curl_multi_remove_handle(multi_.get(), easy);
    exchange->is_busy = false;
    exchange->sent = std::string();
    --in_flight_;
    answers->push_back(std::move(answer));
  }
}

void CurlClient::Run(std::chrono::milliseconds timeout, std::vector<Answer>* answers) {
  int running = 0;
  curl_multi_perform(multi_.get(), &running);
  const std::size_t before = answers->size();
  Collect(answers);
  if (answers->size() > before || timeout.count() <= 0 || in_flight_ == 0) return;
  curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(timeout.count()), nullptr);
  curl_multi_perform(multi_.get(), &running);
  Collect(answers);
}

void CurlClient::Cancel() {
  for (Exchange& exchange : exchanges_) {
    if (exchange.is_busy) curl_multi_remove_handle(multi_.get(), exchange.easy.get());
    exchange.is_busy = false;
  }
  in_flight_ = 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Make(const ClientSettings& settings) {
  auto client = std::make_unique<CurlClient>(settings);
  DAYBOOK_RETURN_IF_ERROR(client->Open());
  return client;
}

}  // namespace daybook::sqs
