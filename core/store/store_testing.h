// What the tests of the store share.

#ifndef DAYBOOK_STORE_STORE_TESTING_H_
#define DAYBOOK_STORE_STORE_TESTING_H_

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "daybook/store.h"

namespace daybook::testing {

// An event of type "Happened" with this text as its data, which must outlive it.
NewEvent EventOf(std::string_view data);
// Appends one event with expectation Any.
absl::StatusOr<AppendResult> AppendText(Store* store, std::string_view stream,
                                        std::string_view data);

// All that can be read of an event, as text.
std::string Describe(const EventView& event);
absl::StatusOr<std::vector<std::string>> ReadAll(const Reader& reader,
                                                 const ReadOptions& options = {});
// The answers of a store to every kind of read: by position, stream, type, tag, id and time, and
// its streams.
absl::StatusOr<std::vector<std::string>> AllAnswers(const Reader& reader);

std::vector<std::filesystem::path> FilesOf(const std::filesystem::path& store,
                                           std::string_view extension);
// The bytes of every file below a folder, by name.
std::map<std::string, std::string> Contents(const std::filesystem::path& folder);
void FlipByte(const std::filesystem::path& file, std::uint64_t offset);

// Sets one field of the file STORE or of a segment's header, and its hash with it.
void RewriteStoreHeader(const std::filesystem::path& store, std::size_t offset, std::uint8_t value);
void RewriteSegmentHeader(const std::filesystem::path& segment, std::size_t offset,
                          std::uint8_t value);

}  // namespace daybook::testing

#endif  // DAYBOOK_STORE_STORE_TESTING_H_
