#include "projections/publish/sink_settings.h"

#include <charconv>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {

std::optional<std::string> SettingsReader::Option(std::string_view name) {
  known_.emplace(name);
  std::optional<std::string> found;
  for (const auto& [option, value] : settings_.options) {
    if (option == name) found = value;
  }
  return found;
}

absl::StatusOr<std::uint64_t> SettingsReader::Number(std::string_view name,
                                                     std::uint64_t otherwise) {
  const std::optional<std::string> text = Option(name);
  if (!text) return otherwise;
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the option ", ToAbsl(name), " is a number, and not '", *text, "'"));
  }
  return value;
}

absl::Status SettingsReader::NothingElse(bool is_plain) const {
  for (const auto& [option, value] : settings_.options) {
    if (!known_.contains(option)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a sink of kind ", sink_, " has no option '", option, "'"));
    }
  }
  const SinkSettings& s = settings_;
  if (is_plain &&
      !(s.destination.empty() && s.key.empty() && s.headers.empty() && s.tls_ca_file.empty() &&
        s.tls_certificate_file.empty() && s.tls_key_file.empty() && s.credentials_file.empty())) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a sink of kind ", sink_,
        " has no subject, topic or queue, no key, no headers, no TLS and no credentials"));
  }
  return absl::OkStatus();
}

}  // namespace daybook
