// Snapshots as they are listed and verified: from the bytes of their tables, with read rights only.

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "daybook/repository.h"
#include "daybook/snapshots.h"
#include "io/directory.h"
#include "kv/lmdb_snapshot.h"
#include "snapshot/record.h"

namespace daybook {
namespace {

constexpr char kFile[] = "snapshots/data.mdb";
constexpr int kTriesMax = 20;
constexpr std::chrono::milliseconds kBetweenTries{5};
// How long a reader may lag behind the process that takes snapshots.
constexpr std::chrono::seconds kCatchUpMax{2};

// Calls `read` with the tables, again where a writer committed meanwhile. Nothing is read where
// there are none.
absl::Status ReadTables(const Reader& reader,
                        const std::function<absl::Status(const LmdbSnapshot&)>& read) {
  const std::filesystem::path folder = reader.directory() / kSnapshotFolder;
  absl::Status status;
  for (int tries = 0; tries < kTriesMax; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kBetweenTries);
    const auto tables = LmdbSnapshot::Open(folder);
    if (absl::IsNotFound(tables.status())) return absl::OkStatus();
    // What a first opening leaves that found no room, or was killed.
    if (const auto bytes = Directory::FileSize(folder / "data.mdb"); bytes.ok() && *bytes == 0) {
      return absl::OkStatus();
    }
    status = tables.status();
    // A head that is just being written may look damaged.
    if (!status.ok()) continue;
    status = read(*tables);
    if (!tables->Changed()) return status;
    status =
        absl::UnavailableError(absl::StrCat(kFile, ": snapshots are being written; try again"));
  }
  return status;
}

std::string Described(const SnapshotInfo& info) {
  return absl::StrCat("snapshot of stream '", absl::Utf8SafeCHexEscape(info.stream), "' by fold '",
                      info.fold, "' revision ", info.revision, " at version ",
                      info.version.value());
}

// A snapshot as verification wants it: of the state no more than a hash.
struct Seen {
  SnapshotInfo info;
  bool is_sound = false;
  SnapshotPlace place;
  std::uint64_t state_hash = 0;
};

bool IsSameSeries(const SnapshotInfo& a, const SnapshotInfo& b) {
  return a.stream == b.stream && a.fold == b.fold && a.revision == b.revision;
}

class SnapshotVerifier {
 public:
  SnapshotVerifier(const Reader& reader, const FoldFinder& find_fold)
      : reader_(reader), find_fold_(find_fold) {}
  absl::StatusOr<SnapshotVerifyReport> Verify();

 private:
  absl::Status Read();
  // Checks all of one series.
  absl::Status CheckSeries(std::vector<Seen>::const_iterator begin,
                           std::vector<Seen>::const_iterator end);
  // What is wrong with the place in history that a snapshot claims; empty where nothing is.
  [[nodiscard]] std::string ProblemOf(const Seen& seen) const;
  absl::Status Replay(const std::vector<const Seen*>& snapshots,
                      std::shared_ptr<const AnyFold> fold);
  void Find(const Seen& seen, std::string_view problem);

  const Reader& reader_;
  const FoldFinder& find_fold_;
  std::vector<Seen> snapshots_;  // by key
  SnapshotVerifyReport report_;
};

void SnapshotVerifier::Find(const Seen& seen, std::string_view problem) {
  Finding finding;
  finding.kind = "snapshot";
  finding.file = kFile;
  finding.first_position = finding.last_position = seen.info.position;
  finding.hint = absl::StrCat(Described(seen.info), ": ", ToAbsl(problem),
                              "; drop it with `daybook snapshot drop`");
  report_.findings.push_back(std::move(finding));
}

absl::Status SnapshotVerifier::Read() {
  const absl::Status status = ReadTables(reader_, [this](const LmdbSnapshot& tables) {
    snapshots_.clear();
    DAYBOOK_RETURN_IF_ERROR(tables.CheckPages());
    return tables.ForEach(kSnapshotTable, [this](std::string_view key, std::string_view value) {
      Seen seen{.info = InfoOf(key, value)};
      if (const auto snapshot = SnapshotOf(key, value)) {
        seen.is_sound = true;
        seen.place = snapshot->place;
        seen.state_hash = Hash64(AsBytes(snapshot->state));
      }
      snapshots_.push_back(std::move(seen));
    });
  });
  if (!absl::IsDataLoss(status)) return status;
  snapshots_.clear();
  Finding finding;
  finding.kind = "snapshot";
  finding.file = kFile;
  if (const auto damage = DamageOf(status)) finding.offset = damage->offset;
  finding.hint = "the tables of the snapshots are damaged; delete the folder snapshots/";
  report_.findings.push_back(std::move(finding));
  return absl::OkStatus();
}

std::string SnapshotVerifier::ProblemOf(const Seen& seen) const {
  if (!seen.is_sound) return "its bytes are damaged, or of another format";
  const absl::StatusOr<EventId> incarnation = EventId::Parse(reader_.incarnation());
  if (!incarnation.ok() || incarnation->bytes() != seen.place.incarnation) {
    return "it is of another incarnation of the store";
  }
  const Position position(seen.place.position);
  if (position > reader_.visible()) return "it stands beyond the head of the store";
  const absl::StatusOr<std::uint64_t> hash = reader_.FrameHashAt(position);
  if (!hash.ok()) {
    return absl::StrCat("it cannot be held against the log: ", hash.status().message());
  }
  if (*hash != seen.place.frame_hash) return "it is of another history";
  const absl::StatusOr<EventHandle> event = reader_.EventAt(seen.info.stream, seen.info.version);
  if (!event.ok()) {
    return absl::StrCat("it cannot be held against the log: ", event.status().message());
  }
  return (*event)->position == position ? "" : "that version has another position in the log";
}

absl::Status SnapshotVerifier::Replay(const std::vector<const Seen*>& snapshots,
                                      std::shared_ptr<const AnyFold> fold) {
  const Loader loader(reader_, fold, {});
  auto next = snapshots.begin();
  const auto compare = [&](const void* state, const EventView& event) -> absl::StatusOr<bool> {
    if (event.version != (*next)->info.version) return true;
    const Seen& seen = **next++;
    ++report_.replayed;
    std::string saved;
    const absl::Status status = fold->Save(state, saved);
    if (!status.ok()) {
      Find(seen, absl::StrCat("the fold cannot save its state: ", status.message()));
    } else if (Hash64(AsBytes(saved)) != seen.state_hash) {
      Find(seen, "its state is false: a replay has another");
    }
    return next != snapshots.end();
  };
  const absl::Status walked = loader
                                  .Walk(snapshots.front()->info.stream,
                                        AsOf::AtVersion(snapshots.back()->info.version), compare)
                                  .status();
  if (absl::IsCancelled(walked)) return walked;
  for (; next != snapshots.end(); ++next) {
    Find(**next, absl::StrCat("it cannot be replayed: ", walked.message()));
  }
  return absl::OkStatus();
}

absl::Status SnapshotVerifier::CheckSeries(std::vector<Seen>::const_iterator begin,
                                           std::vector<Seen>::const_iterator end) {
  std::vector<const Seen*> good;
  for (auto seen = begin; seen != end; ++seen) {
    const std::string problem = ProblemOf(*seen);
    if (problem.empty()) {
      good.push_back(&*seen);
    } else {
      Find(*seen, problem);
    }
  }
  if (good.empty()) return absl::OkStatus();
  std::shared_ptr<const AnyFold> fold;
  if (find_fold_) fold = find_fold_(begin->info.fold, begin->info.revision);
  if (fold == nullptr || !fold->has_snapshots()) {
    report_.checked += good.size();
    return absl::OkStatus();
  }
  return Replay(good, std::move(fold));
}

absl::StatusOr<SnapshotVerifyReport> SnapshotVerifier::Verify() {
  DAYBOOK_RETURN_IF_ERROR(Read());
  Position last;
  for (const Seen& seen : snapshots_) last = std::max(last, Position(seen.place.position));
  if (last > reader_.visible()) static_cast<void>(reader_.WaitVisible(last, kCatchUpMax));
  for (auto begin = snapshots_.cbegin(); begin != snapshots_.cend();) {
    const auto end = std::find_if_not(begin, snapshots_.cend(), [&](const Seen& seen) {
      return IsSameSeries(seen.info, begin->info);
    });
    DAYBOOK_RETURN_IF_ERROR(CheckSeries(begin, end));
    begin = end;
  }
  return std::move(report_);
}

}  // namespace

absl::StatusOr<std::vector<SnapshotInfo>> ListSnapshots(const Reader& reader,
                                                        std::string_view stream) {
  std::vector<SnapshotInfo> snapshots;
  const auto read = [&](const LmdbSnapshot& tables) -> absl::Status {
    snapshots.clear();
    std::optional<SnapshotInfo> damaged;
    DAYBOOK_RETURN_IF_ERROR(
        tables.ForEach(kSnapshotTable, [&](std::string_view key, std::string_view value) {
          SnapshotInfo info = InfoOf(key, value);
          if (!stream.empty() && info.stream != stream) return;
          if (!SnapshotOf(key, value)) damaged = info;
          snapshots.push_back(std::move(info));
        }));
    if (!damaged) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(kFile, ": the ", Described(*damaged),
                                            " is damaged; run `daybook verify --snapshots`, and "
                                            "drop it with `daybook snapshot drop`"));
  };
  DAYBOOK_RETURN_IF_ERROR(ReadTables(reader, read));
  return snapshots;
}

absl::StatusOr<SnapshotVerifyReport> VerifySnapshots(const Reader& reader,
                                                     const FoldFinder& find_fold) {
  return SnapshotVerifier(reader, find_fold).Verify();
}

}  // namespace daybook
