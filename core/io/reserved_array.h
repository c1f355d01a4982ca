// An array that has its final address from the start and takes memory only as it is written.

#ifndef DAYBOOK_IO_RESERVED_ARRAY_H_
#define DAYBOOK_IO_RESERVED_ARRAY_H_

#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook {

// A range of address space; its pages come, zeroed, with their first write. Move-only.
class Reservation {
 public:
  // kResourceExhausted where the system refuses.
  static absl::StatusOr<Reservation> Reserve(std::size_t bytes);

  Reservation() = default;
  Reservation(Reservation&& other) noexcept;
  Reservation& operator=(Reservation&& other) noexcept;
  ~Reservation();

  [[nodiscard]] void* data() const { return data_; }
  // Gives the pages back: all is zero again.
  void Clear() const;

 private:
  Reservation(void* data, std::size_t bytes) : data_(data), bytes_(bytes) {}
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// Up to `capacity` elements that start as zero bytes and never change their address, so that
// readers can go on while a writer fills more. Move-only (the handle moves, the elements do not).
// Guards nothing: who writes what is the user's.
template <class T>
class ReservedArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  static absl::StatusOr<ReservedArray> Reserve(std::size_t capacity) {
    if (capacity > std::numeric_limits<std::size_t>::max() / sizeof(T)) {
      return absl::InvalidArgumentError("reserve memory: more elements than there are addresses");
    }
    absl::StatusOr<Reservation> reservation = Reservation::Reserve(capacity * sizeof(T));
    if (!reservation.ok()) return std::move(reservation).status();
    return ReservedArray(*std::move(reservation), capacity);
  }

  ReservedArray() = default;
  ReservedArray(ReservedArray&& other) noexcept
      : reservation_(std::move(other.reservation_)), capacity_(std::exchange(other.capacity_, 0)) {}
  ReservedArray& operator=(ReservedArray&& other) noexcept {
    reservation_ = std::move(other.reservation_);
    capacity_ = std::exchange(other.capacity_, 0);
    return *this;
  }

  [[nodiscard]] T* data() const { return static_cast<T*>(reservation_.data()); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] T& operator[](std::size_t index) const { return data()[index]; }

 private:
  ReservedArray(Reservation reservation, std::size_t capacity)
      : reservation_(std::move(reservation)), capacity_(capacity) {}

  Reservation reservation_;
  std::size_t capacity_ = 0;
};

}  // namespace daybook

#endif  // DAYBOOK_IO_RESERVED_ARRAY_H_
