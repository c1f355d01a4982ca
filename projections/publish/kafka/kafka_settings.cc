#include "projections/publish/kafka/kafka_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <span>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "io/file.h"

namespace daybook {
namespace {

constexpr std::size_t kTopicBytesMax = 249;
constexpr std::size_t kCredentialsBytesMax = std::size_t{1} << 20;
constexpr std::string_view kPlainScheme = "kafka://";
constexpr std::string_view kTlsScheme = "kafka+tls://";

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("kafka: ", ToAbsl(what)));
}

template <class Number>
bool ParseNumber(std::string_view text, Number least, Number most, Number* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size() && *number >= least &&
         *number <= most;
}

bool IsHostByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '.' || c == '_';
}

// "host", "host:port" or "[::1]:port" to "host:port".
absl::StatusOr<std::string> ParseBroker(std::string_view text) {
  std::string_view host = text;
  std::string_view port = "9092";
  const std::size_t colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (colon != std::string_view::npos && text.find(']', colon) == std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const std::string_view inner =
      bracketed && host.ends_with(']') ? host.substr(1, host.size() - 2) : host;
  const bool host_ok = !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](char c) {
    return IsHostByte(c) || (bracketed && c == ':');
  });
  int number = 0;
  if (!host_ok || !ParseNumber(port, 1, 65535, &number)) {
    return Bad(absl::StrCat("'", ToAbsl(text), "' is no broker; write HOST:PORT"));
  }
  return absl::StrCat(ToAbsl(host), ":", number);
}

absl::Status ParseUrl(std::string_view url, KafkaSettings* out, bool* tls) {
  constexpr std::string_view kForm = "write kafka://HOST:PORT or kafka+tls://HOST:PORT";
  *tls = url.starts_with(kTlsScheme);
  if (!*tls && !url.starts_with(kPlainScheme)) {
    return Bad(absl::StrCat("this is no URL of Kafka; ", ToAbsl(kForm)));
  }
  std::string_view rest = url.substr((*tls ? kTlsScheme : kPlainScheme).size());
  if (rest.find('@') != std::string_view::npos) {
    return Bad(
        "a URL must not hold a user or a password; give them in DAYBOOK_KAFKA_USERNAME and "
        "DAYBOOK_KAFKA_PASSWORD, or in a file of credentials");
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos) {
    return Bad(
        absl::StrCat("the URL names brokers and nothing else (a topic is a setting of its "
                     "own); ",
                     ToAbsl(kForm)));
  }
  std::vector<std::string> brokers;
  for (const absl::string_view one : absl::StrSplit(ToAbsl(rest), ',')) {
    DAYBOOK_ASSIGN_OR_RETURN(std::string broker, ParseBroker(ToStd(one)));
    brokers.push_back(std::move(broker));
  }
  for (const std::string& broker : brokers) {
    absl::StrAppend(&out->brokers, out->brokers.empty() ? "" : ",", broker);
  }
  // In whatever order the brokers are named, it is the same destination.
  std::sort(brokers.begin(), brokers.end());
  out->destination = std::string(*tls ? kTlsScheme : kPlainScheme);
  for (std::size_t i = 0; i < brokers.size(); ++i) {
    absl::StrAppend(&out->destination, i == 0 ? "" : ",", brokers[i]);
  }
  return absl::OkStatus();
}

absl::Status ParseOptions(const SinkSettings& settings, KafkaSettings* out, std::string* sasl) {
  for (const auto& option : settings.options) {
    const std::string& name = option.first;
    const std::string& value = option.second;
    const auto one_of = [&](std::initializer_list<std::string_view> values) {
      return std::find(values.begin(), values.end(), value) != values.end();
    };
    bool known = true;
    bool good = true;
    if (name == "mode") {
      good = one_of({"transactional", "idempotent"});
      out->transactional = value == "transactional";
    } else if (name == "name") {
      good = !value.empty();
      out->name = value;
    } else if (name == "cursor-topic") {
      good = IsKafkaTopicName(value);
      out->cursor_topic = value;
    } else if (name == "sasl-mechanism") {
      good = one_of({"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"});
      *sasl = value;
    } else if (name == "compression") {
      good = one_of({"none", "gzip", "snappy", "lz4", "zstd"});
      out->compression = value;
    } else if (name == "commit-ms") {
      std::int64_t count = 0;
      good = ParseNumber<std::int64_t>(value, 1, 30'000, &count);
      out->commit_interval = std::chrono::milliseconds(count);
    } else {
      known = false;
    }
    if (!known) {
      return Bad(absl::StrCat("there is no option '", name,
                              "'; there are mode, name, cursor-topic, sasl-mechanism, compression "
                              "and commit-ms"));
    }
    if (!good) return Bad(absl::StrCat("the option ", name, " cannot be '", value, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<NameTemplate> ParseTemplate(std::string_view text, std::string_view fallback,
                                           std::string_view what, bool unordered) {
  DAYBOOK_ASSIGN_OR_RETURN(NameTemplate parsed,
                           NameTemplate::Parse(text.empty() ? fallback : text));
  if (parsed.SplitsStreams() && !unordered) {
    return Bad(absl::StrCat("the ", ToAbsl(what), " '", parsed.text(),
                            "' splits a stream, so that its order is lost; use {stream} or "
                            "{category}, or say that the order does not matter (unordered)"));
  }
  return parsed;
}

absl::Status ParseNames(const SinkSettings& settings, KafkaSettings* out) {
  DAYBOOK_ASSIGN_OR_RETURN(out->topic, ParseTemplate(settings.destination, "ledger.{category}",
                                                     "topic", settings.unordered));
  DAYBOOK_ASSIGN_OR_RETURN(out->key,
                           ParseTemplate(settings.key, "{stream}", "key", settings.unordered));
  // What stands outside of braces goes into the topic as it is.
  std::string sample;
  out->topic.AppendTo(EventView{}, NameEscape::kToken, &sample);
  if (!IsKafkaTopicName(sample)) {
    return Bad(absl::StrCat("'", out->topic.text(),
                            "' makes no name of a topic; it holds letters, digits, '.', '_' and "
                            "'-' only"));
  }
  for (const auto& [name, text] : settings.headers) {
    if (name.empty() || name.starts_with("ce_") || name == "content-type" ||
        name == "daybook-dedupe-key") {
      return Bad(absl::StrCat("'", name, "' is a header of the envelope; name it otherwise"));
    }
    DAYBOOK_ASSIGN_OR_RETURN(NameTemplate value, NameTemplate::Parse(text));
    out->headers.emplace_back(name, std::move(value));
  }
  return absl::OkStatus();
}

// Lines `name=value`; the values are nobody's business, and are in no message.
absl::Status ReadCredentials(const std::string& path, KafkaSettings::Properties* out) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size > kCredentialsBytesMax) return Bad(absl::StrCat(path, " is no file of credentials"));
  std::string text(static_cast<std::size_t>(size), '\0');
  DAYBOOK_RETURN_IF_ERROR(
      file.ReadAt(0, std::as_writable_bytes(std::span(text.data(), text.size()))));
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line[0] == '#') continue;
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits('=', 1));
    const std::string_view name = ToStd(absl::StripAsciiWhitespace(parts.first));
    if (!name.starts_with("sasl.") && !name.starts_with("ssl.") && !name.starts_with("security.")) {
      return Bad(absl::StrCat(path, ", line ", number,
                              ": a line of credentials is name=value, and the name begins with "
                              "sasl., ssl. or security."));
    }
    out->emplace_back(name, std::string(absl::StripAsciiWhitespace(parts.second)));
  }
  return absl::OkStatus();
}

// What the file says of the protocol can add TLS, and never take it away.
absl::Status TakeProtocol(KafkaSettings::Properties* properties, bool* tls) {
  for (auto it = properties->begin(); it != properties->end();) {
    if (it->first != "security.protocol") {
      ++it;
      continue;
    }
    std::string value = it->second;
    absl::AsciiStrToLower(&value);
    *tls |= value == "ssl" || value == "sasl_ssl";
    if (!*tls && value != "plaintext" && value != "sasl_plaintext") {
      return Bad("security.protocol is one of plaintext, ssl, sasl_plaintext and sasl_ssl");
    }
    it = properties->erase(it);
  }
  return absl::OkStatus();
}

absl::Status ReadEnvironment(std::string mechanism, KafkaSettings::Properties* out) {
  const char* const user = std::getenv("DAYBOOK_KAFKA_USERNAME");
  const char* const password = std::getenv("DAYBOOK_KAFKA_PASSWORD");
  if (mechanism.empty() && user == nullptr) return absl::OkStatus();
  if (user == nullptr || password == nullptr) {
    return Bad("SASL needs DAYBOOK_KAFKA_USERNAME and DAYBOOK_KAFKA_PASSWORD in the environment");
  }
  out->emplace_back("sasl.mechanism", mechanism.empty() ? "PLAIN" : std::move(mechanism));
  out->emplace_back("sasl.username", user);
  out->emplace_back("sasl.password", password);
  return absl::OkStatus();
}

absl::Status ParseSecurity(const SinkSettings& settings, bool tls, std::string mechanism,
                           KafkaSettings* out) {
  const std::array<std::pair<std::string_view, const std::string*>, 3> files = {{
      {"ssl.ca.location", &settings.tls_ca_file},
      {"ssl.certificate.location", &settings.tls_certificate_file},
      {"ssl.key.location", &settings.tls_key_file},
  }};
  for (const auto& [name, path] : files) {
    if (path->empty()) continue;
    DAYBOOK_RETURN_IF_ERROR(File::OpenRead(*path).status());
    out->security.emplace_back(name, *path);
    tls = true;
  }
  if (settings.credentials_file.empty()) {
    DAYBOOK_RETURN_IF_ERROR(ReadEnvironment(std::move(mechanism), &out->security));
  } else {
    if (!mechanism.empty()) out->security.emplace_back("sasl.mechanism", std::move(mechanism));
    DAYBOOK_RETURN_IF_ERROR(ReadCredentials(settings.credentials_file, &out->security));
    DAYBOOK_RETURN_IF_ERROR(TakeProtocol(&out->security, &tls));
  }
  const bool sasl = std::any_of(out->security.begin(), out->security.end(),
                                [](auto& property) { return property.first.starts_with("sasl."); });
  constexpr std::array<std::array<std::string_view, 2>, 2> kProtocols = {
      {{"plaintext", "ssl"}, {"sasl_plaintext", "sasl_ssl"}}};
  out->security.emplace_back("security.protocol", kProtocols[sasl ? 1 : 0][tls ? 1 : 0]);
  if (tls) {
    out->security.emplace(out->security.begin(), "ssl.endpoint.identification.algorithm", "https");
  }
  if (sasl && !tls && settings.on_notice) {
    settings.on_notice({Notice::Severity::kWarning,
                        "kafka: the password goes over the network as it is, or nearly so; use "
                        "kafka+tls://"});
  }
  return absl::OkStatus();
}

}  // namespace

bool IsKafkaTopicName(std::string_view name) {
  return !name.empty() && name.size() <= kTopicBytesMax && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), IsHostByte);
}

std::string KafkaSettings::TransactionalId(std::string_view incarnation) const {
  return absl::StrCat("daybook-", ToAbsl(incarnation), "-", name);
}

absl::StatusOr<KafkaSettings> ParseKafkaSettings(const SinkSettings& settings) {
  KafkaSettings out;
  bool tls = false;
  std::string sasl;
  DAYBOOK_RETURN_IF_ERROR(ParseUrl(settings.url, &out, &tls));
  DAYBOOK_RETURN_IF_ERROR(ParseOptions(settings, &out, &sasl));
  DAYBOOK_RETURN_IF_ERROR(ParseNames(settings, &out));
  DAYBOOK_RETURN_IF_ERROR(ParseSecurity(settings, tls, std::move(sasl), &out));
  absl::StrAppend(&out.destination, "/", out.topic.text());
  if (out.name.empty()) out.name = out.topic.text();
  if (settings.timeout <= std::chrono::milliseconds(0)) return Bad("the timeout is not positive");
  out.timeout = settings.timeout;
  out.on_notice = settings.on_notice;
  return out;
}

}  // namespace daybook
