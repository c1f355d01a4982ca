// The heads of all streams as of the last sealed segment, in LMDB under index/: what the writer
// asks when a stream is not in memory. Derived from the sidecars: damage discards the folder, and
// it is rebuilt from them. kResourceExhausted is a full disk: what was asked for can be asked for
// again when there is room.
//
// Only the writer process opens it. Thread-safe: one thread applies, any number look up.

#ifndef DAYBOOK_INDEX_HEAD_STORE_H_
#define DAYBOOK_INDEX_HEAD_STORE_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "index/sidecar.h"

namespace daybook {

inline constexpr std::size_t kHeadPositionsMax = 4;

// The head of one stream.
struct HeadRecord {
  std::uint64_t version = 0;
  std::uint64_t position = 0;  // of its last event
  // The positions of its last events, newest first, `position` included; as many as are known.
  std::array<std::uint64_t, kHeadPositionsMax> last{};
  std::int64_t effective_min = 0;  // bounds of effective_at over the whole stream
  std::int64_t effective_max = 0;
};

class HeadStore {
 public:
  // Opens or creates it in `directory`. What is there of another store, incarnation or format
  // number, or does not open, is discarded
  // (`*discarded` says so) and begun anew with applied_position() 0.
  static absl::StatusOr<std::unique_ptr<HeadStore>> Open(const std::filesystem::path& directory,
                                                         const SidecarKey& identity,
                                                         bool* discarded);
  ~HeadStore();

  // Everything up to here is in it.
  [[nodiscard]] std::uint64_t applied_position() const;
  // How many streams it holds.
  [[nodiscard]] absl::StatusOr<std::uint64_t> streams() const;

  [[nodiscard]] absl::StatusOr<std::optional<HeadRecord>> Find(std::string_view stream) const;

  struct Update {
    std::string stream;
    HeadRecord head;
  };
  // Merges the heads of one sealed segment, in transactions of at most 4,096 dirty pages, keeping
  // the larger version of each; the last one also moves applied_position to the segment's last and
  // notes the segment in the catalogue. Sorts `updates` by name. The map grows by itself. Segments
  // come in order; one that was applied before, whole or in part, may come again. Lists of last
  // positions and effective bounds are merged with those that are there, so an update may know
  // those of its segment only.
  absl::Status Apply(std::vector<Update>* updates, const SidecarKey& segment);

  // The catalogue: what was applied, in order of position.
  [[nodiscard]] absl::StatusOr<std::vector<SidecarKey>> Catalogue() const;

  // Visits heads in order of name from `prefix` on while the name has it. Not a view of one moment:
  // a head that is applied meanwhile may be seen as before or after. `visit` may call this store.
  absl::Status ForEach(std::string_view prefix,
                       const std::function<void(std::string_view, const HeadRecord&)>& visit) const;

 private:
  struct Parts;
  explicit HeadStore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_HEAD_STORE_H_
