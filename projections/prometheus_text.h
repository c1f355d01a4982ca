// The text exposition format of Prometheus, 0.0.4, line by line.

#ifndef DAYBOOK_PROJECTIONS_PROMETHEUS_TEXT_H_
#define DAYBOOK_PROJECTIONS_PROMETHEUS_TEXT_H_

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"

namespace daybook {

// The value of a label, without its quotes.
inline std::string PrometheusLabel(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\' || c == '"' || c == '\n') text.push_back('\\');
    text.push_back(c == '\n' ? 'n' : c);
  }
  return text;
}

inline void AppendMetricHead(std::string_view name, std::string_view type, std::string_view help,
                             std::string* out) {
  absl::StrAppend(out, "# HELP ", ToAbsl(name), " ", ToAbsl(help), "\n# TYPE ", ToAbsl(name), " ",
                  ToAbsl(type), "\n");
}

inline void AppendMetric(std::string_view name, std::string_view labels, double value,
                         std::string* out) {
  absl::StrAppend(out, ToAbsl(name), "{", ToAbsl(labels), "} ", absl::StrFormat("%.17g", value),
                  "\n");
}

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_PROMETHEUS_TEXT_H_
