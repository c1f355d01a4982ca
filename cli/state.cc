#include "cli/state.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/strings.h"
#include "cli/terminal_text.h"
#include "daybook/json_text.h"
#include "daybook/snapshots.h"

namespace daybook::cli {
namespace {

const char* NameOf(FoldOrder order) {
  return order == FoldOrder::kEffective ? "effective" : "position";
}

std::string TimeTextOrNull(const std::optional<Timestamp>& time) {
  return time.has_value() ? absl::StrCat("\"", time->ToString(), "\"") : "null";
}

// The moment of a basis that holds nothing has no time.
std::optional<Timestamp> RecordedAt(const Basis& basis) {
  if (basis.position == Position(0)) return std::nullopt;
  return basis.recorded_at;
}

void AppendJsonLine(const std::string& stream, const StateInfo& info, std::string_view state,
                    std::string& out) {
  const Basis& basis = info.basis;
  out.append("{\"stream\":");
  AppendJsonString(stream, out);
  absl::StrAppend(&out, ",\"basis\":{\"position\":", basis.position.value(),
                  ",\"version\":", basis.version.value(),
                  ",\"recorded_at\":", TimeTextOrNull(RecordedAt(basis)),
                  ",\"effective_at\":", TimeTextOrNull(basis.effective_at),
                  ",\"final\":", basis.final ? "true" : "false", "},\"events\":", info.events,
                  ",\"order\":\"", NameOf(info.order), "\",\"state\":", ToAbsl(state), "}\n");
}

void AppendText(const std::string& stream, const StateInfo& info, std::string_view state,
                std::string& out) {
  const Basis& basis = info.basis;
  absl::StrAppend(&out, Printable(stream), "  version ", basis.version.value());
  if (basis.position > Position(0)) {
    absl::StrAppend(&out, "  position ", basis.position.value(), "  recorded ",
                    basis.recorded_at.ToString());
  }
  if (basis.effective_at.has_value()) {
    absl::StrAppend(&out, "  effective up to ", basis.effective_at->ToString());
  }
  absl::StrAppend(&out, "  ", info.events, info.events == 1 ? " event" : " events",
                  info.order == FoldOrder::kEffective ? " by effective time" : "",
                  basis.final ? "  final" : "  not final yet");
  if (info.snapshot > Version(0)) {
    absl::StrAppend(&out, "  from the snapshot at version ", info.snapshot.value());
  }
  absl::StrAppend(&out, "\n", IndentedJson(state), "\n");
}

// The snapshots of the store, where they can be had: the answer is the same without.
std::shared_ptr<SnapshotStore> OpenSnapshots(const Reader& reader, Console& console) {
  SnapshotStoreOptions options;
  options.on_notice = console.notice_handler();
  absl::StatusOr<std::unique_ptr<SnapshotStore>> opened = SnapshotStore::Open(reader, options);
  if (opened.ok()) return *std::move(opened);
  console.PrintNotice(Notice::Severity::kInfo,
                      absl::StrCat("goes without snapshots, ", opened.status().message()));
  return nullptr;
}

}  // namespace

void AppendState(const std::string& stream, const StateInfo& info, std::string_view state,
                 OutputMode mode, std::string& out) {
  if (mode == OutputMode::kJson) {
    AppendJsonLine(stream, info, state, out);
  } else {
    AppendText(stream, info, state, out);
  }
}

absl::Status RunState(const StateFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  RepositoryOptions options;
  options.on_notice = console.notice_handler();
  if (flags.snapshots) options.snapshots = OpenSnapshots(**reader, console);
  options.policy.every_events = flags.snapshot_every;
  const std::shared_ptr<SnapshotStore> snapshots = options.snapshots;
  const Repository<JsonFold> repository(**reader, flags.fold, std::move(options));
  const absl::StatusOr<PastState<JsonState>> past = repository.LoadAt(flags.stream, flags.as_of);
  if (!past.ok()) return past.status();
  AppendState(flags.stream, past->info(), flags.fold.ToJson(past->state()), console.mode(),
              console.out().buffer());
  return snapshots == nullptr ? absl::OkStatus() : snapshots->Flush();
}

}  // namespace daybook::cli
