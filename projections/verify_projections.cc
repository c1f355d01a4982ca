// Holds read models against their digests and the log.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/projection_status.h"
#include "daybook/rebuild.h"
#include "kv/lmdb_snapshot.h"
#include "projections/checkpoint.h"
#include "projections/generation.h"
#include "projections/host.h"
#include "projections/layout.h"
#include "projections/parking.h"
#include "projections/promote.h"
#include "projections/table_digest.h"

namespace daybook {
namespace {

// How often a generation is looked at that a process commits to meanwhile.
constexpr int kLooksMax = 20;

// One look at the files of a generation: what is wrong with it, and how many rows it has.
class Look {
 public:
  Look(const Reader& reader, std::string_view name, bool named)
      : reader_(reader), name_(name), named_(named) {}

  // kNotFound where there are no tables (yet); kDataLoss where they are damaged. `*changed` says
  // that somebody has committed meanwhile, or may have, so that what was seen counts for nothing.
  absl::Status At(const std::filesystem::path& folder, bool* changed) {
    absl::StatusOr<LmdbSnapshot> tables = LmdbSnapshot::Open(folder);
    *changed = absl::IsDataLoss(tables.status());
    DAYBOOK_RETURN_IF_ERROR(tables.status());
    const absl::Status seen = See(*tables);
    *changed = tables->Changed();
    return seen;
  }

  [[nodiscard]] const std::vector<std::string>& wrong() const { return wrong_; }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }

 private:
  absl::Status See(const LmdbSnapshot& tables) {
    DAYBOOK_RETURN_IF_ERROR(tables.CheckPages());
    std::optional<std::string> bytes;
    DAYBOOK_RETURN_IF_ERROR(
        tables.ForEach(kMetaTable, [&](std::string_view key, std::string_view value) {
          if (key == kCheckpointKey) bytes = std::string(value);
        }));
    // A rebuild that died before its first commit leaves this, where nobody reads it.
    if (!bytes && !named_) return absl::OkStatus();
    if (!bytes) return absl::DataLossError("there is no checkpoint");
    DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, DecodeCheckpoint(*bytes));
    if (!checkpoint.built) {
      // A rebuild is at it, or has left it.
      if (named_) wrong_.emplace_back("it is live, or was, and was not built to its end");
      return absl::OkStatus();
    }
    for (const TableSummary& table : checkpoint.tables) {
      DAYBOOK_RETURN_IF_ERROR(SeeTable(tables, table));
    }
    DAYBOOK_RETURN_IF_ERROR(SeeParked(tables, checkpoint));
    const absl::Status history = CheckHistory(reader_, name_, checkpoint);
    if (absl::IsFailedPrecondition(history)) {
      wrong_.emplace_back(history.message());
      return absl::OkStatus();
    }
    return history;
  }

  absl::Status SeeTable(const LmdbSnapshot& tables, const TableSummary& expected) {
    TableSummary found;
    RowHasher hash;
    DAYBOOK_RETURN_IF_ERROR(tables.ForEach(EnvironmentTableOf(expected.name),
                                           [&](std::string_view key, std::string_view row) {
                                             ++found.rows;
                                             AddRow(hash(key, row), &found.digest);
                                           }));
    rows_ += found.rows;
    if (found.rows == expected.rows && found.digest == expected.digest) return absl::OkStatus();
    wrong_.push_back(absl::StrCat("table '", expected.name, "' has ", found.rows,
                                  " rows with the digest ", found.digest.ToString(),
                                  ", and by its checkpoint ", expected.rows, " with ",
                                  expected.digest.ToString()));
    return absl::OkStatus();
  }

  absl::Status SeeParked(const LmdbSnapshot& tables, const Checkpoint& checkpoint) {
    std::uint64_t keys = 0, events = 0;
    DAYBOOK_RETURN_IF_ERROR(
        tables.ForEach(kParkedTable, [&](std::string_view key, std::string_view) {
          keys += key.starts_with(kParkedHead) ? 1 : 0;
          events += key.starts_with(kParkedEvent) ? 1 : 0;
        }));
    if (keys == checkpoint.parked_keys && events == checkpoint.parked) return absl::OkStatus();
    wrong_.push_back(absl::StrCat(events, " events of ", keys,
                                  " keys are parked, and by its checkpoint ", checkpoint.parked,
                                  " of ", checkpoint.parked_keys));
    return absl::OkStatus();
  }

  const Reader& reader_;
  const std::string_view name_;
  const bool named_;
  std::vector<std::string> wrong_;
  std::uint64_t rows_ = 0;
};

class Verifier {
 public:
  // `host` is nullptr where this process has no read models open.
  Verifier(const Reader& reader, Projections::Impl* host) : reader_(reader), host_(host) {}

  absl::StatusOr<ProjectionVerifyReport> Run() {
    DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, ListProjections(reader_));
    for (const std::string& name : names) {
      DAYBOOK_RETURN_IF_ERROR(VerifyProjection(name));
      ++report_.projections;
    }
    return std::move(report_);
  }

 private:
  absl::Status VerifyProjection(const std::string& name) {
    const std::filesystem::path folder = ProjectionFolder(reader_.directory(), name);
    const absl::StatusOr<std::optional<Current>> current = FindCurrent(folder);
    if (absl::IsDataLoss(current.status())) {
      Report(name, "CURRENT", current.status().message());
    } else if (!current.ok()) {
      return current.status();
    }
    const std::optional<Current> known = current.ok() ? *current : std::nullopt;
    DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::uint64_t> numbers, ListGenerations(folder));
    std::vector<std::uint64_t> named;
    if (known) named.push_back(known->generation);
    if (known && known->previous) named.push_back(*known->previous);
    numbers.insert(numbers.end(), named.begin(), named.end());
    std::sort(numbers.begin(), numbers.end());
    numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
    for (const std::uint64_t number : numbers) {
      const bool is_named = std::find(named.begin(), named.end(), number) != named.end();
      DAYBOOK_RETURN_IF_ERROR(VerifyGeneration(name, folder, number, is_named));
    }
    return absl::OkStatus();
  }

  absl::Status VerifyGeneration(const std::string& name, const std::filesystem::path& folder,
                                std::uint64_t number, bool named) {
    // While this process reads the tables no later commit overwrites what is there now.
    std::shared_ptr<Generation> open;
    std::optional<ReadTransaction> pinned;
    if (host_ != nullptr && (open = host_->FindOpen(name, number)) != nullptr) {
      DAYBOOK_ASSIGN_OR_RETURN(pinned, open->environment().BeginRead());
    }
    const std::filesystem::path file = std::filesystem::path(std::to_string(number)) / "data.mdb";
    for (int looks = 1; looks <= kLooksMax; ++looks) {
      bool changed = false;
      Look look(reader_, name, named);
      const absl::Status seen = look.At(GenerationFolder(folder, number), &changed);
      if (absl::IsNotFound(seen)) {
        // One that was promoted away meanwhile, or that a rebuild has only begun, is nothing.
        const absl::StatusOr<std::optional<Current>> now = FindCurrent(folder);
        if (named && now.ok() && now->has_value() && (**now).generation == number) {
          Report(name, file.string(), "there are no tables, and the generation is the live one");
        }
        return absl::OkStatus();
      }
      const bool in_doubt = changed && !pinned;
      if (in_doubt && (looks < kLooksMax || seen.ok())) continue;
      if (!seen.ok() && !absl::IsDataLoss(seen)) return seen;
      // What a rebuild was writing when the machine went down nobody reads.
      if (!seen.ok() && named) Report(name, file.string(), seen.message());
      for (const std::string& wrong : look.wrong()) Report(name, file.string(), wrong);
      ++report_.generations;
      report_.rows += look.rows();
      return absl::OkStatus();
    }
    return absl::UnavailableError(absl::StrCat(
        "projection '", name, "' commits more often than it can be looked at; stop it, or verify ",
        "it in the process that runs it"));
  }

  void Report(const std::string& name, std::string_view file, absl::string_view what) {
    report_.findings.push_back(
        {.kind = "projection",
         .file = absl::StrCat("projections/", name, "/", ToAbsl(file)),
         .offset = 0,
         .first_position = {},
         .last_position = {},
         .hint = absl::StrCat(what, "; rebuild and promote it (`daybook projection STORE rebuild ",
                              name, "`, then `promote`)")});
  }

  const Reader& reader_;
  Projections::Impl* const host_;
  ProjectionVerifyReport report_;
};

}  // namespace

absl::StatusOr<ProjectionVerifyReport> VerifyProjections(const Reader& reader) {
  return Verifier(reader, nullptr).Run();
}

absl::StatusOr<ProjectionVerifyReport> Projections::Verify() const {
  return Verifier(impl_->reader(), impl_.get()).Run();
}

}  // namespace daybook
