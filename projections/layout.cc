#include "projections/layout.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/projection.h"
#include "io/directory.h"
#include "projections/record.h"

namespace daybook {
namespace {

constexpr std::string_view kCurrentKind = "current";

}  // namespace

absl::Status ValidateProjectionName(std::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kProjectionNameBytesMax && name.front() != '.' &&
      name.front() != '-' && std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", ToAbsl(name), "' is no name for a projection: it has 1 to ", kProjectionNameBytesMax,
      " letters, digits, '.', '_' and '-', and begins with neither '.' nor '-'"));
}

std::filesystem::path ProjectionFolder(const std::filesystem::path& store, std::string_view name) {
  return store / "projections" / name;
}

std::filesystem::path GenerationFolder(const std::filesystem::path& projection,
                                       std::uint64_t generation) {
  return projection / std::to_string(generation);
}

absl::StatusOr<std::vector<std::uint64_t>> ListGenerations(
    const std::filesystem::path& projection) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::vector<std::string> names, Directory::List(projection));
  std::vector<std::uint64_t> generations;
  for (const std::string& name : names) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || std::to_string(number) != name) continue;
    generations.push_back(number);
  }
  std::sort(generations.begin(), generations.end());
  return generations;
}

absl::Status RemoveGeneration(const std::filesystem::path& projection, std::uint64_t generation) {
  const std::filesystem::path folder = GenerationFolder(projection, generation);
  if (!Directory::Exists(folder)) return absl::OkStatus();
  DAYBOOK_ASSIGN_OR_RETURN(std::vector<std::string> names, Directory::List(folder));
  // The data first: without it the rest is nothing.
  std::stable_partition(names.begin(), names.end(),
                        [](const std::string& name) { return name == "data.mdb"; });
  for (const std::string& name : names) {
    DAYBOOK_RETURN_IF_ERROR(Directory::Remove(folder / name));
  }
  return Directory::Remove(folder);
}

absl::StatusOr<Current> ReadCurrent(const std::filesystem::path& projection) {
  DAYBOOK_ASSIGN_OR_RETURN(const Record record,
                           ReadRecordFile(kCurrentKind, projection / "CURRENT"));
  Current current;
  DAYBOOK_ASSIGN_OR_RETURN(current.generation, record.Number<std::uint64_t>("generation"));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t floor,
                           record.Number<std::uint64_t>("effects_floor"));
  current.effects_floor = Position(floor);
  if (record.Find("previous")) {
    DAYBOOK_ASSIGN_OR_RETURN(current.previous, record.Number<std::uint64_t>("previous"));
  }
  return current;
}

absl::Status WriteCurrent(const std::filesystem::path& projection, const Current& current) {
  Record record;
  record.Set("generation", current.generation);
  if (current.previous) record.Set("previous", *current.previous);
  record.Set("effects_floor", current.effects_floor.value());
  return WriteRecordFile(kCurrentKind, record, Written::kDurable, projection / "CURRENT");
}

}  // namespace daybook
