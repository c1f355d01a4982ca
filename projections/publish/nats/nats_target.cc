#include "projections/publish/nats/nats_target.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace daybook {
namespace {

constexpr std::string_view kDefaultSubject = "ledger.{category}.{type}";
constexpr std::string_view kDefaultPort = "4222";
constexpr std::size_t kStreamNameMax = 255;

absl::Status Refused(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("nats: ", ToAbsl(what)));
}

bool IsTokenText(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [more](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || more.find(c) != more.npos;
  });
}

// A host with its port: "h", "h:1", "[::1]:1".
absl::StatusOr<std::string> ParseServer(std::string_view text) {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  if (bracket == std::string_view::npos) return Refused("a '[' without ']' in the URL");
  const std::size_t colon = text.find(':', bracket);
  const std::string_view host = text.substr(0, colon);
  const std::string_view port =
      colon == std::string_view::npos ? kDefaultPort : text.substr(colon + 1);
  if (!IsTokenText(host, ".-_[]:%")) {
    return Refused(absl::StrCat("\"", ToAbsl(text), "\" in the URL is no host"));
  }
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size() || number == 0) {
    return Refused(absl::StrCat("\"", ToAbsl(port), "\" in the URL is no port"));
  }
  return absl::StrCat(ToAbsl(host), ":", ToAbsl(port));
}

absl::Status ParseUrl(std::string_view url, NatsTarget* target) {
  constexpr std::string_view kPlain = "nats://", kTls = "tls://";
  target->tls = url.starts_with(kTls);
  const std::string_view scheme = target->tls ? kTls : kPlain;
  if (!url.starts_with(scheme)) {
    return Refused("the URL must be nats://host:port[,host:port]/STREAM, or tls://...");
  }
  // The text is not repeated: there is a password in it.
  if (url.find('@') != std::string_view::npos) {
    return Refused(
        "the URL has a user in it; set DAYBOOK_NATS_USER and DAYBOOK_NATS_PASSWORD, or give a "
        "credentials file");
  }
  std::vector<std::string> hosts;
  std::optional<std::string_view> stream;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(url), ',')) {
    if (stream) return Refused("the stream stands behind the last server in the URL");
    std::string_view server = ToStd(part);
    // Each may have the scheme before it, as NATS writes lists of servers.
    if (server.starts_with(scheme)) server.remove_prefix(scheme.size());
    const std::size_t slash = server.find('/');
    if (slash != std::string_view::npos) stream = server.substr(slash + 1);
    DAYBOOK_ASSIGN_OR_RETURN(std::string host, ParseServer(server.substr(0, slash)));
    target->servers.push_back(absl::StrCat(ToAbsl(kPlain), host));
    hosts.push_back(std::move(host));
  }
  target->stream = stream.value_or("");
  if (!target->stream.empty() &&
      (!IsTokenText(target->stream, "_-") || target->stream.size() > kStreamNameMax)) {
    return Refused(absl::StrCat("\"", target->stream, "\" in the URL is no name of a stream"));
  }
  target->url = absl::StrCat(ToAbsl(scheme), absl::StrJoin(hosts, ","));
  if (!target->stream.empty()) absl::StrAppend(&target->url, "/", target->stream);
  return absl::OkStatus();
}

// The subjects that a template can make: a token with a field in it is any token, since a field is
// never empty and has no dots.
std::string FilterOf(std::string_view text) {
  std::string filter;
  bool in_field = false, wild = false;
  std::string token;
  const auto end_token = [&] {
    filter.append(wild ? "*" : token);
    token.clear();
    wild = false;
  };
  for (const char c : text) {
    if (c == '{') in_field = wild = true;
    if (c == '.' && !in_field) {
      end_token();
      filter.push_back('.');
    } else {
      token.push_back(c);
    }
    if (c == '}') in_field = false;
  }
  end_token();
  return filter;
}

absl::Status ParseSubject(const SinkSettings& settings, NatsTarget* target) {
  const std::string_view text =
      settings.destination.empty() ? kDefaultSubject : std::string_view(settings.destination);
  absl::StatusOr<NameTemplate> subject = NameTemplate::Parse(text);
  if (!subject.ok()) {
    return Refused(absl::StrCat("the subject: ", subject.status().message()));
  }
  target->subject = *std::move(subject);
  target->filter = FilterOf(text);
  if (text.find("{{") != text.npos || text.find("}}") != text.npos || text.starts_with('$')) {
    return Refused("a subject with braces in it, or one that begins with '$', is not for events");
  }
  for (const absl::string_view token : absl::StrSplit(ToAbsl(target->filter), '.')) {
    const bool printable = std::all_of(token.begin(), token.end(),
                                       [](char c) { return c > ' ' && c < 0x7F && c != '>'; });
    if (token.empty() || !printable) {
      return Refused(absl::StrCat("\"", ToAbsl(text), "\" makes no subject that can be sent to"));
    }
  }
  // A '*' of the filter is a field; one of the text is a wildcard, which nothing is sent to.
  if (text.find('*') != text.npos) {
    return Refused(absl::StrCat("\"", ToAbsl(text), "\" makes no subject that can be sent to"));
  }
  return absl::OkStatus();
}

absl::Status ParseHeaders(const SinkSettings& settings, NatsTarget* target) {
  for (const auto& [name, value] : settings.headers) {
    const bool ours = absl::StartsWithIgnoreCase(name, "nats-") ||
                      absl::StartsWithIgnoreCase(name, "ce-") ||
                      absl::EqualsIgnoreCase(name, "content-type");
    if (!IsTokenText(name, "_-") || ours) {
      return Refused(absl::StrCat("\"", name, "\" is no name for a header of yours"));
    }
    absl::StatusOr<NameTemplate> parsed = NameTemplate::Parse(value);
    if (!parsed.ok()) {
      return Refused(absl::StrCat("the header ", name, ": ", parsed.status().message()));
    }
    target->headers.push_back({name, *std::move(parsed)});
  }
  return absl::OkStatus();
}

absl::Status ParseOptions(const SinkSettings& settings, NatsTarget* target) {
  for (const auto& [name, value] : settings.options) {
    if (name != "domain" && name != "inbox_prefix") {
      return Refused(absl::StrCat("no option \"", name, "\"; there are domain, inbox_prefix"));
    }
    if (!IsTokenText(value, name == "domain" ? "_-" : "_-.") || value.ends_with('.')) {
      return Refused(absl::StrCat("\"", value, "\" is no ", name));
    }
    (name == "domain" ? target->domain : target->inbox_prefix) = value;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NatsTarget> ParseNatsTarget(const SinkSettings& settings) {
  if (!settings.key.empty()) {
    return Refused("there is no key: a JetStream stream keeps the order of all of it");
  }
  if (settings.unordered) {
    return Refused("unordered means nothing: a JetStream stream keeps the order of all of it");
  }
  if (settings.timeout < std::chrono::milliseconds(1)) return Refused("the timeout is too short");
  NatsTarget target;
  DAYBOOK_RETURN_IF_ERROR(ParseUrl(settings.url, &target));
  DAYBOOK_RETURN_IF_ERROR(ParseSubject(settings, &target));
  DAYBOOK_RETURN_IF_ERROR(ParseHeaders(settings, &target));
  DAYBOOK_RETURN_IF_ERROR(ParseOptions(settings, &target));
  if (settings.tls_certificate_file.empty() != settings.tls_key_file.empty()) {
    return Refused("a certificate for TLS and its key come together");
  }
  target.tls |= !settings.tls_ca_file.empty() || !settings.tls_certificate_file.empty();
  return target;
}

bool SubjectMatches(std::string_view pattern, std::string_view subject) {
  for (;;) {
    const std::size_t pattern_dot = pattern.find('.');
    const std::size_t subject_dot = subject.find('.');
    const std::string_view token = pattern.substr(0, pattern_dot);
    const std::string_view of_subject = subject.substr(0, subject_dot);
    if (token == ">") return true;
    if (token != of_subject && (token != "*" || of_subject == ">")) return false;
    if (pattern_dot == std::string_view::npos || subject_dot == std::string_view::npos) {
      return pattern_dot == subject_dot;
    }
    pattern.remove_prefix(pattern_dot + 1);
    subject.remove_prefix(subject_dot + 1);
  }
}

std::string PercentDecoded(std::string_view value) {
  std::string text;
  text.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::uint8_t byte = 0;
    const char* digits = value.data() + i + 1;
    if (value[i] == '%' && i + 2 < value.size() &&
        std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      text.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      text.push_back(value[i]);
    }
  }
  return text;
}

}  // namespace daybook
