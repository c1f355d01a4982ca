// The sidecar of a sealed segment: log/<first position>.idx, derived from the log and rebuilt
// whenever it is missing or in doubt.

#ifndef DAYBOOK_INDEX_SIDECAR_H_
#define DAYBOOK_INDEX_SIDECAR_H_

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "index/active_index.h"
#include "index/segment_index.h"

namespace daybook {

// What a sidecar covers; it is of use only where all of it is what the log says.
struct SidecarKey {
  std::array<std::uint8_t, 16> store_id{};
  std::array<std::uint8_t, 16> incarnation{};
  std::uint64_t first_position = 0;
  std::uint64_t events = 0;
  std::uint64_t last_frame_hash = 0;  // header hash of the seal frame that ends the segment
  friend bool operator==(const SidecarKey&, const SidecarKey&) = default;
};

class Sidecar : public SegmentIndex {
 public:
  // Writes the sidecar of a sealed segment from its index: aside, synced, renamed, the folder
  // synced. `index` holds exactly key.events published events.
  static absl::Status Write(const std::filesystem::path& path, const SidecarKey& key,
                            const ActiveIndex& index);

  // Maps a sidecar and verifies its header. kNotFound; kDataLoss where the header is damaged;
  // kFailedPrecondition where it is of another format number. Its sections are not verified yet:
  // see VerifyAll.
  // With FileAccess::kRead the sections are read by VerifyAll, and held in memory from then on.
  static absl::StatusOr<std::unique_ptr<Sidecar>> Open(const std::filesystem::path& path,
                                                       FileAccess access = FileAccess::kMap);

  [[nodiscard]] const SidecarKey& key() const;
  // Verifies every section's hash, the bounds of every offset in it, and that what must be sorted
  // is. kDataLoss names file and offset. Nothing else may be called before this has returned OK.
  absl::Status VerifyAll() const;

  ~Sidecar() override;

  // SegmentIndex
  [[nodiscard]] EffectiveBounds effective_bounds() const override;
  [[nodiscard]] std::optional<Term> FindType(std::string_view type) const override;
  [[nodiscard]] std::optional<Term> FindCategory(std::string_view category) const override;
  [[nodiscard]] ColumnView types() const override;
  [[nodiscard]] ColumnView categories() const override;
  void FindTag(std::uint64_t tag_hash, std::uint64_t limit,
               std::vector<std::uint32_t>* locals) const override;
  void FindId(std::uint64_t id_hash, std::uint64_t limit,
              std::vector<std::uint32_t>* locals) const override;
  void FindHead(std::uint64_t stream_hash, std::vector<std::uint32_t>* locals) const override;
  void AllHeads(std::vector<std::uint32_t>* locals) const override;

 private:
  struct Parts;
  explicit Sidecar(std::uint64_t first_position, std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_SIDECAR_H_
