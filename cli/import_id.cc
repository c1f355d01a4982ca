#include "cli/import_id.h"

#include <algorithm>
#include <array>
#include <utility>

namespace daybook::cli {
namespace {

template <std::size_t kBytes>
std::array<unsigned char, kBytes> LittleEndian(std::uint64_t value) {
  std::array<unsigned char, kBytes> bytes;
  for (unsigned char& byte : bytes) {
    byte = static_cast<unsigned char>(value & 0xFF);
    value >>= 8;
  }
  return bytes;
}

}  // namespace

ImportIds::ImportIds(std::string source)
    : source_(std::move(source)),
      sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
      context_(EVP_MD_CTX_new()) {}

absl::StatusOr<EventId> ImportIds::Compute(std::string_view line, std::uint64_t k) const {
  const auto source_bytes = LittleEndian<4>(source_.size());
  const auto k_bytes = LittleEndian<8>(k);
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash = {};
  EVP_MD_CTX* context = context_.get();
  const bool done = sha256_ != nullptr && context != nullptr &&
                    EVP_DigestInit_ex2(context, sha256_.get(), nullptr) == 1 &&
                    EVP_DigestUpdate(context, source_bytes.data(), source_bytes.size()) == 1 &&
                    EVP_DigestUpdate(context, source_.data(), source_.size()) == 1 &&
                    EVP_DigestUpdate(context, k_bytes.data(), k_bytes.size()) == 1 &&
                    EVP_DigestUpdate(context, line.data(), line.size()) == 1 &&
                    EVP_DigestFinal_ex(context, hash.data(), nullptr) == 1;
  if (!done) {
    return absl::InternalError("no SHA-256, OpenSSL, look at its configuration and its providers");
  }
  EventId::Bytes id;
  std::copy_n(hash.begin(), id.size(), id.begin());
  id[6] = static_cast<std::uint8_t>((id[6] & 0x0F) | 0x80);  // version 8
  id[8] = static_cast<std::uint8_t>((id[8] & 0x3F) | 0x80);  // variant of RFC 9562
  return EventId(id);
}

absl::StatusOr<EventId> ImportIds::Next(std::string_view line) {
  absl::StatusOr<EventId> first = Compute(line, 1);
  if (!first.ok() || seen_.insert(first->bytes()).second) return first;
  std::uint64_t& again = repeated_[first->bytes()];
  return Compute(line, ++again + 1);
}

}  // namespace daybook::cli
