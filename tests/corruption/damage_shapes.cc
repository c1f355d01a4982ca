#include "tests/corruption/damage_shapes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "log/frame.h"
#include "log/segment.h"
#include "store/store_file.h"

namespace daybook::testing {
namespace {

constexpr std::uint64_t kEvents = 120;  // four segments of 16 KiB

absl::Status FindPlaces(const std::filesystem::path& path, Shape* shape) {
  DAYBOOK_ASSIGN_OR_RETURN(const StoreHeader header, ReadStoreFile(path));
  for (std::size_t i = 0; i < shape->names.size(); ++i) {
    const std::string& name = shape->names[i];
    if (!IsLogFile(name)) continue;
    const auto file = static_cast<std::uint8_t>(i);
    shape->last_log = file;
    const std::uint64_t first = FirstPositionOf(std::filesystem::path(name).filename().string());
    DAYBOOK_ASSIGN_OR_RETURN(const auto log, LogSegment::Open(path, first, IdentityOf(header)));
    FrameScanner scanner(log->bytes(), log->header());
    std::int64_t recorded_at = INT64_MIN;
    while (scanner.Next() == FrameScanner::Result::kFrame) {
      const FrameHeader& frame = scanner.frame();
      shape->frames.push_back(
          {file, frame.offset, scanner.offset(), frame.events, frame.durable_upto});
      const char* problem =
          WalkFrame(*log, frame, &recorded_at,
                    [&](std::uint64_t offset, const RecordHeader& record, const EventView&) {
                      shape->records.push_back({name, offset,
                                                offset + sizeof(RecordHeader) + record.body_length,
                                                record.position});
                    });
      if (problem != nullptr) return absl::InternalError(problem);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Shape> Finish(std::string name, const Tree& tree,
                             const std::filesystem::path& scratch) {
  Shape shape;
  shape.name = std::move(name);
  for (const auto& [file, bytes] : tree) {
    shape.names.push_back(file);
    shape.files.push_back(bytes);
  }
  const std::filesystem::path path = scratch / shape.name;
  WriteTree(path, tree);
  DAYBOOK_RETURN_IF_ERROR(FindPlaces(path, &shape));
  const std::string last = shape.names[shape.last_log];
  shape.has_witness =
      tree.contains("WAKE") || tree.contains(last.substr(0, last.size() - 4) + ".idx");
  {
    DAYBOOK_ASSIGN_OR_RETURN(const auto reader, Reader::Open(path, {}));
    DAYBOOK_ASSIGN_OR_RETURN(shape.of_reader, AskForTruth(*reader, reader->visible().value()));
  }
  {
    StoreOptions options;
    options.create = StoreOptions::Create::kNever;
    DAYBOOK_ASSIGN_OR_RETURN(const auto store, Store::Open(path, options));
    DAYBOOK_ASSIGN_OR_RETURN(shape.of_store, AskForTruth(*store, store->visible().value()));
  }
  std::filesystem::remove_all(path);
  if (shape.of_store.head == 0) return absl::InternalError("a shape without events");
  return shape;
}

// Whether the last frame of the log is of events, so that nothing promises it yet.
absl::StatusOr<bool> EndsInEvents(const Tree& tree, const std::filesystem::path& scratch) {
  Shape shape;
  for (const auto& [file, bytes] : tree) {
    shape.names.push_back(file);
    shape.files.push_back(bytes);
  }
  WriteTree(scratch / "probe", tree);
  DAYBOOK_RETURN_IF_ERROR(FindPlaces(scratch / "probe", &shape));
  std::filesystem::remove_all(scratch / "probe");
  return shape.frames.back().events != 0 && shape.frames.back().file == shape.last_log;
}

void AddCheats(std::vector<Shape>* shapes) {
  Shape lied = shapes->at(0);
  lied.name = "lied";
  lied.is_cheat = true;
  lied.of_reader.events[5] ^= 1;
  Shape overclaimed = shapes->at(2);
  overclaimed.name = "overclaimed";
  overclaimed.is_cheat = true;
  overclaimed.has_witness = true;
  shapes->push_back(std::move(lied));
  shapes->push_back(std::move(overclaimed));
}

}  // namespace

std::uint64_t Shape::FrameBegin(std::uint8_t file, std::uint64_t offset) const {
  if (offset < kSegmentHeaderBytes) return 0;
  std::uint64_t begin = kSegmentHeaderBytes;
  for (const FramePlace& frame : frames) {
    if (frame.file == file && frame.begin <= offset) {
      begin = offset < frame.end ? frame.begin : frame.end;
    }
  }
  return begin;
}

bool Shape::IsWindow(const std::vector<ChangedBytes>& changes) const {
  if (has_witness) return false;
  std::uint64_t first_hit = UINT64_MAX;
  std::uint64_t promised = 0;
  for (const FramePlace& frame : frames) {
    if (frame.file != last_log) continue;
    bool hit = false;
    bool header_hit = false;
    for (const ChangedBytes& change : changes) {
      if (change.file != last_log || change.at >= frame.end || change.end <= frame.begin) continue;
      hit = true;
      header_hit = header_hit || change.at < frame.begin + sizeof(FrameHeader);
    }
    if (hit) first_hit = std::min(first_hit, frame.begin);
    if (!header_hit) promised = std::max(promised, frame.durable_upto);
  }
  // A cut says by itself that it is none.
  const bool is_cut = std::any_of(changes.begin(), changes.end(),
                                  [](const ChangedBytes& change) { return change.bytes.empty(); });
  return !is_cut && first_hit != UINT64_MAX && promised <= first_hit;
}

bool Shape::IsLastGroup(const std::vector<ChangedBytes>& changes) const {
  return std::all_of(changes.begin(), changes.end(), [&](const ChangedBytes& change) {
    return change.file == last_log && change.at >= frames.back().begin;
  });
}

absl::StatusOr<std::vector<Shape>> MakeShapes(const std::filesystem::path& scratch) {
  const std::filesystem::path path = scratch / "made";
  StoreOptions options;
  options.segment_bytes_max = std::uint64_t{16} << 10;
  Tree live;
  {
    DAYBOOK_ASSIGN_OR_RETURN(const auto store, Store::Open(path, options));
    DAYBOOK_RETURN_IF_ERROR(FillSmallStore(*store, {.events = kEvents}));
    DAYBOOK_RETURN_IF_ERROR(store->WaitIndexed());
    // An idle writer soon writes a mark; and the last event may have begun a segment.
    for (int i = 0;; ++i) {
      DAYBOOK_RETURN_IF_ERROR(store
                                  ->Append("order-live", ExpectedVersion::Any(),
                                           {{.type = "Type0", .data = AsBytes("{\"last\":1}")}})
                                  .status());
      live = ReadTree(path);
      DAYBOOK_ASSIGN_OR_RETURN(const bool ready, EndsInEvents(live, scratch));
      if (ready) break;
      if (i > 50) return absl::InternalError("the writer is never seen between two marks");
    }
  }
  std::vector<Shape> shapes;
  const auto add = [&](std::string name, const Tree& tree) {
    absl::StatusOr<Shape> shape = Finish(std::move(name), tree, scratch);
    if (shape.ok()) shapes.push_back(*std::move(shape));
    return shape.status();
  };
  const Tree clean = ReadTree(path);
  DAYBOOK_RETURN_IF_ERROR(add("clean", clean));
  DAYBOOK_RETURN_IF_ERROR(add("live", live));
  live.erase("WAKE");
  DAYBOOK_RETURN_IF_ERROR(add("unwitnessed", live));
  Tree sealed = clean;
  std::erase_if(sealed, [&](const auto& entry) {
    return entry.first == "WAKE" || entry.first.starts_with("index/") ||
           entry.first == shapes[0].names[shapes[0].last_log];
  });
  // As a clean close leaves a segment that is large: a writer makes what was derived of it.
  WriteTree(scratch / "sealed", sealed);
  {
    DAYBOOK_ASSIGN_OR_RETURN(const auto store, Store::Open(scratch / "sealed", options));
    DAYBOOK_RETURN_IF_ERROR(store->WaitIndexed());
  }
  DAYBOOK_RETURN_IF_ERROR(add("sealed", ReadTree(scratch / "sealed")));
  AddCheats(&shapes);
  return shapes;
}

void SaveShapes(const std::vector<Shape>& shapes, const std::filesystem::path& folder) {
  for (const Shape& shape : shapes) {
    if (shape.is_cheat) continue;
    Tree tree;
    for (std::size_t i = 0; i < shape.names.size(); ++i) tree[shape.names[i]] = shape.files[i];
    WriteTree(folder / shape.name, tree);
  }
}

absl::StatusOr<std::vector<Shape>> LoadShapes(const std::filesystem::path& folder,
                                              const std::filesystem::path& scratch) {
  std::vector<Shape> shapes;
  for (const char* name : {"clean", "live", "unwitnessed", "sealed"}) {
    DAYBOOK_ASSIGN_OR_RETURN(Shape shape, Finish(name, ReadTree(folder / name), scratch));
    shapes.push_back(std::move(shape));
  }
  AddCheats(&shapes);
  return shapes;
}

}  // namespace daybook::testing
