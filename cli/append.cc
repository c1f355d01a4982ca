#include "cli/append.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "cli/content_type.h"
#include "cli/input.h"
#include "cli/open_store.h"
#include "daybook/json_text.h"

namespace daybook::cli {
namespace {

// Reads what --data names, up to just over what an event can hold.
absl::StatusOr<std::string> ReadData(const std::string& data) {
  if (data != "-" && !data.starts_with('@')) return data;
  auto source = ByteSource::Open(data == "-" ? data : data.substr(1), Decompress::kNever);
  if (!source.ok()) return source.status();
  constexpr std::size_t kReadBytes = std::size_t{1} << 20;
  std::string bytes;
  std::size_t size = 0;
  while (size <= kEventBytesMax) {
    bytes.resize(size + kReadBytes);
    const absl::StatusOr<std::size_t> got = (*source)->Read({bytes.data() + size, kReadBytes});
    if (!got.ok()) return got.status();
    if (*got == 0) break;
    size += *got;
  }
  bytes.resize(size);
  return bytes;
}

void PrintResult(const AppendFlags& flags, const AppendedEvent& event, Console& console) {
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kText) {
    absl::StrAppend(&out, flags.stream, "@", event.version.value(), " at position ",
                    event.position.value(), ", id ", event.id.ToString(),
                    event.duplicate ? ", was there already\n" : "\n");
    return;
  }
  const nlohmann::ordered_json result = {{"stream", flags.stream},
                                         {"version", event.version.value()},
                                         {"position", event.position.value()},
                                         {"recorded_at", event.recorded_at.ToString()},
                                         {"id", event.id.ToString()},
                                         {"duplicate", event.duplicate}};
  out.append(result.dump()).push_back('\n');
}

}  // namespace

absl::StatusOr<NewEvent> EventOf(const AppendFlags& flags, std::string_view data) {
  NewEvent event;
  event.type = flags.type;
  event.effective_at = flags.effective_at;
  event.id = flags.id;
  event.tags.assign(flags.tags.begin(), flags.tags.end());
  std::string_view content_type =
      flags.data.has_value() ? "application/json" : "application/octet-stream";
  if (flags.content_type.has_value()) content_type = *flags.content_type;
  SetContentType(content_type, event);
  if (event.content_type == ContentType::kJson) {
    if (!IsJsonValue(data)) {
      return absl::InvalidArgumentError(
          "--data is not JSON, the event, give one JSON value or say what it is by --content-type");
    }
    data = TrimJson(data);
  }
  event.data = AsBytes(data);
  if (flags.metadata.has_value()) {
    if (!IsJsonObject(*flags.metadata)) {
      return absl::InvalidArgumentError(
          "--metadata is not a JSON object, the event, give an object");
    }
    if (!IsEmptyJsonObject(*flags.metadata)) event.metadata = TrimJson(*flags.metadata);
  }
  return event;
}

absl::Status RunAppend(const AppendFlags& flags, Console& console) {
  const absl::StatusOr<std::string> data = ReadData(flags.data.value_or(""));
  if (!data.ok()) return data.status();
  const absl::StatusOr<NewEvent> event = EventOf(flags, *data);
  if (!event.ok()) return event.status();
  // What the event says is checked before a store is made for it.
  Commit commit;
  DAYBOOK_CLI_RETURN_IF_ERROR(commit.Add(flags.stream, *event));
  DAYBOOK_CLI_RETURN_IF_ERROR(commit.Expect(flags.stream, flags.expected));

  absl::StatusOr<std::unique_ptr<Store>> store =
      OpenForAppend(flags.store, flags.create, Durability::kSync, console);
  if (!store.ok()) return store.status();
  const absl::StatusOr<AppendResult> result = (*store)->Append(commit);
  if (!result.ok()) return result.status();
  PrintResult(flags, result->events.front(), console);
  return absl::OkStatus();
}

}  // namespace daybook::cli
