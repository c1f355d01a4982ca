// The digest of a table: the sum, modulo 2^128, of the XXH3-128 of each row with its key. A row
// that comes or goes is added or subtracted, so that the digest costs nothing but what changes, and
// the order does not matter.

#ifndef DAYBOOK_PROJECTIONS_TABLE_DIGEST_H_
#define DAYBOOK_PROJECTIONS_TABLE_DIGEST_H_

#include <string>
#include <string_view>

#include "base/checksum.h"
#include "daybook/read_model.h"

namespace daybook {

// Of the key's length (4 bytes, little-endian), the key and the row. Not thread-safe: it has room
// to put them together.
class RowHasher {
 public:
  Digest128 operator()(std::string_view key, std::string_view row);

 private:
  std::string together_;
};

void AddRow(const Digest128& row, TableDigest* digest);
void RemoveRow(const Digest128& row, TableDigest* digest);

}  // namespace daybook

#endif  // DAYBOOK_PROJECTIONS_TABLE_DIGEST_H_
