#include "projections/record.h"

#include <span>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"
#include "base/status.h"
#include "daybook/event.h"
#include "io/directory.h"
#include "io/file.h"

namespace daybook {
namespace {

constexpr std::string_view kChecksum = "checksum=";
constexpr std::uint64_t kRecordBytesMax = std::uint64_t{1} << 20;

std::string ChecksumLine(std::string_view before) {
  return absl::StrFormat("checksum=%016x\n", Hash64(AsBytes(before)));
}

absl::Status Damaged(std::string_view kind, std::string_view what) {
  return absl::DataLossError(absl::StrCat("the ", ToAbsl(kind), " record ", ToAbsl(what)));
}

absl::Status CheckFirstLine(std::string_view kind, std::string_view line) {
  const std::string expected = absl::StrCat("daybook ", ToAbsl(kind), " ");
  if (!line.starts_with(expected)) return Damaged(kind, "begins with something else");
  line.remove_prefix(expected.size());
  if (line == std::to_string(kRecordFormat)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the ", ToAbsl(kind), " record has format ", ToAbsl(line),
                   ", which this version does not know; use a newer Daybook"));
}

}  // namespace

void AppendEscaped(std::string_view value, std::string_view escaped, std::string* out) {
  for (const char c : value) {
    const bool is_escaped = c == '\\' || escaped.find(c) != std::string_view::npos;
    if (is_escaped) out->push_back('\\');
    out->push_back(!is_escaped ? c : c == '\n' ? 'n' : c == '\t' ? 't' : c);
  }
}

std::string Unescaped(std::string_view value) {
  std::string text;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const bool escape = value[i] == '\\' && i + 1 < value.size();
    if (escape) ++i;
    text.push_back(!escape ? value[i] : value[i] == 'n' ? '\n' : value[i] == 't' ? '\t' : value[i]);
  }
  return text;
}

std::optional<std::string_view> Record::Find(std::string_view name) const {
  for (auto field = fields_.rbegin(); field != fields_.rend(); ++field) {
    if (field->first == name) return field->second;
  }
  return std::nullopt;
}

absl::Status Record::Bad(std::string_view name) {
  return absl::DataLossError(
      absl::StrCat("a record has no field '", ToAbsl(name), "' that can be used"));
}

absl::StatusOr<std::string> Record::Text(std::string_view name) const {
  const std::optional<std::string_view> text = Find(name);
  if (!text) return Bad(name);
  return std::string(*text);
}

std::string EncodeRecord(std::string_view kind, const Record& record) {
  std::string bytes = absl::StrCat("daybook ", ToAbsl(kind), " ", kRecordFormat, "\n");
  for (const auto& [name, value] : record.fields()) {
    absl::StrAppend(&bytes, name, "=");
    AppendEscaped(value, "\n", &bytes);
    bytes.push_back('\n');
  }
  return bytes + ChecksumLine(bytes);
}

absl::StatusOr<Record> DecodeRecord(std::string_view kind, std::string_view bytes) {
  const std::size_t last = bytes.size() < 2 ? 0 : bytes.rfind('\n', bytes.size() - 2) + 1;
  if (last == 0 || !bytes.substr(last).starts_with(kChecksum) ||
      bytes.substr(last) != ChecksumLine(bytes.substr(0, last))) {
    return Damaged(kind, "is damaged: its checksum does not match");
  }
  std::string_view lines = bytes.substr(0, last);
  const std::size_t first_end = lines.find('\n');
  DAYBOOK_RETURN_IF_ERROR(CheckFirstLine(kind, lines.substr(0, first_end)));
  lines.remove_prefix(first_end + 1);
  Record record;
  while (!lines.empty()) {
    const std::size_t end = lines.find('\n');
    const std::size_t equals = lines.find('=');
    if (end == std::string_view::npos || equals >= end) return Damaged(kind, "has a bad line");
    record.Set(lines.substr(0, equals), Unescaped(lines.substr(equals + 1, end - equals - 1)));
    lines.remove_prefix(end + 1);
  }
  return record;
}

absl::StatusOr<Record> ReadRecordFile(std::string_view kind, const std::filesystem::path& path) {
  DAYBOOK_ASSIGN_OR_RETURN(const File file, File::OpenRead(path));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size > kRecordBytesMax)
    return absl::DataLossError(absl::StrCat(path.string(), " is too long"));
  std::string bytes(static_cast<std::size_t>(size), '\0');
  DAYBOOK_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  absl::StatusOr<Record> record = DecodeRecord(kind, bytes);
  if (record.ok()) return record;
  return absl::Status(record.status().code(),
                      absl::StrCat(path.string(), ": ", record.status().message()));
}

absl::Status WriteRecordFile(std::string_view kind, const Record& record, Written written,
                             const std::filesystem::path& path) {
  const std::string bytes = EncodeRecord(kind, record);
  if (written == Written::kDurable) return Directory::WriteFileAtomically(path, AsBytes(bytes));
  // One writer at a time, so the name is free or left by one that died.
  std::filesystem::path aside = path;
  aside += ".tmp";
  DAYBOOK_RETURN_IF_ERROR(Directory::Remove(aside));
  DAYBOOK_ASSIGN_OR_RETURN(File file, File::CreateNew(aside));
  DAYBOOK_RETURN_IF_ERROR(file.WriteAt(0, AsBytes(bytes)));
  return Directory::Rename(aside, path);
}

}  // namespace daybook
