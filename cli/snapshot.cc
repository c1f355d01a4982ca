#include "cli/snapshot.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/terminal_text.h"
#include "daybook/json_text.h"
#include "daybook/snapshots.h"

namespace daybook::cli {
namespace {

void Append(const SnapshotInfo& info, OutputMode mode, std::string& out) {
  if (mode == OutputMode::kText) {
    absl::StrAppend(&out, Printable(info.stream), "  version ", info.version.value(), "  position ",
                    info.position.value(), "  ", Printable(info.fold), " revision ", info.revision,
                    "  ", info.bytes, " bytes\n");
    return;
  }
  out.append("{\"stream\":");
  AppendJsonString(info.stream, out);
  out.append(",\"fold\":");
  AppendJsonString(info.fold, out);
  absl::StrAppend(&out, ",\"revision\":", info.revision, ",\"version\":", info.version.value(),
                  ",\"position\":", info.position.value(), ",\"bytes\":", info.bytes, "}\n");
}

absl::StatusOr<std::vector<SnapshotInfo>> Drop(const Reader& reader, const std::string& stream,
                                               Console& console) {
  // Opening makes the folder where it is missing; to remove nothing needs none.
  absl::StatusOr<std::vector<SnapshotInfo>> listed = ListSnapshots(reader, stream);
  if (listed.ok() && listed->empty()) return listed;
  SnapshotStoreOptions options;
  options.on_notice = console.notice_handler();
  const absl::StatusOr<std::unique_ptr<SnapshotStore>> snapshots =
      SnapshotStore::Open(reader, options);
  if (!snapshots.ok()) return snapshots.status();
  return (*snapshots)->Drop(stream);
}

}  // namespace

absl::Status RunSnapshot(const SnapshotFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::vector<SnapshotInfo>> snapshots =
      flags.action == SnapshotFlags::Action::kDrop ? Drop(**reader, flags.stream, console)
                                                   : ListSnapshots(**reader, flags.stream);
  if (!snapshots.ok()) return snapshots.status();
  for (const SnapshotInfo& info : *snapshots) {
    if (console.out().closed()) break;
    Append(info, console.mode(), console.out().buffer());
    DAYBOOK_CLI_RETURN_IF_ERROR(console.out().FlushIfLarge());
  }
  return absl::OkStatus();
}

}  // namespace daybook::cli
