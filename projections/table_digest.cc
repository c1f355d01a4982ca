#include "projections/table_digest.h"

#include "absl/strings/str_format.h"
#include "daybook/event.h"

namespace daybook {

Digest128 RowHasher::operator()(std::string_view key, std::string_view row) {
  const auto length = static_cast<std::uint32_t>(key.size());
  together_.assign(reinterpret_cast<const char*>(&length), sizeof length);
  together_.append(key).append(row);
  return Hash128(AsBytes(together_));
}

void AddRow(const Digest128& row, TableDigest* digest) {
  digest->low += row.low;
  digest->high += row.high + (digest->low < row.low ? 1 : 0);
}

void RemoveRow(const Digest128& row, TableDigest* digest) {
  digest->high -= row.high + (digest->low < row.low ? 1 : 0);
  digest->low -= row.low;
}

std::string TableDigest::ToString() const { return absl::StrFormat("%016x%016x", high, low); }

}  // namespace daybook
