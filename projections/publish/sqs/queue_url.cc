#include "projections/publish/sqs/queue_url.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::sqs {
namespace {

constexpr std::string_view kScheme = "sqs://";
constexpr std::string_view kPlainScheme = "sqs+http://";
constexpr std::string_view kFifo = ".fifo";
constexpr std::size_t kQueueNameMax = 80;

absl::Status BadUrl(std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the URL of the queue: ", ToAbsl(what),
                   "; it is sqs://HOST[:PORT]/ACCOUNT/QUEUE, as "
                   "sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo"));
}

bool IsNameByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         c == '-';
}

bool IsName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), IsNameByte);
}

bool IsHostByte(char c) { return IsNameByte(c) || c == '.' || c == ':' || c == '[' || c == ']'; }

bool IsPort(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc() && end == text.data() + text.size() && port > 0;
}

absl::Status SplitAuthority(std::string_view authority, QueueUrl* url) {
  if (!std::all_of(authority.begin(), authority.end(), IsHostByte)) {
    return BadUrl("the host is no name");
  }
  const std::size_t bracket = authority.rfind(']');  // of an IPv6 address, which has colons inside
  const std::size_t colon =
      authority.find(':', bracket == std::string_view::npos ? 0 : bracket + 1);
  if (colon != std::string_view::npos && !IsPort(authority.substr(colon + 1))) {
    return BadUrl("the port is no number of 1 to 65535");
  }
  url->authority = std::string(authority);
  url->host = std::string(authority.substr(0, colon));
  if (url->host.empty()) return BadUrl("it has no host");
  return absl::OkStatus();
}

}  // namespace

std::string QueueUrl::Endpoint() const {
  return absl::StrCat(is_plain_http ? "http://" : "https://", authority, "/");
}

std::string QueueUrl::ForRequests() const { return absl::StrCat(Endpoint(), account, "/", queue); }

std::string QueueUrl::ToString() const {
  return absl::StrCat(ToAbsl(is_plain_http ? kPlainScheme : kScheme), authority, "/", account, "/",
                      queue);
}

absl::StatusOr<QueueUrl> ParseQueueUrl(std::string_view url) {
  QueueUrl parsed;
  std::string_view rest = url;
  if (rest.starts_with(kPlainScheme)) {
    parsed.is_plain_http = true;
    rest.remove_prefix(kPlainScheme.size());
  } else if (rest.starts_with(kScheme)) {
    rest.remove_prefix(kScheme.size());
  } else {
    return BadUrl("it does not begin with sqs:// (or sqs+http://)");
  }
  // Wherever it stands: a password may hold a slash.
  if (rest.find('@') != std::string_view::npos) {
    return BadUrl(
        "it has a user or password; credentials come from the environment "
        "(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or from a file");
  }
  if (rest.find_first_of("?#%") != std::string_view::npos) return BadUrl("it has more than a path");
  const std::size_t first = rest.find('/');
  const std::size_t second =
      first == std::string_view::npos ? std::string_view::npos : rest.find('/', first + 1);
  if (second == std::string_view::npos) return BadUrl("it names no queue");
  DAYBOOK_RETURN_IF_ERROR(SplitAuthority(rest.substr(0, first), &parsed));
  parsed.account = std::string(rest.substr(first + 1, second - first - 1));
  parsed.queue = std::string(rest.substr(second + 1));
  if (!IsName(parsed.account)) return BadUrl("the account is no number or name");
  std::string_view name = parsed.queue;
  if (parsed.is_fifo()) name.remove_suffix(kFifo.size());
  if (!IsName(name) || parsed.queue.size() > kQueueNameMax) {
    return BadUrl("the queue's name is not 1 to 80 of [A-Za-z0-9_-], with or without .fifo");
  }
  return parsed;
}

std::string_view RegionOfHost(std::string_view host) {
  std::vector<std::string_view> labels;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t dot = std::min(host.find('.', at), host.size());
    labels.push_back(host.substr(at, dot - at));
    at = dot + 1;
  }
  const auto is_aws = [](std::string_view label) {
    return label == "amazonaws" || label == "vpce" || label == "api";
  };
  for (std::size_t i = 0; i + 2 < labels.size(); ++i) {
    // sqs.REGION.amazonaws.com[.cn], sqs-fips.REGION..., ID.sqs.REGION.vpce..., sqs.REGION.api.aws
    if ((labels[i] == "sqs" || labels[i] == "sqs-fips") && is_aws(labels[i + 2])) {
      return labels[i + 1];
    }
    // REGION.queue.amazonaws.com, the old form
    if (labels[i + 1] == "queue" && labels[i + 2] == "amazonaws") return labels[i];
  }
  return {};
}

}  // namespace daybook::sqs
