// What there is to say of a projection without running it, with read rights only.

#include "daybook/projection_status.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/directory.h"
#include "kv/lmdb_snapshot.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"
#include "projections/layout.h"
#include "projections/status_file.h"

namespace daybook {
namespace {

constexpr std::chrono::seconds kHeartbeatAgeMax{10};
constexpr int kAttempts = 10;

bool IsStopped(ProjectionState state) {
  return state == ProjectionState::kPoison || state == ProjectionState::kFailed;
}

// The checkpoint of a generation that a process may be writing to at this moment.
absl::StatusOr<Checkpoint> PeekCheckpoint(const std::filesystem::path& generation) {
  absl::Status error = absl::DataLossError(
      absl::StrCat(generation.string(), ": there is no checkpoint; rebuild and promote it"));
  for (int i = 0; i < kAttempts; ++i) {
    const absl::StatusOr<LmdbSnapshot> tables = LmdbSnapshot::Open(generation);
    if (!tables.ok()) return tables.status();
    absl::StatusOr<Checkpoint> checkpoint = error;
    const absl::Status read =
        tables->ForEach(kMetaTable, [&](std::string_view key, std::string_view value) {
          if (key == kCheckpointKey) checkpoint = DecodeCheckpoint(value);
        });
    if (read.ok() && checkpoint.ok()) return checkpoint;
    error = read.ok() ? checkpoint.status() : read;
    if (!tables->Changed()) break;
  }
  return error;
}

absl::StatusOr<Current> CurrentOf(const std::filesystem::path& folder, std::string_view name) {
  absl::StatusOr<Current> current = ReadCurrent(folder);
  if (!absl::IsNotFound(current.status())) return current;
  return absl::NotFoundError(absl::StrCat("there is no projection '", ToAbsl(name), "' in ",
                                          folder.parent_path().string(), "; it was never run"));
}

// What is known of a projection that nobody runs now.
void FillFromCheckpoint(const Checkpoint& checkpoint, ProjectionStatus* status) {
  status->revision = checkpoint.revision;
  status->definition = checkpoint.definition;
  status->incarnation = checkpoint.incarnation;
  status->scanned = checkpoint.position;
  status->matched = checkpoint.matched;
  status->parked = checkpoint.parked;
  status->parked_keys = checkpoint.parked_keys;
  status->events_per_second = 0;
}

}  // namespace

absl::StatusOr<ProjectionStatus> ReadProjectionStatus(const Reader& reader, std::string_view name) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjectionName(name));
  const std::filesystem::path folder = ProjectionFolder(reader.directory(), name);
  DAYBOOK_ASSIGN_OR_RETURN(const Current current, CurrentOf(folder, name));
  // It is never synced, so a crash of the machine may leave anything of it: then it says nothing.
  absl::StatusOr<ProjectionStatus> written = ReadStatusFile(folder);
  const bool is_lost = absl::IsNotFound(written.status()) || absl::IsDataLoss(written.status());
  if (!written.ok() && !is_lost) return written.status();
  ProjectionStatus status = written.value_or(ProjectionStatus());
  status.name = std::string(name);
  const std::int64_t age = SystemNow().unix_nanoseconds() - status.heartbeat.unix_nanoseconds();
  const bool lives = written.ok() && status.generation == current.generation &&
                     status.state != ProjectionState::kIdle &&
                     age <= std::chrono::nanoseconds(kHeartbeatAgeMax).count();
  if (!lives) {
    // Its runner may have died within a second of its last word, and the tables know better.
    if (status.generation != current.generation || !IsStopped(status.state)) {
      status.state = ProjectionState::kIdle;
      status.poison.reset();
      status.error.clear();
    }
    DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint,
                             PeekCheckpoint(GenerationFolder(folder, current.generation)));
    FillFromCheckpoint(checkpoint, &status);
  }
  status.generation = current.generation;
  status.previous = current.previous;
  status.effects_floor = current.effects_floor;
  const absl::Status filled = FillBehind(reader, &status);
  // Where the log cannot be read, how old the next event is cannot be told; the rest can.
  if (!filled.ok() && !absl::IsDataLoss(filled)) return filled;
  return status;
}

absl::StatusOr<std::vector<std::string>> ListProjections(const Reader& reader) {
  std::vector<std::string> projections;
  const std::filesystem::path folder = ProjectionFolder(reader.directory(), "");
  absl::StatusOr<std::vector<std::string>> names = Directory::List(folder);
  if (absl::IsNotFound(names.status())) return projections;
  if (!names.ok()) return names.status();
  for (std::string& name : *names) {
    if (ValidateProjectionName(name).ok() && Directory::Exists(folder / name / "CURRENT")) {
      projections.push_back(std::move(name));
    }
  }
  return projections;
}

}  // namespace daybook
