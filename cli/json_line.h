// What the printers have in common that write an object of JSON a line.

#ifndef DAYBOOK_CLI_JSON_LINE_H_
#define DAYBOOK_CLI_JSON_LINE_H_

#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "daybook/values.h"

namespace daybook::cli {

using Json = nlohmann::ordered_json;

// What is no UTF-8 is replaced: names and keys may be any bytes.
inline void AppendLine(const Json& json, std::string& out) {
  out.append(json.dump(-1, ' ', false, Json::error_handler_t::replace)).push_back('\n');
}

// Seconds with three decimals.
inline double Rounded(double seconds) { return std::round(seconds * 1000) / 1000; }

inline Json TimeOrNull(const std::optional<Timestamp>& time) {
  return time ? Json(time->ToString()) : Json(nullptr);
}

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_JSON_LINE_H_
