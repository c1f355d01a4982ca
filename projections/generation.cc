#include "projections/generation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/derived.h"
#include "projections/layout.h"

namespace daybook {
namespace {

constexpr std::string_view kEffects = "effects";

EnvironmentOptions OptionsFor(std::uint64_t map_bytes) {
  // Rows and checkpoint go together: what a crash of the machine undoes is posted again.
  return {.map_bytes = map_bytes, .max_tables = kTablesMax + 8, .no_meta_sync = true};
}

}  // namespace

std::string EnvironmentTableOf(std::string_view table) { return absl::StrCat("t.", ToAbsl(table)); }

absl::Status NoSuchTable(std::string_view table) {
  return absl::InvalidArgumentError(absl::StrCat("the projection has no table '", ToAbsl(table),
                                                 "'; name it in Projection::tables"));
}

absl::StatusOr<std::shared_ptr<Generation>> Generation::Create(const std::filesystem::path& folder,
                                                               std::uint64_t number,
                                                               const Checkpoint& initial,
                                                               std::uint64_t map_bytes) {
  const std::filesystem::path own = GenerationFolder(folder, number);
  if (Directory::Exists(own)) DAYBOOK_RETURN_IF_ERROR(DiscardDerived(own));
  DAYBOOK_ASSIGN_OR_RETURN(std::unique_ptr<Environment> environment,
                           OpenShared(own, OptionsFor(map_bytes), IfMissing::kCreate));
  std::vector<std::string> names = {std::string(kMetaTable), std::string(kParkedTable),
                                    std::string(kEffects)};
  for (const TableSummary& table : initial.tables) names.push_back(EnvironmentTableOf(table.name));
  for (const std::string& name : names) {
    DAYBOOK_RETURN_IF_ERROR(ToldApart(environment->OpenTable(name).status(), own));
  }
  std::shared_ptr<Generation> generation(new Generation(own, number, std::move(environment)));
  DAYBOOK_ASSIGN_OR_RETURN(generation->meta_, generation->environment_->FindTable(kMetaTable));
  DAYBOOK_RETURN_IF_ERROR(generation->Write([&](WriteTransaction& transaction) {
    return generation->WriteCheckpoint(initial, &transaction);
  }));
  DAYBOOK_RETURN_IF_ERROR(ToldApart(generation->environment_->Sync(), own));
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(own));
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(folder));
  DAYBOOK_RETURN_IF_ERROR(generation->OpenTables());
  return generation;
}

absl::StatusOr<std::shared_ptr<Generation>> Generation::Open(const std::filesystem::path& folder,
                                                             std::uint64_t number, Access access,
                                                             std::uint64_t map_bytes) {
  const std::filesystem::path own = GenerationFolder(folder, number);
  if (access == Access::kReader && !Directory::Exists(own / "data.mdb")) {
    return absl::NotFoundError(absl::StrCat(own.string(), ": there are no tables"));
  }
  auto environment = access == Access::kOwner
                         ? OpenShared(own, OptionsFor(map_bytes), IfMissing::kFail)
                         : Environment::Open(own, OptionsFor(map_bytes));
  if (!environment.ok()) return environment.status();
  std::shared_ptr<Generation> generation(new Generation(own, number, *std::move(environment)));
  DAYBOOK_RETURN_IF_ERROR(generation->OpenTables());
  return generation;
}

absl::Status Generation::OpenTables() {
  for (auto [handle, name] :
       {std::pair{&meta_, kMetaTable}, {&parked_, kParkedTable}, {&effects_, kEffects}}) {
    DAYBOOK_ASSIGN_OR_RETURN(*handle, environment_->FindTable(name));
  }
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, ReadCheckpoint());
  for (const TableSummary& table : checkpoint.tables) {
    DAYBOOK_ASSIGN_OR_RETURN(const TableHandle handle,
                             environment_->FindTable(EnvironmentTableOf(table.name)));
    names_.push_back(table.name);
    handles_.push_back(handle);
  }
  handles_.push_back(effects_);
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> Generation::IndexOf(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<std::size_t>(found - names_.begin());
  return NoSuchTable(name);
}

absl::StatusOr<Checkpoint> Generation::ReadCheckpoint(const Transaction& transaction) const {
  DAYBOOK_ASSIGN_OR_RETURN(const auto bytes, transaction.Get(meta_, kCheckpointKey));
  if (!bytes) {
    return absl::DataLossError(absl::StrCat(folder_.string(), ": there is no checkpoint"));
  }
  return DecodeCheckpoint(*bytes);
}

absl::StatusOr<Checkpoint> Generation::ReadCheckpoint() const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadTransaction transaction, environment_->BeginRead());
  return ReadCheckpoint(transaction);
}

absl::Status Generation::WriteCheckpoint(const Checkpoint& checkpoint,
                                         WriteTransaction* transaction) const {
  return transaction->Put(meta_, kCheckpointKey, EncodeCheckpoint(checkpoint));
}

absl::Status Generation::Write(const std::function<absl::Status(WriteTransaction&)>& body) {
  for (;;) {
    absl::Status status;
    {
      DAYBOOK_ASSIGN_OR_RETURN(WriteTransaction transaction, environment_->BeginWrite());
      status = body(transaction);
      if (status.ok()) status = transaction.Commit();
    }
    if (!IsMapFull(status)) return ToldApart(status, folder_);
    DAYBOOK_RETURN_IF_ERROR(environment_->GrowMap());
  }
}

}  // namespace daybook
