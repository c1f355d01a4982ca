#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "cli/flag_groups.h"

namespace daybook::cli {
namespace {

void AddStats(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<StatsFlags>();
  CLI::App& command = *AddCommand(app, "stats", "Print what the store holds, and its sizes", chosen,
                                  [flags] { return *flags; });
  AddStore(command, flags->store);
  AddNoMmap(command, flags->no_mmap);
}

void AddVerify(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<VerifyFlags>();
  CLI::App& command = *AddCommand(app, "verify", "Check every frame, link, sidecar and index entry",
                                  chosen, [flags] { return *flags; });
  command.add_option("STORE", flags->store, "The folder of the store, or of a backup")->required();
  AddNoMmap(command, flags->no_mmap);
  command.add_flag("--fast", flags->fast, "Frames only");
  command.add_flag("--snapshots", flags->snapshots, "Snapshots too");
  command.add_flag("--projections", flags->projections, "Projections too");
}

void AddRepair(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<RepairFlags>();
  CLI::App& command =
      *AddCommand(app, "repair", "Rebuild what is derived, and restore what is damaged", chosen,
                  [flags] { return *flags; });
  AddStore(command, flags->store);
  command
      .add_option("--from-backup", flags->from_backup,
                  "Take damaged bytes from this backup, or copy of the store")
      ->type_name("DIR");
  command.add_flag("--accept-loss", flags->accept_loss, "Give up what cannot be restored");
  command.add_flag("--dry-run", flags->dry_run, "Say what would be done, and change nothing");
}

void AddBackup(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<BackupFlags>();
  CLI::App& command = *AddCommand(app, "backup", "Bring a backup up to date, while the store runs",
                                  chosen, [flags] { return *flags; });
  AddStore(command, flags->store);
  command.add_option("DIR", flags->backup, "The folder of the backup; made where it is missing")
      ->required();
  command.add_flag("--fast", flags->fast,
                   "Of what is there already check only what the new part stands on");
  AddNoMmap(command, flags->no_mmap);
}

void AddRestore(CLI::App& app, Finish& chosen) {
  const auto flags = std::make_shared<RestoreFlags>();
  CLI::App& command = *AddCommand(app, "restore", "Make a store of a backup, in a new folder",
                                  chosen, [flags] { return *flags; });
  command.add_option("DIR", flags->backup, "The folder of the backup")->required();
  command.add_option("STORE", flags->store, "The folder of the new store: missing, or empty")
      ->required();
}
void AddSnapshot(CLI::App& app, Finish& chosen) {
  struct Texts {
    SnapshotFlags flags;
    FlagText action, stream;
  };
  const auto texts = std::make_shared<Texts>();
  const Finish finish = [texts]() -> absl::StatusOr<CommandLine> {
    if (texts->action == "drop") texts->flags.action = SnapshotFlags::Action::kDrop;
    texts->flags.stream = texts->stream.value_or("");
    return texts->flags;
  };
  CLI::App& command = *AddCommand(
      app, "snapshot", "List the snapshots of states, or remove them: they can be made again",
      chosen, finish);
  AddFlag(command, "ACTION", texts->action, "", "list, or drop: remove them, and list what was")
      ->required()
      ->check(CLI::IsMember({"list", "drop"}));
  AddStore(command, texts->flags.store);
  AddFlag(command, "STREAM", texts->stream, "", "Those of this stream; of all, if not given");
  AddNoMmap(command, texts->flags.no_mmap);
}

}  // namespace

void AddStoreCommands(CLI::App& app, Finish& chosen) {
  AddStats(app, chosen);
  AddVerify(app, chosen);
  AddRepair(app, chosen);
  AddBackup(app, chosen);
  AddRestore(app, chosen);
  AddSnapshot(app, chosen);
}

}  // namespace daybook::cli
