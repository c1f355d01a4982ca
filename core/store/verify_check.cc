#include "store/verify_check.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"
#include "index/sidecar.h"
#include "io/directory.h"
#include "io/wake_page.h"
#include "store/store_file.h"
#include "store/verify_events.h"

namespace daybook {
namespace {

using What = DamagedRange::What;

// Reads what ToJson wrote and nothing else: users cannot append to the store's own stream.
class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}
  bool Skip(std::string_view token) {
    if (!text_.starts_with(token)) return false;
    text_.remove_prefix(token.size());
    return true;
  }
  bool Number(std::uint64_t* value) {
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), *value);
    if (error != std::errc()) return false;
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return true;
  }
  bool Text(std::string* value) {
    const std::size_t end = text_.find('"', 1);
    if (!Skip("\"") || end == std::string_view::npos) return false;
    *value = std::string(text_.substr(0, end - 1));
    text_.remove_prefix(end);
    return true;
  }

 private:
  std::string_view text_;
};

std::uint64_t WitnessedBySidecars(const std::filesystem::path& directory,
                                  const StoreIdentity& identity, FileAccess access) {
  std::uint64_t position = 0;
  const auto names = Directory::List(directory / "log");
  if (!names.ok()) return 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".idx")) continue;
    const auto sidecar = Sidecar::Open(directory / "log" / name, access);
    if (!sidecar.ok()) continue;
    const SidecarKey& key = (*sidecar)->key();
    if (StoreIdentity{key.store_id, key.incarnation} != identity || key.events == 0) continue;
    position = std::max(position, key.first_position + key.events - 1);
  }
  return position;
}

// A run of CheckStore, and the progress it tells.
absl::Status Walk(const VerifyOptions& options, HeadsCheck* heads, SidecarCheck* sidecars,
                  StoreCheck* check) {
  EventsCheck events(heads, sidecars, check);
  WalkVisitor visitor;
  visitor.events = !options.fast;
  std::uint64_t done = 0;
  if (options.on_progress) {
    visitor.on_progress = [&](std::uint64_t bytes) {
      done = std::min(done + bytes, check->picture.total_bytes);
      options.on_progress(done, check->picture.total_bytes);
    };
  }
  if (!options.fast) {
    visitor.on_segment = [&](const LogFile& file) {
      if (sidecars != nullptr) sidecars->BeginSegment(file);
    };
    visitor.on_event = [&](const LogSegment& segment, std::uint64_t offset,
                           const RecordHeader& record, const EventView& event) {
      events.OnEvent(segment, offset, record, event);
    };
    visitor.on_lost = [&](PositionSpan lost) { events.OnLost(lost); };
    visitor.on_segment_end = [&](const LogFile& file, const SegmentEnd& end) {
      if (sidecars != nullptr) sidecars->EndSegment(file, end);
    };
  }
  DAYBOOK_ASSIGN_OR_RETURN(check->walk, WalkLog(check->picture, visitor));
  if (!options.fast) events.Finish();
  if (options.on_progress) {
    options.on_progress(check->picture.total_bytes, check->picture.total_bytes);
  }
  return absl::OkStatus();
}

const char* KindOf(What what) {
  switch (what) {
    case What::kHeader:
    case What::kMissing:
    case What::kZeros:
      return "segment";
    case What::kFrames:
    case What::kBody:
    case What::kTail:
      return "frame";
    case What::kChain:
      return "chain";
    case What::kContent:
      return "record";
  }
  return "frame";
}

const char* AdviceFor(What what) {
  switch (what) {
    case What::kMissing:
      return "; put the file back, or run `daybook repair` with --from-backup";
    case What::kContent:
      return "; it was written so: restore a backup from before, and report it";
    default:
      return "; run `daybook repair`, with --from-backup where there is a copy";
  }
}

}  // namespace

std::uint64_t WitnessedByWake(const std::filesystem::path& directory, const Uuid& store_id,
                              FileAccess access) {
  const auto wake = WakeReader::Open(directory / "WAKE", access);
  if (!wake.ok()) return 0;
  const std::optional<WakeState> state = wake->Load();
  return state && state->store_id == store_id ? state->position.value() : 0;
}

std::string ToJson(const AcceptedLoss& loss, std::string_view reason) {
  const std::string positions =
      loss.positions.first == 0 ? "" : absl::StrCat(loss.positions.first, ",", loss.positions.last);
  return absl::StrCat("{\"positions\":[", positions, "],\"file\":", QuotedJson(loss.file),
                      ",\"offset\":", loss.offset, ",\"reason\":", QuotedJson(reason), "}");
}

std::optional<AcceptedLoss> ParseAcceptedLoss(std::string_view json) {
  JsonReader reader(json);
  AcceptedLoss loss;
  if (!reader.Skip("{\"positions\":[")) return std::nullopt;
  if (!reader.Skip("]")) {
    if (!reader.Number(&loss.positions.first) || !reader.Skip(",") ||
        !reader.Number(&loss.positions.last) || !reader.Skip("]")) {
      return std::nullopt;
    }
  }
  if (!reader.Skip(",\"file\":") || !reader.Text(&loss.file) || !reader.Skip(",\"offset\":") ||
      !reader.Number(&loss.offset)) {
    return std::nullopt;
  }
  return loss;
}

const AcceptedLoss* FindAccepted(const std::vector<AcceptedLoss>& losses,
                                 const DamagedRange& range) {
  // What was written wrongly can be read: it is no loss.
  if (range.what == What::kContent) return nullptr;
  for (const AcceptedLoss& loss : losses) {
    const bool covers = range.positions.first != 0 && loss.positions.first != 0 &&
                        loss.positions.first <= range.positions.first &&
                        range.positions.last <= loss.positions.last;
    const bool same_place =
        range.positions.first == 0 && loss.file == range.file && loss.offset == range.named;
    if (covers || same_place) return &loss;
  }
  return nullptr;
}

Finding ToFinding(const DamagedRange& range, const AcceptedLoss* accepted) {
  Finding finding{.kind = KindOf(range.what),
                  .file = range.file,
                  .offset = range.named,
                  .first_position = Position(range.positions.first),
                  .last_position = Position(range.positions.last),
                  .hint = absl::StrCat(range.problem, AdviceFor(range.what))};
  if (accepted != nullptr) {
    finding.kind = "lost";
    finding.hint = absl::StrCat(range.problem, "; given up by a repair, as the event at position ",
                                accepted->recorded_position, " says");
  }
  return finding;
}

std::vector<Finding> StoreCheck::Findings() const {
  std::vector<Finding> findings;
  if (!store_file.ok()) {
    findings.push_back({.kind = "store",
                        .file = "STORE",
                        .offset = 0,
                        .first_position = Position(0),
                        .last_position = Position(0),
                        .hint = std::string(store_file.message())});
  }
  if (picture.files.empty()) {
    findings.push_back({.kind = "segment",
                        .file = "log",
                        .offset = 0,
                        .first_position = Position(1),
                        .last_position = Position(picture.witnessed_position),
                        .hint = "there is no segment; put the files back, or restore a backup"});
  }
  for (const DamagedRange& range : walk.damage) {
    findings.push_back(ToFinding(range, FindAccepted(losses, range)));
  }
  for (const auto* more : {&events, &sidecars, &index}) {
    findings.insert(findings.end(), more->begin(), more->end());
  }
  return findings;
}

absl::StatusOr<StoreCheck> CheckStore(const std::filesystem::path& directory,
                                      const VerifyOptions& options, std::uint64_t witnessed,
                                      const std::string& store_file) {
  StoreCheck check;
  const auto store = ReadStoreFile(directory, store_file);
  StoreIdentity identity;
  if (store.ok()) {
    check.store = *store;
    identity = IdentityOf(*store);
  } else {
    check.store_file = store.status();
    if (!absl::IsDataLoss(check.store_file)) return check.store_file;
    DAYBOOK_ASSIGN_OR_RETURN(identity, IdentityFromSegments(directory));
  }
  // Witnesses first: what they have seen is there when the log is looked at, also beside a live
  // writer.
  HeadsCheck heads(directory, identity, options.access, &check.index);
  witnessed = std::max({witnessed, WitnessedByWake(directory, identity.store_id, options.access),
                        heads.applied(), WitnessedBySidecars(directory, identity, options.access)});
  DAYBOOK_ASSIGN_OR_RETURN(check.picture, LookAtLog(directory, identity, options.access));
  check.picture.witnessed_position = witnessed;
  SidecarCheck sidecars(directory, check.picture, &check.sidecars);
  DAYBOOK_RETURN_IF_ERROR(Walk(options, &heads, &sidecars, &check));
  if (!options.fast || check.walk.damage.empty()) {
    if (options.fast) check.index.clear();
    return check;
  }
  // Something was found: whether it was given up long ago is said by events.
  StoreCheck whole;
  whole.picture = check.picture;
  DAYBOOK_RETURN_IF_ERROR(Walk({.access = options.access}, nullptr, nullptr, &whole));
  check.losses = std::move(whole.losses);
  check.index.clear();
  return check;
}

}  // namespace daybook
