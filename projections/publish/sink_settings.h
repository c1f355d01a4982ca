// Reading SinkSettings: what a sink does not use is refused, not passed over.

#ifndef DAYBOOK_PUBLISH_SINK_SETTINGS_H_
#define DAYBOOK_PUBLISH_SINK_SETTINGS_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/sink.h"

namespace daybook {

class SettingsReader {
 public:
  // `sink` names it in messages.
  SettingsReader(const SinkSettings& settings, std::string_view sink)
      : settings_(settings), sink_(sink) {}

  // The value of an option; the last of equal names counts.
  std::optional<std::string> Option(std::string_view name);
  // The same as a number; kInvalidArgument.
  absl::StatusOr<std::uint64_t> Number(std::string_view name, std::uint64_t otherwise);

  // kInvalidArgument where an option was given that was not asked for, or (`is_plain`) anything
  // that is for brokers: a destination, a key, headers, TLS, credentials.
  [[nodiscard]] absl::Status NothingElse(bool is_plain = true) const;

 private:
  const SinkSettings& settings_;
  const std::string sink_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace daybook

#endif  // DAYBOOK_PUBLISH_SINK_SETTINGS_H_
