// The methods of Store: opening, creating, and appending.

#include "daybook/store.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/status.h"
#include "base/utf8.h"
#include "base/uuid8.h"
#include "io/directory.h"
#include "io/mapped_file.h"
#include "log/segment_writer.h"
#include "store/opening.h"
#include "store/store_file.h"
#include "store/writer.h"

namespace daybook {
namespace {

absl::Status CheckOptions(const StoreOptions& options) {
  if (options.segment_bytes_max < kSegmentBytesMin ||
      options.segment_bytes_max > kSegmentBytesMax || options.segment_bytes_max % 4096 != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("segment_bytes_max is ", options.segment_bytes_max,
                     "; it must be a multiple of 4096 from 16 KiB to 4 GiB"));
  }
  if (options.sync_interval <= std::chrono::milliseconds::zero()) {
    return absl::InvalidArgumentError("sync_interval must be longer than nothing");
  }
  return absl::OkStatus();
}

// Whether the folder holds nothing, or only what a creation leaves that was cut off before STORE
// was written: no event can be in it.
absl::StatusOr<bool> IsFresh(const std::filesystem::path& directory) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, Directory::List(directory));
  for (const std::string& name : names) {
    if (name != "LOCK" && name != "log" && name != "STORE.tmp") return false;
  }
  if (!Directory::Exists(directory / "log")) return true;
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                           Directory::List(directory / "log"));
  for (const std::string& name : files) {
    if (name == "spare") continue;
    if (name != SegmentFileName(1)) return false;
    DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(directory / "log" / name));
    DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
    if (size <= kSegmentHeaderBytes) continue;
    DAYBOOK_ASSIGN_OR_RETURN(const MappedFile map, MappedFile::MapRead(file, size));
    const auto frames = map.bytes().subspan(kSegmentHeaderBytes);
    if (std::any_of(frames.begin(), frames.end(), [](std::byte b) { return b != std::byte{0}; })) {
      return false;
    }
  }
  return true;
}

// Makes the name of the store's folder durable. Where the folder above may not be read, whoever
// made this one answers for it.
absl::Status SyncNameOf(const std::filesystem::path& directory) {
  const absl::Status synced = Directory::SyncNameOf(directory);
  return absl::IsPermissionDenied(synced) ? absl::OkStatus() : synced;
}

// Creates a store in a fresh folder. STORE comes last: until it is there, there is no store, and
// the next attempt begins anew. All that it relies on is durable before it: of two names that are
// not synced, a crash may keep the later one and lose the earlier.
absl::StatusOr<StoreHeader> Create(const std::filesystem::path& directory,
                                   const StoreOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(Directory::Create(directory / "log"));
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(directory / "log" / SegmentFileName(1)));
  const StoreHeader header = MakeStoreHeader(options.segment_bytes_max);
  DAYBOOK_RETURN_IF_ERROR(CreateFirstSegment(directory, IdentityOf(header),
                                             NextSegmentBytes(0, options.segment_bytes_max))
                              .status());
  DAYBOOK_RETURN_IF_ERROR(Directory::Sync(directory));
  DAYBOOK_RETURN_IF_ERROR(SyncNameOf(directory));
  DAYBOOK_RETURN_IF_ERROR(WriteStoreFile(directory, header));
  return header;
}

absl::StatusOr<File> TakeLock(const std::filesystem::path& directory) {
  DAYBOOK_ASSIGN_OR_RETURN(File lock, File::OpenOrCreate(directory / "LOCK"));
  DAYBOOK_ASSIGN_OR_RETURN(const bool taken, lock.TryLockExclusive());
  if (taken) return lock;
  return absl::UnavailableError(absl::StrCat(
      (directory / "LOCK").string(),
      ": another process has the store open for writing; wait for it to end, or open for reading"));
}

absl::StatusOr<StoreHeader> ReadOrCreate(const std::filesystem::path& directory,
                                         const StoreOptions& options) {
  absl::StatusOr<StoreHeader> header = ReadStoreFile(directory);
  if (header.ok() && options.create == StoreOptions::Create::kMustNotExist) {
    return absl::AlreadyExistsError(
        absl::StrCat("there is a store in ", directory.string(), " already"));
  }
  if (header.ok()) {
    // Its creator may have been killed after the rename to STORE and before the sync.
    DAYBOOK_RETURN_IF_ERROR(Directory::Sync(directory));
    return header;
  }
  if (!absl::IsNotFound(header.status())) return header;
  DAYBOOK_ASSIGN_OR_RETURN(const bool fresh, IsFresh(directory));
  if (!fresh) {
    return absl::InvalidArgumentError(
        absl::StrCat("the folder ", directory.string(),
                     " holds other things and no store; give an empty or a new folder"));
  }
  return Create(directory, options);
}

}  // namespace

class Store::Writer {
 public:
  explicit Writer(std::shared_ptr<WriterImpl> impl) : impl_(std::move(impl)) {}
  WriterImpl* operator->() const { return impl_.get(); }

 private:
  std::shared_ptr<WriterImpl> impl_;
};

Store::Store(std::shared_ptr<Reader::Impl> impl, std::unique_ptr<Writer> writer)
    : Reader(std::move(impl)), writer_(std::move(writer)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::filesystem::path& directory,
                                                   const StoreOptions& options) {
  DAYBOOK_RETURN_IF_ERROR(CheckOptions(options));
  const bool may_create = options.create != StoreOptions::Create::kNever;
  if (may_create) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Create(directory));
  } else {
    // Nothing is left behind where there is no store: not even LOCK.
    DAYBOOK_RETURN_IF_ERROR(ReadStoreFile(directory).status());
  }
  if (may_create && !Directory::Exists(directory / "STORE")) {
    DAYBOOK_ASSIGN_OR_RETURN(const bool fresh, IsFresh(directory));
    // Either this is no folder for a store, or only the look at STORE failed and it is there.
    if (!fresh) DAYBOOK_RETURN_IF_ERROR(ReadOrCreate(directory, options).status());
  }
  DAYBOOK_ASSIGN_OR_RETURN(const bool network, Directory::IsNetworkFileSystem(directory));
  if (network && !options.accept_network_file_system) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory.string(),
                     " is on a network file system, whose locks and syncs are not "
                     "to be trusted; use a local one, or open with accept_network_file_system"));
  }
  DAYBOOK_ASSIGN_OR_RETURN(File lock, TakeLock(directory));
  DAYBOOK_ASSIGN_OR_RETURN(const StoreHeader header, ReadOrCreate(directory, options));
  if ((header.read_only_compatible_flags & ~kKnownReadOnlyCompatibleFlags) != 0) {
    return absl::FailedPreconditionError(
        "the store has a newer format that this version may only read; use a newer Daybook");
  }
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<WriterImpl> impl,
                           WriterImpl::Open(directory, header, std::move(lock), options));
  auto writer = std::make_unique<Writer>(impl);
  return std::unique_ptr<Store>(new Store(std::move(impl), std::move(writer)));
}

absl::StatusOr<AppendResult> Store::Append(Commit& commit, const AppendOptions& options) {
  DAYBOOK_RETURN_IF_ERROR((*writer_)->Check());
  return (*writer_)->appender().Append(&commit.impl(), options);
}

absl::StatusOr<AppendResult> Store::Append(std::string_view stream, ExpectedVersion expected,
                                           const std::vector<NewEvent>& events,
                                           const AppendOptions& options) {
  Commit commit;
  DAYBOOK_RETURN_IF_ERROR(commit.Expect(stream, expected));
  for (const NewEvent& event : events) DAYBOOK_RETURN_IF_ERROR(commit.Add(stream, event));
  return Append(commit, options);
}

absl::StatusOr<AppendResult> Store::AppendAsync(Commit&& commit, const AppendOptions& options) {
  DAYBOOK_RETURN_IF_ERROR((*writer_)->Check());
  std::unique_ptr<Commit::Impl> impl = commit.Release();
  absl::StatusOr<AppendResult> result = (*writer_)->appender().AppendAsync(&impl, options);
  if (impl != nullptr) commit.Adopt(std::move(impl));  // not taken over
  return result;
}

absl::StatusOr<AppendResult> Store::RecordSkip(const ProjectionSkip& skip) {
  DAYBOOK_RETURN_IF_ERROR((*writer_)->Check());
  for (const std::string* text : {&skip.projection, &skip.reason, &skip.actor}) {
    if (text->empty() || !IsValidUtf8(*text)) {
      return absl::InvalidArgumentError(
          "a skip has a projection, a reason and an actor, each UTF-8 and not empty");
    }
  }
  const Position last = std::max(skip.position, skip.last);
  if (skip.position == Position(0) || last > durable()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there is no durable position ", last.value(), " to be skipped"));
  }
  const std::string stream = absl::StrCat("$projection-", skip.projection);
  DAYBOOK_RETURN_IF_ERROR(ValidateStreamName(stream, SystemNames::kAllow));
  const std::string upto =
      last > skip.position ? absl::StrCat(",\"last\":", last.value()) : std::string();
  const std::string data = absl::StrCat("{\"position\":", skip.position.value(), upto,
                                        ",\"reason\":", QuotedJson(skip.reason),
                                        ",\"actor\":", QuotedJson(skip.actor), "}");
  // One event for each position or stretch, whoever is asked again.
  const Digest128 hash =
      Hash128(AsBytes(absl::StrCat(skip.position.value(), upto, ":", skip.projection)));
  const EventId id = Uuid8FromHash(std::as_bytes(std::span(&hash, 1)));
  Commit commit;
  DAYBOOK_RETURN_IF_ERROR(commit.impl().Add(
      stream, {.type = "ProjectionSkip", .data = AsBytes(data), .id = id}, SystemNames::kAllow));
  return Append(commit, {.durability = Durability::kSync});
}

absl::Status Store::WaitDurable(Position position) {
  DAYBOOK_RETURN_IF_ERROR((*writer_)->Check());
  return (*writer_)->commits().WaitDurable(position.value());
}

absl::Status Store::Flush() { return WaitDurable(visible()); }

absl::Status Store::WaitIndexed() {
  DAYBOOK_RETURN_IF_ERROR((*writer_)->Check());
  return (*writer_)->indexer().WaitIdle();
}

}  // namespace daybook
