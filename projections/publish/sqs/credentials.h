// What a request is signed with.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_CREDENTIALS_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_CREDENTIALS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace daybook::sqs {

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string session_token;  // of temporary ones
};

// From the environment where `file` is empty. kUnauthenticated: there are none, or half of them, or
// no such profile. No message holds anything of them.
absl::StatusOr<Credentials> ReadCredentials(const std::string& file, std::string_view profile);

// The profile of a text in AWS's form of an ini file; `file` is for messages.
absl::StatusOr<Credentials> ParseCredentials(std::string_view text, const std::string& file,
                                             std::string_view profile);

}  // namespace daybook::sqs

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_CREDENTIALS_H_
