// Daybook: an embedded, append-only event store.
//
//   auto store = daybook::Store::Open("ledger", {});
//   daybook::Commit commit;
//   commit.Add("account-42", {.type = "Deposited", .data = daybook::AsBytes(R"({"cents":500})")});
//   commit.Expect("account-42", daybook::ExpectedVersion::NoStream());
//   auto result = (*store)->Append(commit);       // on the device when it returns
//
//   auto cursor = (*store)->Read({.stream = "account-42", .as_of =
//   daybook::AsOf::RecordedAt(then)}); cursor->ForEach([](const daybook::EventView& event) { ...;
//   return absl::OkStatus(); });
//
// One `Store` writes to a directory; any number of `Reader`s, here and in other processes, read it
// meanwhile.

#ifndef DAYBOOK_STORE_H_
#define DAYBOOK_STORE_H_

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/append.h"
#include "daybook/error.h"
#include "daybook/event.h"
#include "daybook/moment.h"
#include "daybook/options.h"
#include "daybook/read.h"
#include "daybook/values.h"

namespace daybook {

struct StoreStats {
  std::string store_id;     // a UUID, for ever
  std::string incarnation;  // a UUID; changes where history forks
  std::string format;       // "major.minor"
  std::uint64_t events = 0;
  std::uint64_t streams = 0;
  Position position;  // durable
  std::uint64_t segments = 0;
  std::uint64_t log_bytes = 0, sidecar_bytes = 0, index_bytes = 0;
  std::uint64_t snapshot_bytes = 0, projection_bytes = 0;
  Timestamp last_recorded_at;
  Durability durability = Durability::kSync;
  std::int64_t clock_behind_ns = 0;  // how far the clock was found behind the last event
};

// Reads a store. Thread-safe: any method may be called from any thread at the same time.
class Reader {
 public:
  // Opens a store for reading, with read rights only, while a writer runs or not. Sees what is
  // durable and nothing else. Where damage stands in the way it opens up to the damage and says so
  // by a notice. kNotFound, kPermissionDenied, kDataLoss (nothing can be read), kFailedPrecondition
  // (newer format).
  static absl::StatusOr<std::unique_ptr<Reader>> Open(const std::filesystem::path& directory,
                                                      const ReaderOptions& options);
  virtual ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // A cursor over what `options` selects, at its moment. A version or position beyond the head is
  // kInvalidArgument and names the head; a stream that holds nothing is empty, not an error.
  [[nodiscard]] absl::StatusOr<Cursor> Read(const ReadOptions& options) const;

  // One event, by position, or by the version of a stream at that version. kInvalidArgument where
  // there is none such.
  [[nodiscard]] absl::StatusOr<EventHandle> EventAt(Position position) const;
  [[nodiscard]] absl::StatusOr<EventHandle> EventAt(std::string_view stream, Version version) const;

  // The head of a stream at a moment (its effective bound does not count), and of every stream, by
  // name.
  [[nodiscard]] absl::StatusOr<StreamInfo> Head(std::string_view stream,
                                                const AsOf& as_of = {}) const;
  [[nodiscard]] absl::StatusOr<std::vector<StreamInfo>> Streams(
      const StreamsOptions& options) const;

  // The last position that has a recorded time ≤ `time`; 0 where there is none.
  [[nodiscard]] absl::StatusOr<Position> PositionAt(Timestamp time) const;

  // The last position that reads see, and the last that is on the device.
  [[nodiscard]] Position visible() const;
  [[nodiscard]] Position durable() const;
  // Waits until visible() is at least `position`, and returns it; kDeadlineExceeded after
  // `timeout`. In another process than the writer's it is woken by the writer, not by a timer. This
  // is the live tail: read up to visible(), wait for the next position, read on.
  [[nodiscard]] absl::StatusOr<Position> WaitVisible(Position position,
                                                     std::chrono::milliseconds timeout) const;

  // Waits until durable() is at least `position`, and returns it; never asks for a sync. Asks
  // `keep_going`, where there is one, before it sleeps and whenever it wakes: false is kCancelled;
  // it must not call the store.
  // kDeadlineExceeded after `timeout`.
  [[nodiscard]] absl::StatusOr<Position> AwaitDurable(
      Position position, std::chrono::milliseconds timeout,
      const std::function<bool()>& keep_going = nullptr) const;
  // Has those who wait look again. One who is about to sleep may miss it: repeat it until he is
  // seen to have ended.
  void WakeWaiters() const;

  [[nodiscard]] absl::StatusOr<StoreStats> Stats() const;

  // Where the store is, and the UUID of its incarnation; good as long as the reader.
  [[nodiscard]] const std::filesystem::path& directory() const;
  [[nodiscard]] const std::string& incarnation() const;
  // The hash of the frame that holds the event at `position`. It stands for the whole history up to
  // there: what is derived from the log (a snapshot, a checkpoint) keeps it beside incarnation and
  // position, and is good for as long as the log has the same. kInvalidArgument where there is no
  // such position.
  [[nodiscard]] absl::StatusOr<std::uint64_t> FrameHashAt(Position position) const;

  class Impl;

 protected:
  explicit Reader(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// A decision that a projection passes over an event that it cannot handle.
struct ProjectionSkip {
  std::string projection;  // its name
  Position position;
  std::string reason;  // why, in words
  std::string actor;   // who decided
  // Of a stretch from `position` on that cannot be read: its end. 0: there is one event.
  Position last{};
};

// Reads and appends. One in the world for each directory; a second is refused with kUnavailable.
//
// Thread-safe. Closing (the destructor) waits for appends in flight, makes everything durable and
// writes a mark, so that the next opening is quick. A Store inherited by fork() refuses everything;
// exec is fine.
class Store : public Reader {
 public:
  // Opens a directory, creates it where `options` allow, and recovers from whatever ended the last
  // run. Where history is damaged it refuses with kDataLoss rather than cut it short (see
  // docs/format/recovery.md).
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::filesystem::path& directory,
                                                     const StoreOptions& options);
  ~Store() override;

  // Appends the commit: all of it or nothing. On return it is durable as the store's mode (or the
  // options) say. The commit may be appended again, and is then the same commit.
  //
  // kAborted (a Conflict), kAlreadyExists, kInvalidArgument (empty, too large), kResourceExhausted
  // (nothing was written), kUnknown (a sync failed while it was on its way), kFailedPrecondition
  // (poisoned before).
  absl::StatusOr<AppendResult> Append(Commit& commit, const AppendOptions& options = {});

  // The same for one stream.
  absl::StatusOr<AppendResult> Append(std::string_view stream, ExpectedVersion expected,
                                      const std::vector<NewEvent>& events,
                                      const AppendOptions& options = {});

  // Sequences the commit and returns without waiting for the device: its place is fixed, but it is
  // neither visible nor durable before WaitDurable(result.last_position) says so. May wait where a
  // verdict rests on an append that is not visible yet; kResourceExhausted where too many bytes are
  // on their way. The commit is empty afterwards; after an error it is as it was.
  absl::StatusOr<AppendResult> AppendAsync(Commit&& commit, const AppendOptions& options = {});

  // Waits until everything up to `position` is on the device. kUnknown where a sync failed.
  absl::Status WaitDurable(Position position);

  // Makes everything visible so far durable.
  absl::Status Flush();

  // Records the decision as an event of type `ProjectionSkip` in the stream `$projection-NAME`,
  // which no append of a user can reach; its data is {"position","reason","actor"}. Durable on
  // return. Doing it twice is doing it once; with another reason or actor it is kAlreadyExists.
  // Whether the projection needs it is for the caller to know (Projections::Skip).
  // kInvalidArgument where the position is not of an event that is durable, or name, reason or
  // actor is empty or no UTF-8; else as Append.
  absl::StatusOr<AppendResult> RecordSkip(const ProjectionSkip& skip);

  // Waits until what can be derived from sealed segments (sidecars, heads) is on disk, or an
  // attempt fails (kResourceExhausted: the disk is full); it is made again by itself. For tests and
  // tools.
  absl::Status WaitIndexed();

 private:
  class Writer;
  Store(std::shared_ptr<Reader::Impl> impl, std::unique_ptr<Writer> writer);
  std::unique_ptr<Writer> writer_;
};

// One thing that `Verify` found.
struct Finding {
  std::string
      kind;  // "frame", "record", "chain", "link", "sidecar", "index", "store", "segment", "lost"
  std::string file;  // relative to the store
  std::uint64_t offset = 0;
  Position first_position, last_position;  // 0 where no position is touched
  std::string hint;                        // what it is and what to do
};

struct VerifyOptions {
  bool fast = false;  // frames and their chain only
  // How the files are read; with kRead a segment at a time stands in memory.
  FileAccess access = FileAccess::kMap;
  // Called now and then with the bytes done and the bytes in all.
  std::function<void(std::uint64_t done, std::uint64_t total)> on_progress;
};

struct VerifyReport {
  std::uint64_t positions = 0;  // that were verified
  std::vector<Finding> findings;
  [[nodiscard]] bool ok() const { return findings.empty(); }
};

// Verifies a store with read rights only, also while a writer runs: every frame and its chain,
// every event, link, sidecar and index entry. Findings are not an error; an error is a store that
// cannot be looked at.
absl::StatusOr<VerifyReport> Verify(const std::filesystem::path& directory,
                                    const VerifyOptions& options);

struct RepairOptions {
  bool dry_run = false;  // says what it would do and changes nothing
  bool accept_loss =
      false;  // gives up what cannot be restored: reads over it say kDataLoss for ever
  std::filesystem::path
      from_backup;  // a backup, or a copy of the store, to take damaged bytes from; empty is none
  NoticeHandler on_notice;
};

struct RepairReport {
  std::uint64_t rebuilt = 0;      // derived files
  std::uint64_t quarantined = 0;  // damaged ranges of the log, copied to quarantine/
  std::uint64_t restored = 0;     // events whose bytes are as they were again
  std::uint64_t lost = 0;         // events given up
};

// Repairs a store that no process has open: rebuilds what is derived; brings damaged bytes of the
// log back from a backup or by their checksums, and moves a copy of them aside first. kDataLoss
// where something is left that needs a backup or accept_loss.
absl::StatusOr<RepairReport> Repair(const std::filesystem::path& directory,
                                    const RepairOptions& options);

}  // namespace daybook

#endif  // DAYBOOK_STORE_H_
