// A mapped sidecar, cut into its sections. Shared by sidecar.cc and sidecar_verify.cc.

#ifndef DAYBOOK_INDEX_SIDECAR_PARTS_H_
#define DAYBOOK_INDEX_SIDECAR_PARTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "base/bloom.h"
#include "base/status.h"
#include "index/sidecar.h"
#include "index/sidecar_format.h"
#include "io/file_bytes.h"

namespace daybook {

// A section of terms and the column that uses it.
struct SidecarColumn {
  ColumnView column;
  std::span<const SidecarTerm> terms;
  std::string_view bytes;  // all that stands behind the terms, padding included

  [[nodiscard]] std::string_view NameOf(const SidecarTerm& term) const {
    return bytes.substr(term.offset, term.bytes);
  }
};

struct Sidecar::Parts {
  FileBytes map;
  std::string name;  // "log/00000000000000000001.idx"
  SidecarHeader header{};
  SidecarKey key;

  std::span<const Link> links;
  SidecarColumn types;
  SidecarColumn categories;
  std::span<const SidecarTag> tags;
  std::span<const std::uint32_t> postings;  // with the padding
  std::span<const std::uint64_t> heads;
  BloomView head_filter;
  std::span<const std::uint64_t> ids;
  BloomView id_filter;
  std::span<const std::int64_t> time_samples;

  [[nodiscard]] const SidecarSectionEntry& Entry(SidecarSection section) const {
    return header.sections[static_cast<std::size_t>(section)];
  }
  [[nodiscard]] std::span<const std::byte> Bytes(SidecarSection section) const {
    return map.bytes().subspan(Entry(section).offset, Entry(section).bytes);
  }
  // A section as an array; what does not fill an element is left off.
  template <class T>
  [[nodiscard]] std::span<const T> Array(SidecarSection section) const {
    const std::span<const std::byte> bytes = Bytes(section);
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  [[nodiscard]] absl::Status Damaged(std::uint64_t offset, std::string_view what) const {
    return DataLossAt({.file = name,
                       .offset = offset,
                       .first_position = Position(header.first_position),
                       .last_position = Position(header.first_position + header.events - 1)},
                      what);
  }
  [[nodiscard]] absl::Status Damaged(SidecarSection section, std::string_view what) const {
    return Damaged(Entry(section).offset, what);
  }

  // Checks what the header says about itself and the file.
  [[nodiscard]] absl::Status CheckHeader(std::uint64_t file_bytes) const;
  // Cuts the mapped file into sections, whose sizes must fit the number of events and of terms.
  absl::Status Cut();
  absl::Status CutColumn(SidecarSection column, SidecarSection terms, SidecarColumn* out) const;
  template <class T>
  absl::Status CutExactly(SidecarSection section, std::uint64_t count,
                          std::span<const T>* out) const;

  // sidecar_verify.cc
  [[nodiscard]] absl::Status VerifyLinks() const;
  [[nodiscard]] absl::Status VerifyColumn(SidecarSection column_section,
                                          SidecarSection terms_section,
                                          const SidecarColumn& column) const;
  [[nodiscard]] absl::Status VerifyTerms(SidecarSection section, const SidecarColumn& column) const;
  [[nodiscard]] absl::Status VerifyTags() const;
  [[nodiscard]] absl::Status VerifyRun(SidecarSection section,
                                       std::span<const std::uint64_t> run) const;
  [[nodiscard]] absl::Status VerifyTimeSamples() const;
};

}  // namespace daybook

#endif  // DAYBOOK_INDEX_SIDECAR_PARTS_H_
