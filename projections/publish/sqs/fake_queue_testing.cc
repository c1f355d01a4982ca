#include "projections/publish/sqs/fake_queue_testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "tests/catch.h"

namespace daybook::sqs::testing {
namespace {

// Reads until `text` holds the mark, and as many bytes behind it as `more` says of what is before.
template <class More>
bool ReadUntil(int connection, std::string_view mark, std::string* text, const More& more) {
  std::optional<std::size_t> whole;
  while (!whole || text->size() < *whole) {
    if (const std::size_t at = text->find(mark); !whole && at != std::string::npos) {
      whole = at + mark.size() + more(at);
      continue;
    }
    char buffer[65536];
    const ssize_t got = recv(connection, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    text->append(buffer, static_cast<std::size_t>(got));
  }
  return true;
}

void ParseHead(const std::string& head, Request* request) {
  std::size_t at = head.find("\r\n");
  request->line = head.substr(0, at);
  while (at < head.size()) {
    const std::size_t begin = at + 2;
    at = std::min(head.find("\r\n", begin), head.size());
    const std::size_t colon = head.find(':', begin);
    if (colon >= at) continue;
    request->headers[absl::AsciiStrToLower(head.substr(begin, colon - begin))] =
        std::string(absl::StripAsciiWhitespace(head.substr(colon + 1, at - colon - 1)));
  }
}

bool SendAll(int connection, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

std::string Request::action() const {
  const auto target = headers.find("x-amz-target");
  return target == headers.end() ? "" : target->second.substr(target->second.find('.') + 1);
}

std::vector<std::string> Request::Values(std::string_view name) const {
  std::vector<std::string> values;
  const std::string mark = "\"" + std::string(name) + "\":\"";
  for (std::size_t at = body.find(mark); at != std::string::npos; at = body.find(mark, at)) {
    at += mark.size();
    values.push_back(body.substr(at, body.find('"', at) - at));
  }
  return values;
}

std::string BatchAnswer(std::size_t entries,
                        const std::map<std::size_t, std::pair<std::string, bool>>& failed) {
  std::string good;
  std::string bad;
  for (std::size_t i = 0; i < entries; ++i) {
    if (const auto at = failed.find(i); at != failed.end()) {
      absl::StrAppend(&bad, bad.empty() ? "" : ",", "{\"Id\":\"", i, "\",\"Code\":\"",
                      at->second.first, "\",\"Message\":\"as the test wants\",\"SenderFault\":",
                      at->second.second ? "true" : "false", "}");
    } else {
      absl::StrAppend(&good, good.empty() ? "" : ",", "{\"Id\":\"", i, "\",\"MessageId\":\"m\"}");
    }
  }
  return absl::StrCat("{\"Successful\":[", good, "],\"Failed\":[", bad, "]}");
}

FakeQueue::FakeQueue(std::function<Reply(const Request&)> answer, std::size_t message_bytes_max)
    : answer_(std::move(answer)), message_bytes_max_(message_bytes_max) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listener_, plain, size) == 0);
  REQUIRE(listen(listener_, 64) == 0);
  REQUIRE(getsockname(listener_, plain, &size) == 0);
  port_ = ntohs(address.sin_port);
  accepting_ = std::thread([this] { Accept(); });
}

FakeQueue::~FakeQueue() {
  shutdown(listener_, SHUT_RDWR);
  accepting_.join();
  close(listener_);
  {
    const std::lock_guard lock(mutex_);
    for (const int connection : open_) shutdown(connection, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int connection : open_) close(connection);
}

std::string FakeQueue::Url(std::string_view queue) const {
  return absl::StrCat("sqs+http://127.0.0.1:", port_, "/000000000000/", std::string(queue));
}

std::vector<Request> FakeQueue::requests() {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void FakeQueue::Accept() {
  while (true) {
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    const int on = 1;
    setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++connections_;
    const std::lock_guard lock(mutex_);
    open_.push_back(connection);
    threads_.emplace_back([this, connection] { Serve(connection); });
  }
}

Reply FakeQueue::Answer(const Request& request) {
  const std::lock_guard lock(mutex_);
  if (request.action() == "GetQueueAttributes" && message_bytes_max_ > 0) {
    return {.body = absl::StrCat("{\"Attributes\":{\"MaximumMessageSize\":\"", message_bytes_max_,
                                 "\"}}")};
  }
  requests_.push_back(request);
  return answer_(request);
}

void FakeQueue::Serve(int connection) {
  std::string text;
  while (true) {
    Request request;
    const auto body_bytes = [&](std::size_t head_bytes) {
      ParseHead(text.substr(0, head_bytes), &request);
      return static_cast<std::size_t>(std::stoul(request.headers["content-length"]));
    };
    constexpr std::string_view kBlank = "\r\n\r\n";
    if (!ReadUntil(connection, kBlank, &text, body_bytes)) return;
    const std::size_t begin = text.find(kBlank) + kBlank.size();
    const std::size_t bytes = std::stoul(request.headers["content-length"]);
    request.body = text.substr(begin, bytes);
    text.erase(0, begin + bytes);
    const Reply reply = Answer(request);
    std::this_thread::sleep_for(reply.delay);
    if (reply.cut) {
      shutdown(connection, SHUT_RDWR);
      return;
    }
    if (!SendAll(connection, absl::StrCat("HTTP/1.1 ", reply.code,
                                          " Said\r\nContent-Length: ", reply.body.size(), "\r\n",
                                          reply.headers, "\r\n", reply.body))) {
      return;
    }
  }
}

}  // namespace daybook::sqs::testing
