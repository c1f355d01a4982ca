// One generation of a read model: an LMDB environment with the projection's tables, the checkpoint,
// the parked events and the effects that wait.
//
// Tables of the environment: `t.<name>` for each table of the projection, and
//   meta     "checkpoint" → checkpoint.h
//   parked   parking.h
//   effects  effects.h

#ifndef DAYBOOK_PROJECTIONS_GENERATION_H_
#define DAYBOOK_PROJECTIONS_GENERATION_H_

#include <cstddef>
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
#include "kv/environment.h"
#include "projections/checkpoint.h"

namespace daybook {

// The table and the key in it that the checkpoint stands under.
inline constexpr std::string_view kMetaTable = "meta", kCheckpointKey = "checkpoint";
inline constexpr std::string_view kParkedTable = "parked";
// What a table of the projection is called in the environment.
std::string EnvironmentTableOf(std::string_view table);
// What a handler gets that asks for a table that its projection has not named.
absl::Status NoSuchTable(std::string_view table);

// Of a table, to reckon with.
inline constexpr std::size_t kPageBytes = 4096;
// The map that one who only looks, or changes little, begins with; it grows by itself.
inline constexpr std::uint64_t kReaderMapBytes = std::uint64_t{64} << 20;

// Thread-safe. Open once in a process: a Host sees to that.
class Generation {
 public:
  // Who owns it (runs or rebuilds it) looks for damage first; to a reader the pages may be changing
  // meanwhile.
  enum class Access : std::uint8_t { kOwner, kReader };

  // Makes generation `number` of the projection in `folder` with this checkpoint, after removing
  // what a creation that was cut off has left there. Durable on return but for its name in CURRENT.
  static absl::StatusOr<std::shared_ptr<Generation>> Create(const std::filesystem::path& folder,
                                                            std::uint64_t number,
                                                            const Checkpoint& initial,
                                                            std::uint64_t map_bytes);
  // kNotFound where there is none; kDataLoss where it is damaged, or has no checkpoint.
  static absl::StatusOr<std::shared_ptr<Generation>> Open(const std::filesystem::path& folder,
                                                          std::uint64_t number, Access access,
                                                          std::uint64_t map_bytes);

  [[nodiscard]] std::uint64_t number() const { return number_; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] Environment& environment() const { return *environment_; }

  // The tables of the projection, by name, as the checkpoint lists them.
  [[nodiscard]] std::size_t tables() const { return names_.size(); }
  [[nodiscard]] const std::string& table_name(std::size_t index) const { return names_[index]; }
  // The one behind the last is that of the effects: to a rebuild they are rows as others are.
  [[nodiscard]] TableHandle table(std::size_t index) const { return handles_[index]; }
  // kInvalidArgument where the projection has not named it.
  [[nodiscard]] absl::StatusOr<std::size_t> IndexOf(std::string_view name) const;
  [[nodiscard]] TableHandle parked() const { return parked_; }
  [[nodiscard]] TableHandle effects() const { return effects_; }

  [[nodiscard]] absl::StatusOr<Checkpoint> ReadCheckpoint(const Transaction& transaction) const;
  [[nodiscard]] absl::StatusOr<Checkpoint> ReadCheckpoint() const;
  absl::Status WriteCheckpoint(const Checkpoint& checkpoint, WriteTransaction* transaction) const;

  // Does `body` in a write transaction and commits it; where the map is full it grows, and all is
  // done again from the start. No transaction of this thread may be open. A process that dies in
  // here leaves all of it or nothing. kResourceExhausted: the disk is full, and nothing has
  // changed; kUnavailable: the map could not grow, because a ReadSnapshot of this process was open
  // too long.
  absl::Status Write(const std::function<absl::Status(WriteTransaction&)>& body);

 private:
  Generation(std::filesystem::path folder, std::uint64_t number,
             std::unique_ptr<Environment> environment)
      : folder_(std::move(folder)), number_(number), environment_(std::move(environment)) {}
  absl::Status OpenTables();

  const std::filesystem::path folder_;
  const std::uint64_t number_;
  const std::unique_ptr<Environment> environment_;
  TableHandle meta_, parked_, effects_;
  std::vector<std::string> names_;
  std::vector<TableHandle> handles_;
};

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_GENERATION_H_
