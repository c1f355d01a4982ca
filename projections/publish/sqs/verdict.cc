#include "projections/publish/sqs/verdict.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "daybook/json_text.h"

namespace daybook::sqs {
namespace {

using absl::StatusCode;

constexpr std::size_t kMessageMax = 300;  // of what SQS says, in a status

// What the names of SQS's errors have in them, the first that fits. They come with and without
// "AWS.SimpleQueueService." in front and "Exception" behind, and differ between its protocols.
struct Known {
  std::string_view part;
  StatusCode code;
  std::string_view advice;
};
constexpr std::array kKnown = {
    Known{"throttl", StatusCode::kResourceExhausted, ""},
    Known{"toomanyrequests", StatusCode::kResourceExhausted, ""},
    Known{"slowdown", StatusCode::kResourceExhausted, ""},
    Known{"overlimit", StatusCode::kResourceExhausted, ""},
    Known{"kmsaccessdenied", StatusCode::kPermissionDenied, "allow the use of the queue's key"},
    Known{"kms", StatusCode::kFailedPrecondition, "look at the key that encrypts the queue"},
    Known{"queuedoesnotexist", StatusCode::kNotFound, "create the queue, or correct the URL"},
    Known{"nonexistentqueue", StatusCode::kNotFound, "create the queue, or correct the URL"},
    Known{"queuedeletedrecently", StatusCode::kNotFound, ""},
    Known{"accessdenied", StatusCode::kPermissionDenied,
          "sqs:SendMessage and sqs:GetQueueAttributes have to be allowed"},
    Known{"optinrequired", StatusCode::kPermissionDenied, ""},
    Known{"requestexpired", StatusCode::kUnauthenticated, "is the clock right?"},
    Known{"expiredtoken", StatusCode::kUnauthenticated, "the session token has ended"},
    Known{"unrecognizedclient", StatusCode::kUnauthenticated, "look at the credentials"},
    Known{"invalidclienttoken", StatusCode::kUnauthenticated, "look at the credentials"},
    Known{"missingauthentication", StatusCode::kUnauthenticated, "look at the credentials"},
    Known{"invalidaccesskey", StatusCode::kUnauthenticated, "look at the credentials"},
    Known{"notauthorized", StatusCode::kUnauthenticated, "look at the credentials"},
    Known{"signature", StatusCode::kUnauthenticated, "look at the credentials and the region"},
    Known{"invalidsecurity", StatusCode::kFailedPrecondition, ""},
    Known{"unsupportedoperation", StatusCode::kFailedPrecondition, ""},
    Known{"invalidaddress", StatusCode::kFailedPrecondition, "correct the URL"},
    Known{"messagecontents", StatusCode::kInvalidArgument, ""},
    Known{"invalidparameter", StatusCode::kInvalidArgument, ""},
    Known{"missingparameter", StatusCode::kInvalidArgument, ""},
    Known{"invalidattribute", StatusCode::kInvalidArgument, ""},
    Known{"invalidbatchentry", StatusCode::kInvalidArgument, ""},
    Known{"requesttoolong", StatusCode::kInvalidArgument, ""},
    Known{"toolarge", StatusCode::kInvalidArgument, ""},
    Known{"serialization", StatusCode::kInvalidArgument, ""},
    Known{"validation", StatusCode::kInvalidArgument, ""},
};

const Known* Find(std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(ToAbsl(name));
  const auto* const found = std::find_if(kKnown.begin(), kKnown.end(), [&](const Known& known) {
    return absl::StrContains(lower, ToAbsl(known.part));
  });
  return found == kKnown.end() ? nullptr : found;
}

absl::Status Named(StatusCode code, std::string_view name, std::string_view message,
                   std::string_view advice) {
  return absl::Status(code, absl::StrCat("SQS: ", ToAbsl(name), message.empty() ? "" : ": ",
                                         ToAbsl(message.substr(0, kMessageMax)),
                                         advice.empty() ? "" : "; ", ToAbsl(advice)));
}

// The fields of an answer; none where it is no object.
std::vector<JsonField> FieldsOf(std::string_view text) {
  std::vector<JsonField> fields;
  if (!IsJsonObject(text) || !SplitJsonObject(text, fields).ok()) fields.clear();
  return fields;
}

std::string_view RawOf(const std::vector<JsonField>& fields, std::string_view key) {
  for (const JsonField& field : fields) {
    if (field.key == key) return field.value;
  }
  return {};
}

std::string TextOf(const std::vector<JsonField>& fields, std::string_view key) {
  absl::StatusOr<std::string> text = UnquoteJson(RawOf(fields, key));
  return text.ok() ? *std::move(text) : std::string();
}

std::vector<std::string_view> ElementsOf(std::string_view array) {
  std::vector<std::string_view> elements;
  JsonScanner scanner(array);
  scanner.SkipSpace();
  if (!scanner.Consume('[')) return elements;
  for (bool more = true; more;) {
    scanner.SkipSpace();
    const std::size_t begin = scanner.at();
    if (!scanner.SkipValue(1)) break;  // also the end of an empty one
    elements.push_back(array.substr(begin, scanner.at() - begin));
    scanner.SkipSpace();
    more = scanner.Consume(',');
  }
  return elements;
}

template <class Number>
std::optional<Number> NumberOf(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

absl::Status NoSqs(const Answer& answer) {
  return absl::FailedPreconditionError(
      absl::StrCat("the answer (HTTP ", answer.code,
                   ") is none of SQS in its JSON protocol; is it the right host and port?"));
}

EntryVerdict Failed(const std::vector<JsonField>& fields) {
  const std::string code = TextOf(fields, "Code");
  const std::string message = TextOf(fields, "Message");
  const bool is_ours = RawOf(fields, "SenderFault") == "true";
  const Known* const known = Find(code);
  if (known != nullptr && known->code != StatusCode::kInvalidArgument) {
    // Of the account or the queue, whosever fault it is called: the event has no part in it.
    return {Outcome::kRetry, Named(known->code, code, message, known->advice)};
  }
  if (is_ours) {
    return {Outcome::kPoison, Named(StatusCode::kInvalidArgument, code, message, "")};
  }
  return {Outcome::kRetry, Named(StatusCode::kUnavailable, code, message, "")};
}

}  // namespace

absl::Status StatusOfAnswer(const Answer& answer) {
  if (!answer.status.ok()) return answer.status;
  if (answer.code == 200) return absl::OkStatus();
  const std::vector<JsonField> fields = FieldsOf(answer.body);
  std::string name = TextOf(fields, "__type");
  name = name.substr(name.find('#') + 1);  // all of it without one
  std::string message = TextOf(fields, "message");
  if (message.empty()) message = TextOf(fields, "Message");
  const std::string shown = name.empty() ? absl::StrCat("HTTP ", answer.code) : name;
  if (const Known* const known = Find(name); known != nullptr) {
    return Named(known->code, shown, message, known->advice);
  }
  if (answer.code == 429) return Named(StatusCode::kResourceExhausted, shown, message, "");
  if (answer.code >= 500) return Named(StatusCode::kUnavailable, shown, message, "");
  if (name.empty()) return NoSqs(answer);
  if (answer.code == 403) return Named(StatusCode::kPermissionDenied, shown, message, "");
  return Named(StatusCode::kFailedPrecondition, shown, message, "");
}

BatchVerdict JudgeBatch(const Answer& answer, std::size_t entries) {
  BatchVerdict verdict;
  verdict.entries.assign(entries, {Outcome::kRetry, StatusOfAnswer(answer)});
  if (const absl::Status& status = verdict.entries.front().status; !status.ok()) {
    if (status.code() != StatusCode::kInvalidArgument) return verdict;
    // Something that was sent is at fault; alone in its request, there is no doubt which.
    verdict.is_unclear = entries > 1;
    if (!verdict.is_unclear) verdict.entries.front().outcome = Outcome::kPoison;
    return verdict;
  }
  // What is named nowhere, or by an answer that was cut, is not known to be stored.
  for (EntryVerdict& entry : verdict.entries) {
    entry.status = absl::UnavailableError("SQS: the answer says nothing of the entry");
  }
  const std::vector<JsonField> fields = FieldsOf(answer.body);
  const auto for_each = [&](std::string_view list, const auto& judge) {
    for (const std::string_view element : ElementsOf(RawOf(fields, list))) {
      const std::vector<JsonField> entry = FieldsOf(element);
      const std::optional<std::size_t> id = NumberOf<std::size_t>(TextOf(entry, "Id"));
      if (id && *id < entries) verdict.entries[*id] = judge(entry);
    }
  };
  for_each("Successful", [](const auto&) { return EntryVerdict{Outcome::kDone, {}}; });
  for_each("Failed", &Failed);
  return verdict;
}

absl::StatusOr<std::size_t> MessageBytesMaxOf(const Answer& answer, std::size_t otherwise) {
  const std::string_view attributes = RawOf(FieldsOf(answer.body), "Attributes");
  if (attributes.empty()) return NoSqs(answer);
  return NumberOf<std::size_t>(TextOf(FieldsOf(attributes), "MaximumMessageSize"))
      .value_or(otherwise);
}

}  // namespace daybook::sqs
