#include "io/reserved_array.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace daybook {

absl::StatusOr<Reservation> Reservation::Reserve(std::size_t bytes) {
  if (bytes == 0) return Reservation();
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrCat("reserve memory: ", bytes, " bytes of address space: error ", errno,
                     "; raise the limit of address space (ulimit -v) or of overcommitted memory"));
  }
  return Reservation(data, bytes);
}

void Reservation::Clear() const {
  if (data_ != nullptr) madvise(data_, bytes_, MADV_DONTNEED);
}

Reservation::Reservation(Reservation&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Reservation& Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) munmap(data_, bytes_);
    data_ = std::exchange(other.data_, nullptr);
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

Reservation::~Reservation() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

}  // namespace daybook
