// The methods of Reader: each takes a view and asks read/.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/segment_index.h"
#include "io/directory.h"
#include "store/follower.h"
#include "store/reader_impl.h"
#include "store/store_file.h"

namespace daybook {
namespace {

// What the views of one event point to, where no mapping holds it.
struct EventOwner {
  std::shared_ptr<const SegmentList> segments;
  ReadBuffer buffer;
};

absl::StatusOr<EventHandle> ReadHandle(std::uint64_t position, const ReadView& view) {
  EventView event;
  if (view.segments().empty() || view.segments().front()->log()->is_mapped()) {
    DAYBOOK_RETURN_IF_ERROR(view.ReadEvent(position, &event));
    return EventHandle(event, view.segment_list());
  }
  auto owner = std::make_shared<EventOwner>();
  DAYBOOK_RETURN_IF_ERROR(view.ReadEvent(position, &event, &owner->buffer));
  owner->segments = view.segment_list();
  return EventHandle(event, std::move(owner));
}

absl::Status BeyondHead(const char* what, std::uint64_t asked, std::uint64_t head) {
  return absl::InvalidArgumentError(
      absl::StrCat("there is no ", what, " ", asked, "; the head is ", head));
}

// A stream begins once, so as many events have version 1.
absl::StatusOr<std::uint64_t> CountStreams(const ReadView& view) {
  std::uint64_t streams = 0;
  for (const auto& segment : view.segments()) {
    if (segment->first_position() > view.visible()) break;
    DAYBOOK_ASSIGN_OR_RETURN(const auto index, segment->index());
    const std::uint64_t end =
        std::min(index->count(), view.visible() - segment->first_position() + 1);
    for (std::uint64_t i = 0; i < end; ++i) streams += index->links()[i].version == 1;
  }
  return streams;
}

}  // namespace

Reader::Reader(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Reader::~Reader() = default;

absl::StatusOr<std::unique_ptr<Reader>> Reader::Open(const std::filesystem::path& directory,
                                                     const ReaderOptions& options) {
  DAYBOOK_ASSIGN_OR_RETURN(std::shared_ptr<Impl> impl, Follower::Open(directory, options));
  return std::unique_ptr<Reader>(new Reader(std::move(impl)));
}

absl::StatusOr<Cursor> Reader::Read(const ReadOptions& options) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  return MakeCursor(view, options);
}

absl::StatusOr<EventHandle> Reader::EventAt(Position position) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  if (position.value() > view.visible()) DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  if (position.value() == 0 || position.value() > view.visible()) {
    return BeyondHead("position", position.value(), view.visible());
  }
  return ReadHandle(position.value(), view);
}

absl::StatusOr<EventHandle> Reader::EventAt(std::string_view stream, Version version) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  DAYBOOK_ASSIGN_OR_RETURN(const StreamPoint head, view.PointAt(stream, view.visible()));
  if (version.value() > head.version) DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  if (version.value() == 0 || version.value() > head.version) {
    return BeyondHead("version", version.value(), head.version);
  }
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t position,
                           view.PositionOfVersion(head.position, version.value()));
  DAYBOOK_ASSIGN_OR_RETURN(EventHandle event, ReadHandle(position, view));
  if (event->stream != stream || event->version != version) {
    return absl::DataLossError(absl::StrCat("the links of stream '", ToAbsl(stream),
                                            "' lead to another event, at position ", position,
                                            "; run `daybook repair`"));
  }
  return event;
}

absl::StatusOr<StreamInfo> Reader::Head(std::string_view stream, const AsOf& as_of) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  return HeadOf(view, stream, as_of);
}

absl::StatusOr<std::vector<StreamInfo>> Reader::Streams(const StreamsOptions& options) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  return ListStreams(view, options);
}

absl::StatusOr<Position> Reader::PositionAt(Timestamp time) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t position, view.PositionAt(time));
  return Position(position);
}

const std::filesystem::path& Reader::directory() const { return impl_->directory(); }
const std::string& Reader::incarnation() const { return impl_->incarnation(); }

absl::StatusOr<std::uint64_t> Reader::FrameHashAt(Position position) const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  if (position.value() > view.visible()) DAYBOOK_RETURN_IF_ERROR(view.incomplete());
  if (position.value() == 0 || position.value() > view.visible()) {
    return BeyondHead("position", position.value(), view.visible());
  }
  return view.FrameHashAt(position.value());
}

Position Reader::visible() const { return impl_->visible(); }
Position Reader::durable() const { return impl_->durable(); }

absl::StatusOr<Position> Reader::WaitVisible(Position position,
                                             std::chrono::milliseconds timeout) const {
  return impl_->WaitVisible(position, timeout);
}

absl::StatusOr<Position> Reader::AwaitDurable(Position position, std::chrono::milliseconds timeout,
                                              const std::function<bool()>& keep_going) const {
  return impl_->AwaitDurable(position, timeout, keep_going);
}

void Reader::WakeWaiters() const { impl_->WakeWaiters(); }

absl::StatusOr<StoreStats> Reader::Stats() const {
  DAYBOOK_ASSIGN_OR_RETURN(const ReadView view, impl_->View());
  const std::filesystem::path& directory = impl_->directory();
  StoreStats stats;
  stats.store_id = UuidText(impl_->store().store_id);
  stats.incarnation = UuidText(impl_->store().incarnation);
  stats.format = absl::StrCat(impl_->store().format_major, ".", impl_->store().format_minor);
  stats.events = view.visible();
  stats.position = Position(view.durable());
  DAYBOOK_ASSIGN_OR_RETURN(stats.streams, CountStreams(view));
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                           Directory::List(directory / "log"));
  for (const std::string& name : names) {
    const bool is_sidecar = name.ends_with(".idx");
    if (!is_sidecar && FirstPositionOf(name) == 0) continue;
    const auto bytes = Directory::FileSize(directory / "log" / name);
    if (!bytes.ok()) continue;  // replaced meanwhile
    (is_sidecar ? stats.sidecar_bytes : stats.log_bytes) += *bytes;
    stats.segments += is_sidecar ? 0 : 1;
  }
  DAYBOOK_ASSIGN_OR_RETURN(stats.index_bytes, Directory::TreeBytes(directory / "index"));
  DAYBOOK_ASSIGN_OR_RETURN(stats.snapshot_bytes, Directory::TreeBytes(directory / "snapshots"));
  DAYBOOK_ASSIGN_OR_RETURN(stats.projection_bytes, Directory::TreeBytes(directory / "projections"));
  if (view.visible() > 0) {
    const RecordHeader* header = nullptr;
    ReadBuffer buffer;
    DAYBOOK_RETURN_IF_ERROR(view.ReadHeader(view.visible(), &header, &buffer));
    stats.last_recorded_at = Timestamp(header->recorded_at);
  }
  impl_->FillStats(&stats);
  return stats;
}

}  // namespace daybook
