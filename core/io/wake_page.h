// The file WAKE: one page through which a writer tells readers in other processes how far the log
// is durable, and wakes them. Derived: it can be deleted. It also is a witness for recovery, so it
// is checksummed.
//
//   offset  bytes
//        0      8  magic "DBWAKE1\0"
//        8      4  layout version, 1
//       12      4  futex word: changes, by one and wrapping, after each publication
//       16     16  store id
//       32      8  run id: of one opening of the store by a writer
//       40      8  durable position
//       48      8  XXH3-64, seed 0, of bytes 16 to 47
//       56   4040  zero
//
// Little-endian. The position and the hash are two words and are not written at once: a reader that
// finds them not to belong together tries again. A writer that died in between leaves a page that
// says nothing.

#ifndef DAYBOOK_IO_WAKE_PAGE_H_
#define DAYBOOK_IO_WAKE_PAGE_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/options.h"
#include "daybook/values.h"
#include "io/mapped_file.h"

namespace daybook {

inline constexpr std::size_t kWakePageBytes = 4096;

struct WakeState {
  std::array<std::uint8_t, 16> store_id{};
  std::uint64_t run_id = 0;
  Position position;  // durable
  friend bool operator==(const WakeState&, const WakeState&) = default;
};

// The writer's side. Move-only. Not thread-safe: one thread publishes at a time.
class WakeWriter {
 public:
  // Takes over the file, or creates it, and publishes the position as the first of this run.
  // Readers that have the file mapped go on with it.
  static absl::StatusOr<WakeWriter> Create(const std::filesystem::path& path,
                                           const std::array<std::uint8_t, 16>& store_id,
                                           std::uint64_t run_id, Position position);

  WakeWriter(WakeWriter&& other) noexcept;
  WakeWriter& operator=(WakeWriter&& other) noexcept;
  ~WakeWriter();

  // Makes the position visible to readers and wakes those that wait. One short system call.
  void Publish(Position position);

 private:
  WakeWriter(std::byte* page, const WakeState& state) : page_(page), state_(state) {}
  void Wake();
  void Unmap() noexcept;

  std::byte* page_;
  WakeState state_;
};

// A reader's side; read rights are enough. Move-only. Thread-safe but for moving.
//
//   for (std::uint32_t word = wake.futex_word();; word = wake.futex_word()) {
//     const std::optional<WakeState> state = wake.Load();   // after the word, so that no wake is
//     missed
//     ...
//     wake.Wait(word, timeout);
//   }
class WakeReader {
 public:
  // kNotFound where no writer has made the file yet; kDataLoss where it is too short.
  // With FileAccess::kRead the page is read, never touched in a mapping: where the device fails it
  // says nothing, and a wait is a short sleep.
  static absl::StatusOr<WakeReader> Open(const std::filesystem::path& path,
                                         FileAccess access = FileAccess::kMap);

  // What the writer published last; nullopt where the page is damaged, of another layout, or left
  // half-written.
  [[nodiscard]] std::optional<WakeState> Load() const;
  [[nodiscard]] std::uint32_t futex_word() const;
  // Returns once the futex word is no longer `last_futex_word`, or the time is over, or for no
  // reason at all.
  void Wait(std::uint32_t last_futex_word, std::chrono::nanoseconds timeout) const;
  // Has all who wait on the page, in every process, look again.
  void WakeAll() const;

 private:
  WakeReader(MappedFile page, std::optional<File> file)
      : page_(std::move(page)), file_(std::move(file)) {}
  MappedFile page_;           // the address to sleep on
  std::optional<File> file_;  // where the page is read
};

}  // namespace daybook

#endif  // DAYBOOK_IO_WAKE_PAGE_H_
