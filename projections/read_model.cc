// Reading a generation, here or in another process than the one that runs the projection.

#include "daybook/read_model.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "io/wake_page.h"
#include "projections/generation.h"
#include "projections/host.h"
#include "projections/layout.h"
#include "projections/parking.h"
#include "projections/read_snapshot.h"

namespace daybook {
namespace {

absl::StatusOr<TableHandle> HandleOf(const Generation& generation, std::string_view table) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::size_t index, generation.IndexOf(table));
  return generation.table(index);
}

}  // namespace

ReadSnapshot::ReadSnapshot(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReadSnapshot::ReadSnapshot(ReadSnapshot&&) noexcept = default;
ReadSnapshot& ReadSnapshot::operator=(ReadSnapshot&&) noexcept = default;
ReadSnapshot::~ReadSnapshot() = default;

absl::StatusOr<std::optional<std::string_view>> ReadSnapshot::GetBytes(std::string_view table,
                                                                       std::string_view key) const {
  DAYBOOK_ASSIGN_OR_RETURN(const TableHandle handle, HandleOf(*impl_->generation, table));
  return impl_->view.Get(handle, key);
}

absl::StatusOr<std::uint64_t> ReadSnapshot::CountRows(std::string_view table) const {
  DAYBOOK_ASSIGN_OR_RETURN(const TableHandle handle, HandleOf(*impl_->generation, table));
  return impl_->view.Count(handle);
}

absl::Status ReadSnapshot::ScanBytes(std::string_view table, const KeyRange& range,
                                     const Visit& visit) const {
  DAYBOOK_ASSIGN_OR_RETURN(const TableHandle handle, HandleOf(*impl_->generation, table));
  DAYBOOK_ASSIGN_OR_RETURN(TableCursor cursor, impl_->view.OpenCursor(handle));
  DAYBOOK_ASSIGN_OR_RETURN(bool more, cursor.Seek(range.first()));
  for (std::uint64_t left = range.limit(); more && left > 0; --left) {
    if (!range.Reaches(cursor.key()) || !visit(cursor.key(), cursor.value())) break;
    DAYBOOK_ASSIGN_OR_RETURN(more, cursor.Next());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StaleKey>> ReadSnapshot::StaleSince(std::string_view key) const {
  return FindStale(impl_->view, impl_->generation->parked(), key);
}

Position ReadSnapshot::position() const { return impl_->checkpoint.position; }
std::uint64_t ReadSnapshot::generation() const { return impl_->generation->number(); }
std::uint32_t ReadSnapshot::revision() const { return impl_->checkpoint.revision; }
const std::vector<TableSummary>& ReadSnapshot::tables() const { return impl_->checkpoint.tables; }

class ReadModel::Impl {
 public:
  Impl(Projections::Impl* host, std::string_view name, const ReadModelOptions& options)
      : host_(host), name_(name), options_(options), folder_(host->FolderOf(name)) {}

  absl::StatusOr<ReadSnapshot> Read();
  absl::StatusOr<ReadSnapshot> AtLeast(Position position, std::chrono::milliseconds timeout);

 private:
  using Clock = std::chrono::steady_clock;

  // The live generation, opened anew where another has been promoted.
  absl::StatusOr<std::shared_ptr<Generation>> Live();
  absl::Status Reopen() DAYBOOK_REQUIRES(mutex_);
  // What the runner has told last; nullopt where nothing can be told.
  [[nodiscard]] std::optional<WakeState> Told() const DAYBOOK_REQUIRES(mutex_);

  Projections::Impl* const host_;
  const std::string name_;
  const ReadModelOptions options_;
  const std::filesystem::path folder_;
  Mutex mutex_;
  std::shared_ptr<Generation> live_ DAYBOOK_GUARDED_BY(mutex_);
  std::shared_ptr<const WakeReader> wake_ DAYBOOK_GUARDED_BY(mutex_);
};

std::optional<WakeState> ReadModel::Impl::Told() const {
  if (wake_ == nullptr) return std::nullopt;
  return wake_->Load();
}

absl::Status ReadModel::Impl::Reopen() {
  absl::StatusOr<Current> current = ReadCurrent(folder_);
  if (absl::IsNotFound(current.status())) {
    return absl::NotFoundError(
        absl::StrCat("there is no projection '", name_, "' in this store; run it first"));
  }
  if (!current.ok()) return current.status();
  if (live_ != nullptr && live_->number() == current->generation) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<Generation> live,
                           host_->OpenGeneration(name_, current->generation,
                                                 Generation::Access::kReader, kReaderMapBytes));
  DAYBOOK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, live->ReadCheckpoint());
  DAYBOOK_RETURN_IF_ERROR(CheckHistory(host_->reader(), name_, checkpoint));
  if (options_.revision && *options_.revision != checkpoint.revision) {
    return absl::FailedPreconditionError(
        absl::StrCat("the read model of projection '", name_, "' is of revision ",
                     checkpoint.revision, ", and revision ", *options_.revision,
                     " was asked for; rebuild and promote it, or open it with its own"));
  }
  live_ = std::move(live);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Generation>> ReadModel::Impl::Live() {
  MutexLock lock(mutex_);
  if (wake_ == nullptr) {
    auto wake = WakeReader::Open(folder_ / "WAKE");
    if (wake.ok()) wake_ = std::make_shared<const WakeReader>(*std::move(wake));
  }
  // The run id is the generation: while it is the one that is open, CURRENT need not be read.
  const std::optional<WakeState> told = Told();
  if (live_ == nullptr || !told || told->run_id != live_->number()) {
    DAYBOOK_RETURN_IF_ERROR(Reopen());
  }
  return live_;
}

absl::StatusOr<ReadSnapshot> ReadModel::Impl::Read() {
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<Generation> live, Live());
  DAYBOOK_ASSIGN_OR_RETURN(ReadTransaction view, live->environment().BeginRead());
  DAYBOOK_ASSIGN_OR_RETURN(Checkpoint checkpoint, live->ReadCheckpoint(view));
  return ReadSnapshot(std::unique_ptr<ReadSnapshot::Impl>(
      new ReadSnapshot::Impl{std::move(live), std::move(view), std::move(checkpoint)}));
}

absl::StatusOr<ReadSnapshot> ReadModel::Impl::AtLeast(Position position,
                                                      std::chrono::milliseconds timeout) {
  const Clock::time_point deadline = Clock::now() + timeout;
  for (;;) {
    DAYBOOK_RETURN_IF_ERROR(Live().status());
    std::shared_ptr<const WakeReader> wake;
    {
      MutexLock lock(mutex_);
      wake = wake_;
    }
    // The word is read before the checkpoint, so that no wake between the two is missed.
    const std::uint32_t word = wake != nullptr ? wake->futex_word() : 0;
    Position reached;
    {
      DAYBOOK_ASSIGN_OR_RETURN(ReadSnapshot snapshot, Read());
      reached = snapshot.position();
      if (reached >= position) return snapshot;
    }
    const auto left = deadline - Clock::now();
    if (left <= Clock::duration::zero()) {
      return absl::DeadlineExceededError(absl::StrCat("projection '", name_, "' is at position ",
                                                      reached.value(), " and did not come to ",
                                                      position.value(), " in time"));
    }
    if (wake == nullptr) {
      return absl::UnavailableError(absl::StrCat("there is no ", (folder_ / "WAKE").string(),
                                                 " to wait on; run the projection"));
    }
    wake->Wait(word, left);
  }
}

ReadModel::ReadModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ReadModel::~ReadModel() = default;
absl::StatusOr<ReadSnapshot> ReadModel::Read() const { return impl_->Read(); }
absl::StatusOr<ReadSnapshot> ReadModel::AtLeast(Position position,
                                                std::chrono::milliseconds timeout) const {
  return impl_->AtLeast(position, timeout);
}

absl::StatusOr<std::unique_ptr<ReadModel>> Projections::OpenModel(std::string_view name,
                                                                  const ReadModelOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(ValidateProjectionName(name));
  auto model = std::make_unique<ReadModel::Impl>(impl_.get(), name, options);
  DAYBOOK_RETURN_IF_ERROR(model->Read().status());
  return std::make_unique<ReadModel>(std::move(model));
}

}  // namespace daybook
