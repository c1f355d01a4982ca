#include "projections/publish/sqs/credentials.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "io/file.h"

namespace daybook::sqs {
namespace {

constexpr std::uint64_t kFileBytesMax = std::uint64_t{1} << 20;

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string_view Trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// They go into headers: a line break in one would begin another header.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

absl::StatusOr<Credentials> Checked(Credentials found, const std::string& where) {
  if (found.key_id.empty() || found.secret.empty()) {
    return absl::UnauthenticatedError(absl::StrCat("no credentials in ", where,
                                                   found.key_id.empty()
                                                       ? ": the access key id is missing"
                                                       : ": the secret access key is missing"));
  }
  if (!IsPrintable(found.key_id) || !IsPrintable(found.secret) ||
      !IsPrintable(found.session_token)) {
    return absl::UnauthenticatedError(
        absl::StrCat("the credentials in ", where, " hold a space or a control character"));
  }
  return found;
}

}  // namespace

absl::StatusOr<Credentials> ParseCredentials(std::string_view text, const std::string& file,
                                             std::string_view profile) {
  Credentials found;
  bool inside = false;
  bool seen = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = Trim(text.substr(at, end - at));
    at = end + 1;
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      std::string_view name = Trim(line.substr(1, line.find(']') - 1));
      constexpr std::string_view kProfile = "profile ";  // as AWS's file of settings writes it
      if (name.starts_with(kProfile)) name = Trim(name.substr(kProfile.size()));
      inside = name == profile;
      seen = seen || inside;
      continue;
    }
    const std::size_t equals = line.find('=');
    if (!inside || equals == std::string_view::npos) continue;
    const std::string_view key = Trim(line.substr(0, equals));
    const std::string value(Trim(line.substr(equals + 1)));
    if (key == "aws_access_key_id") found.key_id = value;
    if (key == "aws_secret_access_key") found.secret = value;
    if (key == "aws_session_token") found.session_token = value;
  }
  if (!seen) {
    return absl::UnauthenticatedError(
        absl::StrCat("there is no profile [", ToAbsl(profile), "] in ", file));
  }
  return Checked(std::move(found), absl::StrCat("[", ToAbsl(profile), "] of ", file));
}

absl::StatusOr<Credentials> ReadCredentials(const std::string& file, std::string_view profile) {
  if (file.empty()) {
    return Checked({FromEnvironment("AWS_ACCESS_KEY_ID"), FromEnvironment("AWS_SECRET_ACCESS_KEY"),
                    FromEnvironment("AWS_SESSION_TOKEN")},
                   "the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) nor a file given");
  }
  DAYBOOK_ASSIGN_OR_RETURN(const File opened, File::OpenRead(file));
  DAYBOOK_ASSIGN_OR_RETURN(const std::uint64_t bytes, opened.Size());
  if (bytes > kFileBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(file, " is too large to be credentials"));
  }
  std::string text(bytes, '\0');
  DAYBOOK_RETURN_IF_ERROR(opened.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return ParseCredentials(text, file, profile);
}

}  // namespace daybook::sqs
