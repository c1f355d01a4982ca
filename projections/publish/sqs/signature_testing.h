// Signature version 4 of AWS, written again for tests: what libcurl sends is held against it, and
// it against the signatures that AWS has published.

#ifndef DAYBOOK_PROJECTIONS_PUBLISH_SQS_SIGNATURE_TESTING_H_
#define DAYBOOK_PROJECTIONS_PUBLISH_SQS_SIGNATURE_TESTING_H_

#include <map>
#include <string>
#include <string_view>

namespace daybook::sqs::testing {

// In hex.
std::string Sha256Hex(std::string_view text);

struct SignedRequest {
  std::string method;
  std::map<std::string, std::string> headers;  // those that are signed, with names in lower case
  std::string body;
};

// The signature, in hex, of a request to "/" without a query. `scope` is DATE/REGION/SERVICE, the
// time stands in the header x-amz-date.
std::string SignatureOf(const SignedRequest& request, std::string_view secret,
                        std::string_view scope);

}  // namespace daybook::sqs::testing

#endif  // DAYBOOK_PROJECTIONS_PUBLISH_SQS_SIGNATURE_TESTING_H_
