#include "projections/publish/sqs/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook::sqs {
namespace {

constexpr std::size_t kAttributesMax = 8;  // SQS takes ten, and two are ours
constexpr std::size_t kAttributeNameMax = 256;
constexpr std::size_t kRequestsMax = 64;
constexpr std::size_t kMessageBytesMin = 1024;  // the least that a queue can be set to
constexpr std::size_t kMessageBytesMost = std::size_t{1} << 20;
// Emulators take any.
constexpr std::string_view kRegionOfEmulators = "us-east-1";

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("SQS: ", ToAbsl(what)));
}

absl::Status RefuseWhatIsNotOurs(const SinkSettings& given) {
  if (!given.destination.empty()) {
    return Bad("the queue stands in the URL; a template for the destination is not taken");
  }
  if (!given.tls_certificate_file.empty() || !given.tls_key_file.empty()) {
    return Bad("it knows its users by credentials, not by certificates");
  }
  if (given.timeout.count() <= 0) return Bad("the timeout is not more than zero");
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> NumberIn(std::string_view name, std::string_view text,
                                     std::size_t least, std::size_t most) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return Bad(absl::StrCat("the option ", ToAbsl(name), " is a number of ", least, " to ", most,
                            ", not '", ToAbsl(text), "'"));
  }
  return value;
}

absl::Status ReadOptions(const SinkSettings& given, Settings* settings) {
  for (const auto& [name, value] : given.options) {
    if (name == "region") {
      settings->client.region = value;
    } else if (name == "profile") {
      settings->profile = value;
    } else if (name == "max_message_bytes") {
      DAYBOOK_ASSIGN_OR_RETURN(settings->message_bytes_max,
                               NumberIn(name, value, kMessageBytesMin, kMessageBytesMost));
    } else if (name == "requests") {
      DAYBOOK_ASSIGN_OR_RETURN(settings->client.requests_max,
                               NumberIn(name, value, 1, kRequestsMax));
    } else {
      return Bad(absl::StrCat("there is no option '", name,
                              "'; there are region, profile, max_message_bytes and requests"));
    }
  }
  return absl::OkStatus();
}

absl::Status FindRegion(Settings* settings) {
  std::string& region = settings->client.region;
  if (region.empty()) region = std::string(RegionOfHost(settings->queue.host));
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    const char* const value = std::getenv(name);
    if (region.empty() && value != nullptr) region = value;
  }
  if (region.empty() && settings->queue.is_plain_http) region = std::string(kRegionOfEmulators);
  if (region.empty()) {
    return Bad("the host does not say which region it is of; set AWS_REGION or the option region");
  }
  if (!std::all_of(region.begin(), region.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
      })) {
    return Bad(absl::StrCat("'", region, "' is no region; one is eu-west-1"));
  }
  return absl::OkStatus();
}

absl::Status ReadGroup(const SinkSettings& given, Settings* settings) {
  MessageForm& form = settings->form;
  form.is_fifo = settings->queue.is_fifo();
  if (!form.is_fifo) {
    if (given.key.empty()) return absl::OkStatus();
    return Bad("a standard queue keeps no order, so a key has no use; a FIFO queue ends in .fifo");
  }
  DAYBOOK_ASSIGN_OR_RETURN(form.group,
                           NameTemplate::Parse(given.key.empty() ? "{stream}" : given.key));
  if (form.group.SplitsStreams() && !given.unordered) {
    return Bad(absl::StrCat("the key '", given.key,
                            "' puts events of one stream into several groups, so that their order "
                            "is lost; where that is meant, say unordered"));
  }
  return absl::OkStatus();
}

absl::Status CheckAttributeName(std::string_view name) {
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  if (name.empty() || name.size() > kAttributeNameMax || name.front() == '.' ||
      name.back() == '.' || name.find("..") != std::string_view::npos ||
      !std::all_of(name.begin(), name.end(), is_good) ||
      absl::StartsWithIgnoreCase(ToAbsl(name), "aws.") ||
      absl::StartsWithIgnoreCase(ToAbsl(name), "amazon.")) {
    return Bad(absl::StrCat("'", ToAbsl(name), "' is no name of an attribute: [A-Za-z0-9_.-]"));
  }
  return absl::OkStatus();
}

absl::Status ReadAttributes(const SinkSettings& given, Settings* settings) {
  if (given.headers.size() > kAttributesMax) {
    return Bad(absl::StrCat("at most ", kAttributesMax, " headers"));
  }
  std::vector<std::string_view> names = {"dedupe_key", "content_type"};
  for (const auto& [name, value] : given.headers) {
    DAYBOOK_RETURN_IF_ERROR(CheckAttributeName(name));
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      return Bad(absl::StrCat("the header '", name, "' is there already"));
    }
    names.push_back(name);
    DAYBOOK_ASSIGN_OR_RETURN(NameTemplate parsed, NameTemplate::Parse(value));
    settings->form.attributes.emplace_back(name, std::move(parsed));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Settings> ReadSettings(const SinkSettings& given) {
  Settings settings;
  DAYBOOK_ASSIGN_OR_RETURN(settings.queue, ParseQueueUrl(given.url));
  DAYBOOK_RETURN_IF_ERROR(RefuseWhatIsNotOurs(given));
  DAYBOOK_RETURN_IF_ERROR(ReadOptions(given, &settings));
  DAYBOOK_RETURN_IF_ERROR(FindRegion(&settings));
  DAYBOOK_RETURN_IF_ERROR(ReadGroup(given, &settings));
  DAYBOOK_RETURN_IF_ERROR(ReadAttributes(given, &settings));
  settings.client.endpoint = settings.queue.Endpoint();
  settings.client.tls_ca_file = given.tls_ca_file;
  settings.client.timeout = given.timeout;
  settings.credentials_file = given.credentials_file;
  return settings;
}

}  // namespace daybook::sqs
