#include "cli/import.h"

#include <pthread.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "cli/batch_appender.h"
#include "cli/batch_queue.h"
#include "cli/import_id.h"
#include "cli/input.h"
#include "cli/open_store.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/strings.h"

namespace daybook::cli {
namespace {

constexpr std::size_t kBatches = 4;
// With the largest event on top of it, a commit stays below its limit.
constexpr std::size_t kBatchBytes = std::size_t{40} << 20;
constexpr std::uint64_t kSkipsShown = 10;

std::pair<std::uint64_t, std::uint64_t> HashOf(std::string_view stream) {
  return {absl::HashOf(1, ToAbsl(stream)), absl::HashOf(2, ToAbsl(stream))};
}

// The reading half: fills batches and hands them on.
class BatchFiller {
 public:
  BatchFiller(const ImportFlags& flags, ByteSource& source, BatchQueue& queue, Console& console)
      : flags_(flags),
        file_(flags.file == "-" ? "standard input" : flags.file),
        source_(source),
        records_(source, FormatFor(flags)),
        parser_(FormatFor(flags), flags.fields),
        ids_(flags.source),
        queue_(queue),
        console_(console) {}

  // Reads the names of the columns, where there are any, so that parser() is whole.
  absl::Status Begin() {
    if (!parser_.needs_columns()) return absl::OkStatus();
    const absl::StatusOr<std::optional<Record>> record = records_.Next();
    if (!record.ok()) return record.status();
    if (!record->has_value()) return absl::OkStatus();
    const absl::Status status = parser_.SetColumns((*record)->text);
    return status.ok() ? status : AtLine(status, file_, (*record)->line, "correct the first line");
  }

  // Reads to the end, to the first bad line, or until the appender stops. What is good is handed
  // on.
  absl::Status Run() {
    absl::Status status = FillAll();
    if (batch_ != nullptr && !batch_->lines.empty()) queue_.GiveFilled(std::move(batch_));
    return status;
  }

  [[nodiscard]] const EventParser& parser() const { return parser_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

 private:
  static InputFormat FormatFor(const ImportFlags& flags) {
    return flags.format.value_or(FormatOf(flags.file));
  }

  absl::Status FillAll() {
    Progress progress(console_, "importing", "lines");
    for (std::uint64_t lines = 1;; ++lines) {
      if (Interrupted()) return InterruptedError();
      const absl::StatusOr<std::optional<Record>> record = records_.Next();
      if (!record.ok()) return record.status();
      if (!record->has_value()) return absl::OkStatus();
      const absl::Status added = Add(**record);
      if (stopped_) return absl::OkStatus();
      if (!added.ok()) {
        const absl::Status status = AtLine(added, file_, (*record)->line, kLineHint);
        if (!flags_.skip_bad_lines || !absl::IsInvalidArgument(status)) return status;
        Skip(status);
      }
      if (lines % 512 == 0) progress.Update(source_.bytes_read(), source_.bytes_total(), lines);
    }
  }

  absl::Status Add(const Record& record) {
    if (record.too_long)
      return absl::InvalidArgumentError("the line is longer than 32 MiB, as no event is");
    DAYBOOK_CLI_RETURN_IF_ERROR(parser_.Parse(record.text, parsed_));
    if (!parsed_.event.id.has_value()) {
      const absl::StatusOr<EventId> made = ids_.Next(record.text);
      if (!made.ok()) return made.status();
      parsed_.event.id = *made;
    }
    const EventId id = *parsed_.event.id;
    if (batch_ != nullptr && in_batch_.contains(id.bytes())) HandOn();
    if (batch_ == nullptr) batch_ = queue_.TakeFree();
    stopped_ = batch_ == nullptr;
    if (stopped_) return absl::OkStatus();
    DAYBOOK_CLI_RETURN_IF_ERROR(batch_->commit.Add(parsed_.stream, parsed_.event));
    in_batch_.insert(id.bytes());
    batch_->lines.push_back(
        {batch_->text.size(), record.text.size(), record.line, id, HashOf(parsed_.stream)});
    batch_->text.append(record.text);
    if (IsFull()) HandOn();
    return absl::OkStatus();
  }

  [[nodiscard]] bool IsFull() const {
    return batch_->commit.events() >= flags_.batch || batch_->commit.encoded_bytes() >= kBatchBytes;
  }

  // One id twice is refused within a commit and a duplicate between two: the answer must not hang
  // on where the batches end, so an id that comes again begins a batch.
  void HandOn() {
    queue_.GiveFilled(std::move(batch_));
    in_batch_.clear();
  }

  void Skip(const absl::Status& status) {
    if (++skipped_ <= kSkipsShown) {
      console_.PrintNotice(Notice::Severity::kWarning, absl::StrCat("skipped: ", status.message()));
    }
  }

  const ImportFlags& flags_;
  const std::string file_;
  ByteSource& source_;
  RecordReader records_;
  EventParser parser_;
  ImportIds ids_;
  BatchQueue& queue_;
  Console& console_;
  ParsedEvent parsed_;
  std::unique_ptr<Batch> batch_;
  absl::flat_hash_set<EventId::Bytes> in_batch_;
  std::uint64_t skipped_ = 0;
  bool stopped_ = false;
};

// Appends what the queue gives until it ends or the store refuses.
absl::Status AppendAll(BatchQueue& queue, BatchAppender& appender) {
  while (std::unique_ptr<Batch> batch = queue.TakeFilled()) {
    const absl::Status status = appender.Append(*batch);
    if (!status.ok()) {
      queue.Stop();
      return status;
    }
    batch->Clear();
    queue.GiveFree(std::move(batch));
  }
  return absl::OkStatus();
}

// Runs both halves. An error of the appender is about an earlier line than one of the filler.
absl::Status Pump(BatchFiller& filler, BatchAppender& appender, BatchQueue& queue) {
  absl::Status append_status;
  std::thread append_thread([&] {
    pthread_setname_np(pthread_self(), "daybook-append");
    append_status = AppendAll(queue, appender);
  });
  absl::Status fill_status;
  try {
    fill_status = filler.Run();
  } catch (const std::exception& error) {  // the other thread must be joined
    fill_status = absl::InternalError(error.what());
  }
  queue.Finish();
  append_thread.join();
  return append_status.ok() ? fill_status : append_status;
}

void PrintResult(const ImportCounts& counts, std::uint64_t position, double seconds,
                 Console& console) {
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kText) {
    absl::StrAppend(&out, counts.events, " events appended, ", counts.duplicates,
                    " there already, ", counts.skipped, " lines skipped; ", counts.streams,
                    " streams; the store is at position ", position, "; ", seconds, " s\n");
    return;
  }
  const nlohmann::ordered_json result = {
      {"events", counts.events},   {"skipped", counts.skipped}, {"duplicates", counts.duplicates},
      {"streams", counts.streams}, {"position", position},      {"seconds", seconds}};
  out.append(result.dump()).push_back('\n');
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  const auto elapsed = std::chrono::steady_clock::now() - start;
  return static_cast<double>(
             std::chrono::duration_cast<std::chrono::milliseconds>(elapsed).count()) /
         1000;
}

}  // namespace

absl::Status RunImport(const ImportFlags& flags, Console& console) {
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<std::unique_ptr<ByteSource>> source =
      ByteSource::Open(flags.file, Decompress::kByName);
  if (!source.ok()) return source.status();
  absl::StatusOr<std::unique_ptr<Store>> store =
      OpenForAppend(flags.store, flags.create, flags.durability, console);
  if (!store.ok()) return store.status();

  BatchQueue queue(kBatches);
  BatchFiller filler(flags, **source, queue, console);
  absl::Status status = filler.Begin();
  BatchAppender appender(**store, filler.parser(), filler.file(), flags.skip_bad_lines);
  if (status.ok()) status = Pump(filler, appender, queue);
  // What was buffered is promised only when it is on the device.
  const absl::Status flushed = (*store)->Flush();
  if (status.ok()) status = flushed;
  ImportCounts counts = appender.counts();
  counts.skipped += filler.skipped();
  PrintResult(counts, (*store)->durable().value(), SecondsSince(start), console);
  return status;
}

}  // namespace daybook::cli
