#include "projections/host.h"

#include "base/status.h"

namespace daybook {

Projections::Projections(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Projections::~Projections() = default;

absl::StatusOr<std::unique_ptr<Projections>> Projections::Open(Store& store,
                                                               const ProjectionsOptions& options) {
  return std::unique_ptr<Projections>(
      new Projections(std::make_unique<Impl>(store, &store, options)));
}

absl::StatusOr<std::unique_ptr<Projections>> Projections::Open(const Reader& reader,
                                                               const ProjectionsOptions& options) {
  return std::unique_ptr<Projections>(
      new Projections(std::make_unique<Impl>(reader, nullptr, options)));
}

absl::Status Projections::Impl::Claim() {
  if (claim_) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(ProcessClaim claim,
                           ProcessClaim::Take(reader_.directory() / "projections"));
  claim_.emplace(std::move(claim));
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Generation>> Projections::Impl::OpenGeneration(
    std::string_view name, std::uint64_t number, Generation::Access access,
    std::uint64_t map_bytes) {
  MutexLock lock(mutex_);
  DAYBOOK_RETURN_IF_ERROR(Claim());
  std::shared_ptr<Generation>& entry = open_[{std::string(name), number}];
  if (entry != nullptr) return entry;
  auto opened = Generation::Open(FolderOf(name), number, access, map_bytes);
  if (opened.ok()) {
    entry = *std::move(opened);
    return entry;
  }
  open_.erase({std::string(name), number});
  return opened.status();
}

std::shared_ptr<Generation> Projections::Impl::FindOpen(std::string_view name,
                                                        std::uint64_t number) {
  MutexLock lock(mutex_);
  const auto found = open_.find({std::string(name), number});
  return found == open_.end() ? nullptr : found->second;
}

absl::StatusOr<std::shared_ptr<Generation>> Projections::Impl::CreateGeneration(
    std::string_view name, std::uint64_t number, const Checkpoint& initial,
    std::uint64_t map_bytes) {
  MutexLock lock(mutex_);
  DAYBOOK_RETURN_IF_ERROR(Claim());
  open_.erase({std::string(name), number});
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<Generation> created,
                           Generation::Create(FolderOf(name), number, initial, map_bytes));
  open_[{std::string(name), number}] = created;
  return created;
}

void Projections::Impl::CloseUnused(std::string_view name) {
  MutexLock lock(mutex_);
  // Nobody gets a new share without the mutex, so one that is alone stays alone.
  std::erase_if(open_, [&](const auto& entry) {
    return entry.first.first == name && entry.second.use_count() == 1;
  });
}

void Projections::Impl::SetRunner(std::string_view name, ProjectionRunner::Impl* runner) {
  MutexLock lock(runners_mutex_);
  if (runner != nullptr) {
    runners_[std::string(name)] = runner;
  } else if (const auto found = runners_.find(name); found != runners_.end()) {
    runners_.erase(found);
  }
}

absl::Status Projections::Impl::WithRunner(
    std::string_view name, const std::function<absl::Status(ProjectionRunner::Impl*)>& body) {
  MutexLock lock(runners_mutex_);
  const auto found = runners_.find(name);
  return body(found == runners_.end() ? nullptr : found->second);
}

}  // namespace daybook
