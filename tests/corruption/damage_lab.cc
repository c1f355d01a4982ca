#include "tests/corruption/damage_lab.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/error.h"
#include "index/sidecar.h"
#include "kv/lmdb_snapshot.h"
#include "log/frame.h"
#include "log/recovery.h"

namespace daybook::testing {
namespace {

using Changes = std::vector<ChangedBytes>;

void Add(Count count, Counts* counts) { ++(*counts)[static_cast<std::size_t>(count)]; }

// Opens, calls, closes: with system calls alone, since this runs a million times.
template <class Call>
void WithFile(const std::filesystem::path& path, const Call& call) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  call(fd);
  close(fd);
}

void Write(int fd, std::uint64_t at, const char* bytes, std::size_t size) {
  if (pwrite(fd, bytes, size, static_cast<off_t>(at)) != static_cast<ssize_t>(size)) abort();
}

bool IsLog(const Shape& shape, const ChangedBytes& change) {
  return IsLogFile(shape.NameOf(change));
}

// Whether "file, offset" is where one of the changes is: in a log from the beginning of its frame
// on.
bool IsPlaceOf(const Shape& shape, const Changes& changes, const std::string& file,
               std::uint64_t offset) {
  return std::any_of(changes.begin(), changes.end(), [&](const ChangedBytes& change) {
    if (file != shape.NameOf(change)) return false;
    if (!IsLog(shape, change)) return offset <= shape.files[change.file].size();
    return offset >= shape.FrameBegin(change.file, change.at) && offset <= change.end;
  });
}

// An error must be kDataLoss and lead to the damage.
std::string CheckError(const Shape& shape, const Changes& changes, const absl::Status& status) {
  const std::optional<Damage> damage = DamageOf(status);
  if (!absl::IsDataLoss(status) || !damage) return absl::StrCat("says ", status.ToString());
  if (IsPlaceOf(shape, changes, damage->file, damage->offset)) return {};
  return absl::StrCat("names ", damage->file, " ", damage->offset, ": ", status.ToString());
}

// All entries of index/, or nothing where a page is no good.
std::vector<std::string> TablesOf(const std::filesystem::path& folder) {
  std::vector<std::string> entries;
  const auto snapshot = LmdbSnapshot::Open(folder / "index");
  if (!snapshot.ok() || !snapshot->CheckPages().ok()) return entries;
  for (const char* table : {"meta", "heads", "catalogue"}) {
    const absl::Status read =
        snapshot->ForEach(table, [&](std::string_view key, std::string_view value) {
          entries.push_back(absl::StrCat(table, ToAbsl(key), "=", ToAbsl(value)));
        });
    if (!read.ok()) return {};
  }
  return entries;
}

// Adds the time that passes while it lives.
class Clock {
 public:
  Clock(Count count, Counts* counts) : count_(count), counts_(counts) {}
  ~Clock() {
    (*counts_)[static_cast<std::size_t>(count_)] +=
        static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                       std::chrono::steady_clock::now() - start_)
                                       .count());
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  const Count count_;
  Counts* const counts_;
};

bool IsWindow(const Shape& shape, const Changes& changes) { return shape.IsWindow(changes); }

// The seal of the last segment is damaged: by itself that loses no event, the segment is active
// again, and what is found is that its sidecar and the catalogue name a seal that is not there.
bool IsLostSeal(const Shape& shape, const Changes& changes, const Finding& finding) {
  const FramePlace& last = shape.frames.back();
  return last.events == 0 && (finding.kind == "sidecar" || finding.kind == "index") &&
         std::any_of(changes.begin(), changes.end(), [&](const ChangedBytes& change) {
           return change.file == last.file && change.at < last.end && change.end > last.begin;
         });
}

bool CoversAll(const Shape& shape, const ChangedBytes& change, const std::vector<Finding>& findings,
               std::uint64_t* missed) {
  for (const RecordPlace& record : shape.records) {
    if (record.file != shape.NameOf(change) || record.begin >= change.end ||
        record.end <= change.at) {
      continue;
    }
    const bool covered = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.first_position.value() <= record.position &&
             record.position <= finding.last_position.value();
    });
    if (!covered) {
      *missed = record.position;
      return false;
    }
  }
  return true;
}

}  // namespace

const char* NameOf(Count count) {
  static constexpr std::array<const char*, kCounts> kNames = {
      "cases",          "no_change",
      "found",          "harmless",
      "window",         "window_wider",
      "decided",        "decided_torn_in_window",
      "decided_same",   "reader",
      "reader_same",    "reader_said",
      "reader_refused", "store",
      "store_same",     "store_said",
      "store_refused",  "store_cleared_unacknowledged",
      "verify_us",      "reader_us",
      "store_us"};
  return kNames[static_cast<std::size_t>(count)];
}

void Lab::Load(std::uint8_t shape) {
  if (loaded_ == shape) return;
  Tree tree;
  for (std::size_t i = 0; i < shapes_[shape].names.size(); ++i) {
    tree[shapes_[shape].names[i]] = shapes_[shape].files[i];
  }
  WriteTree(folder_, tree);
  loaded_ = shape;
  tables_ = TablesOf(folder_);
}

void Lab::Apply(const Changes& changes) const {
  for (const ChangedBytes& change : changes) {
    WithFile(folder_ / shapes_[static_cast<std::size_t>(loaded_)].NameOf(change), [&](int fd) {
      if (change.bytes.empty()) {
        if (ftruncate(fd, static_cast<off_t>(change.at)) != 0) abort();
      } else {
        Write(fd, change.at, change.bytes.data(), change.bytes.size());
      }
    });
  }
}

void Lab::Undo(const Changes& changes) const {
  const Shape& shape = shapes_[static_cast<std::size_t>(loaded_)];
  for (const ChangedBytes& change : changes) {
    WithFile(folder_ / shape.NameOf(change), [&](int fd) {
      Write(fd, change.at, shape.files[change.file].data() + change.at, change.end - change.at);
    });
  }
}

std::string Lab::Judge(const DamageCase& damage, const Levels& levels, Counts* counts) {
  const Shape& shape = shapes_[damage.shape];
  Changes changes = ChangesOf(damage, shape.files);
  Add(Count::kCases, counts);
  if (changes.empty()) {
    Add(Count::kNoChange, counts);
    return {};
  }
  if (levels.sabotage == Sabotage::kLookAway) {
    for (ChangedBytes& change : changes) {
      change.bytes = shape.files[change.file].substr(change.at, change.bytes.size());
    }
  }
  if (levels.decide) {
    if (std::string wrong = DecideInMemory(shape, changes, counts); !wrong.empty()) return wrong;
  }
  const bool is_log = IsLogFile(shape.names[damage.file]);
  const bool on_disk = levels.verify || levels.reader || levels.store;
  if (!on_disk && (is_log || !levels.decide)) return {};
  Load(damage.shape);
  Apply(changes);
  if (levels.sabotage == Sabotage::kCrash) raise(SIGSEGV);
  if (levels.sabotage == Sabotage::kHang) {
    alarm(1);
    pause();
  }
  if (levels.sabotage == Sabotage::kBlameAnother) {
    loaded_ = -1;
    changes = {{0, 0, "x", 1}};  // LOCK, in which nothing stands
    return Ask(shape, changes, levels, counts);
  }
  std::string wrong;
  bool everybody = false;
  if (levels.decide && !is_log) wrong = DecideDerived(shape, changes, &everybody, counts);
  const Levels all{.verify = true, .reader = true, .store = true};
  if (wrong.empty()) wrong = Ask(shape, changes, everybody ? all : levels, counts);
  if (everybody || levels.store || !wrong.empty()) {
    loaded_ = -1;  // it may have written anything
  } else {
    Undo(changes);
  }
  return wrong;
}

std::string Lab::DecideDerived(const Shape& shape, const Changes& changes, bool* everybody,
                               Counts* counts) const {
  const std::string& name = shape.NameOf(changes.front());
  if (name.ends_with(".idx")) {
    Add(Count::kDecided, counts);
    const auto sidecar = Sidecar::Open(folder_ / name);
    const absl::Status status = sidecar.ok() ? (*sidecar)->VerifyAll() : sidecar.status();
    return status.ok() ? "a damaged sidecar is believed" : "";
  }
  if (name != "index/data.mdb") return {};
  Add(Count::kDecided, counts);
  const std::vector<std::string> tables = TablesOf(folder_);
  if (tables.empty()) return {};  // discarded
  if (tables == tables_) {
    Add(Count::kDecidedSame, counts);
    return {};
  }
  // LMDB will read other entries, or a table by another name.
  *everybody = true;
  return {};
}

std::string Lab::Ask(const Shape& shape, const Changes& changes, const Levels& levels,
                     Counts* counts) const {
  bool found = true;
  if (levels.verify) {
    std::string wrong = AskVerify(shape, changes, &found, counts);
    if (!wrong.empty()) return "verify " + wrong;
  }
  if (levels.reader) {
    std::string wrong = AskReader(shape, changes, found, levels.depth, counts);
    if (!wrong.empty()) return "the reader " + wrong;
  }
  if (levels.store) {
    std::string wrong = AskStore(shape, changes, found, counts);
    if (!wrong.empty()) return "the writer " + wrong;
  }
  return {};
}

std::string Lab::AskVerify(const Shape& shape, const Changes& changes, bool* found,
                           Counts* counts) const {
  const Clock clock(Count::kVerifyMicroseconds, counts);
  const auto report = Verify(folder_, {});
  if (!report.ok()) return "says " + report.status().ToString();
  const std::vector<Finding>& findings = report->findings;
  *found = !findings.empty();
  if (IsWindow(shape, changes)) {
    Add(shape.IsLastGroup(changes) ? Count::kWindow : Count::kWindowWider, counts);
    return {};
  }
  Add(findings.empty() ? Count::kHarmless : Count::kFound, counts);
  if (findings.empty()) return {};
  const bool copied =
      changes.size() > 1 || (changes.front().bytes.size() > 1 &&
                             changes.front().bytes.find_first_not_of('\0') != std::string::npos);
  for (const ChangedBytes& change : changes) {
    // Behind the last frame nothing is lost; so where two sectors changed places there may be
    // damage in one of them only.
    const bool beyond = change.file == shape.last_log && change.at >= shape.frames.back().end;
    Changes same_file;
    for (const ChangedBytes& other : changes) {
      if (other.file == change.file) same_file.push_back(other);
    }
    const bool named = std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return IsPlaceOf(shape, same_file, finding.file, finding.offset);
    });
    if (!named && !(beyond && changes.size() > 1) &&
        !IsLostSeal(shape, changes, findings.front())) {
      return absl::StrCat("does not name ", shape.NameOf(change), " ", change.at, " but ",
                          ToText(findings.front()));
    }
    std::uint64_t missed = 0;
    // Sectors that stand elsewhere may hold whole events; and what a segment without its header
    // held nobody knows, unless somebody saw it.
    const bool unknown = change.file == shape.last_log && !shape.has_witness &&
                         (change.at < kSegmentHeaderBytes || change.bytes.empty());
    if (IsLog(shape, change) && changes.size() == 1 && !copied && !unknown &&
        !CoversAll(shape, change, findings, &missed)) {
      return absl::StrCat("does not name position ", missed, " but ", ToText(findings.front()));
    }
  }
  for (const Finding& finding : findings) {
    const bool ours = std::any_of(changes.begin(), changes.end(), [&](const ChangedBytes& change) {
      return finding.file == shape.NameOf(change);
    });
    if (!ours && !IsLostSeal(shape, changes, finding))
      return "blames a file that is whole: " + ToText(finding);
  }
  return {};
}

std::string Lab::AskReader(const Shape& shape, const Changes& changes, bool found, Depth depth,
                           Counts* counts) const {
  const Clock clock(Count::kReaderMicroseconds, counts);
  bool without_wake = false;
  ReaderOptions options;
  options.on_notice = [&](const Notice& notice) {
    without_wake = without_wake || notice.message.starts_with("WAKE is damaged");
  };
  const auto reader = Reader::Open(folder_, options);
  if (!reader.ok()) {
    Add(Count::kReaderRefused, counts);
    if (!found) return "does not open, and verify found nothing: " + reader.status().ToString();
    return CheckError(shape, changes, reader.status());
  }
  Add(Count::kReader, counts);
  const Comparison comparison = Compare(**reader, shape.of_reader, depth);
  if (!comparison.wrong.empty()) return comparison.wrong;
  const bool same = comparison.identical(shape.of_reader);
  Add(same ? Count::kReaderSame : Count::kReaderSaid, counts);
  if (same) return {};
  if (IsWindow(shape, changes)) return {};
  // It says so, and ends one group before: what the log proves by itself.
  const bool wake = std::all_of(changes.begin(), changes.end(), [&](const ChangedBytes& change) {
    return shape.NameOf(change) == "WAKE";
  });
  if (wake && without_wake &&
      comparison.head + shape.frames.back().events == shape.of_reader.head) {
    return {};
  }
  if (!found) return "differs, and verify found nothing";
  if (comparison.errors.empty()) return absl::StrCat("says nothing, and ends at ", comparison.head);
  for (const absl::Status& status : comparison.errors) {
    if (std::string wrong = CheckError(shape, changes, status); !wrong.empty()) return wrong;
  }
  return {};
}

std::string Lab::AskStore(const Shape& shape, const Changes& changes, bool found,
                          Counts* counts) const {
  const Clock clock(Count::kStoreMicroseconds, counts);
  bool cleared = false;
  StoreOptions options;
  options.create = StoreOptions::Create::kNever;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  options.on_notice = [&](const Notice& notice) {
    cleared = cleared || notice.message.find("are cleared") != std::string::npos;
  };
  const auto store = Store::Open(folder_, options);
  if (!store.ok()) {
    Add(Count::kStoreRefused, counts);
    if (!found) return "does not open, and verify found nothing: " + store.status().ToString();
    return CheckError(shape, changes, store.status());
  }
  Add(Count::kStore, counts);
  const Comparison comparison = Compare(**store, shape.of_store, Depth::kAll);
  if (!comparison.wrong.empty()) return comparison.wrong;
  const bool same = comparison.identical(shape.of_store);
  Add(same ? Count::kStoreSame : Count::kStoreSaid, counts);
  if (!same && !IsWindow(shape, changes)) {
    if (cleared && comparison.head < shape.of_store.head) {
      return "calls acknowledged events a torn tail";
    }
    if (!found) return "differs, and verify found nothing";
    if (comparison.errors.empty()) {
      return absl::StrCat("says nothing, and ends at ", comparison.head);
    }
    for (const absl::Status& status : comparison.errors) {
      if (std::string wrong = CheckError(shape, changes, status); !wrong.empty()) return wrong;
    }
  }
  if (same && cleared) Add(Count::kStoreCleared, counts);
  const auto appended = (*store)->Append("later-1", ExpectedVersion::Any(),
                                         {{.type = "Later", .data = AsBytes("{}")}});
  if (!appended.ok()) return "does not append: " + appended.status().ToString();
  if (appended->last_position.value() != comparison.head + 1) {
    return absl::StrCat("appends at position ", appended->last_position.value());
  }
  return {};
}

std::string DecideInMemory(const Shape& shape, const Changes& changes, Counts* counts) {
  thread_local std::vector<std::uint64_t> words;  // as aligned as a mapping is
  for (const ChangedBytes& change : changes) {
    if (!IsLog(shape, change) || change.bytes.empty()) continue;
    const std::string& file = shape.files[change.file];
    words.resize(file.size() / 8);
    std::memcpy(words.data(), file.data(), file.size());
    const auto bytes = std::as_writable_bytes(std::span(words));
    std::memcpy(bytes.data() + change.at, change.bytes.data(), change.bytes.size());
    SegmentHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    Add(Count::kDecided, counts);
    bool newer = false;
    if (change.at < sizeof(SegmentHeader)) {
      if (CheckSegmentHeader(header, &newer) == nullptr || newer) {
        return "a damaged header of a segment is believed";
      }
      continue;
    }
    FrameScanner scanner(bytes, header);
    FrameScanner::Result result{};
    while ((result = scanner.Next()) == FrameScanner::Result::kFrame) {
    }
    if (result == FrameScanner::Result::kNewer) return "damage is taken for a newer format";
    const bool lost = shape.FrameBegin(change.file, change.at) < scanner.offset() &&
                      change.at >= kSegmentHeaderBytes;
    if (lost) return "a damaged frame is believed";
    if (change.file != shape.last_log) continue;
    const FramePlace& last = shape.frames.back();
    if (scanner.offset() >= last.end) continue;
    TailEvidence evidence{.bad_offset = scanner.offset(),
                          .promised_upto = scanner.promised_upto(),
                          .unsynced_max = header.unsynced_max,
                          .sealed = scanner.sealed(),
                          .last_position = scanner.next_position() - 1,
                          .witnessed_position = shape.has_witness ? shape.of_store.head : 0};
    ExamineTail(bytes, header.salt, &evidence);
    if (DecideTail(evidence).verdict == TailVerdict::kCorrupt) continue;
    // A mark behind the last event may go where the events are all there.
    if (evidence.last_position == shape.of_store.head) continue;
    if (!shape.IsWindow(changes)) return "acknowledged events are called a torn tail";
    Add(Count::kDecidedTorn, counts);
  }
  return {};
}

}  // namespace daybook::testing
