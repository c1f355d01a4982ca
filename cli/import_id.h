// The ids of imported events that bring none: the same line of the same source has the same id, for
// ever.
//
// The id is the UUIDv8 (RFC 9562) made of the first 16 bytes of SHA-256 over
//
//   length of the source's name, u32 little-endian | the name | k, u64 little-endian | the line's
//   bytes
//
// where the line is without its line ending (of CSV: the record), and is the k-th of the identical
// lines of the input, counted from 1. Version and variant bits overwrite bits of the hash.

#ifndef DAYBOOK_CLI_IMPORT_ID_H_
#define DAYBOOK_CLI_IMPORT_ID_H_

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "daybook/values.h"

namespace daybook::cli {

// Counts identical lines: 16 bytes of memory for each different line, and some for those that come
// again. Not thread-safe.
class ImportIds {
 public:
  // `source` is the name that keeps lines of different sources apart.
  explicit ImportIds(std::string source);

  // The id of the next line of the input. kInternal where OpenSSL has no SHA-256.
  absl::StatusOr<EventId> Next(std::string_view line);

  // The id of the k-th identical line.
  [[nodiscard]] absl::StatusOr<EventId> Compute(std::string_view line, std::uint64_t k) const;

 private:
  struct FreeMd {
    void operator()(EVP_MD* md) const { EVP_MD_free(md); }
  };
  struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  const std::string source_;
  std::unique_ptr<EVP_MD, FreeMd> sha256_;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
  // A line is known by the id it has as the first of its kind.
  absl::flat_hash_set<EventId::Bytes> seen_;
  absl::flat_hash_map<EventId::Bytes, std::uint64_t> repeated_;
};

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_IMPORT_ID_H_
