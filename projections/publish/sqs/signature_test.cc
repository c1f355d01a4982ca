#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "projections/publish/sqs/client.h"
#include "projections/publish/sqs/fake_queue_testing.h"
#include "projections/publish/sqs/signature_testing.h"
#include "tests/catch.h"

namespace daybook::sqs {
namespace {

using testing::FakeQueue;
using testing::Reply;
using testing::Request;
using testing::SignatureOf;

// Of AWS's published tests of the signature ("aws-sig-v4-test-suite").
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
constexpr std::string_view kScope = "20150830/us-east-1/service";
constexpr std::string_view kToken =
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfI"
    "eoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0"
    "wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDry"
    "pNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

TEST_CASE("the signatures that AWS has published come out") {
  const std::map<std::string, std::string> plain = {{"host", "example.amazonaws.com"},
                                                    {"x-amz-date", "20150830T123600Z"}};
  CHECK(testing::Sha256Hex("") ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  // get-vanilla
  CHECK(SignatureOf({"GET", plain, ""}, kSecret, kScope) ==
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  // post-vanilla
  CHECK(SignatureOf({"POST", plain, ""}, kSecret, kScope) ==
        "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  // post-x-www-form-urlencoded
  auto with_type = plain;
  with_type["content-type"] = "application/x-www-form-urlencoded";
  CHECK(SignatureOf({"POST", with_type, "Param1=value1"}, kSecret, kScope) ==
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a");
  // post-sts-header-before
  auto with_token = plain;
  with_token["x-amz-security-token"] = std::string(kToken);
  CHECK(SignatureOf({"POST", with_token, ""}, kSecret, kScope) ==
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
}

// What libcurl signed, by the header that it sent: the names, and the signature.
struct Authorization {
  std::string scope;
  std::vector<std::string> names;
  std::string signature;
};

Authorization Read(const std::string& header) {
  const auto between = [&](const std::string& from, const std::string& to) {
    const std::size_t begin = header.find(from);
    REQUIRE(begin != std::string::npos);
    const std::size_t at = begin + from.size();
    return header.substr(at, header.find(to, at) - at);
  };
  CHECK_THAT(header, daybook::testing::HasText("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
  return {between("AKIDEXAMPLE/", "/aws4_request"),
          absl::StrSplit(between("SignedHeaders=", ","), ';'), between("Signature=", ",")};
}

Request SentWith(const Credentials& credentials, const std::string& body) {
  FakeQueue queue([](const Request&) { return Reply{.body = "{}"}; }, 0);
  const std::string url = queue.Url("q");
  ClientSettings settings;
  settings.endpoint =
      absl::StrCat("http", url.substr(url.find(':'), url.rfind('/') - url.find(':')));
  settings.endpoint = settings.endpoint.substr(0, settings.endpoint.rfind('/') + 1);
  settings.region = "eu-west-1";
  const auto client = Client::Make(settings);
  REQUIRE_OK(client);
  (*client)->SetCredentials(credentials);
  REQUIRE_OK((*client)->Start(7, "SendMessageBatch", body));
  std::vector<Answer> answers;
  while (answers.empty()) (*client)->Run(std::chrono::milliseconds(1000), &answers);
  REQUIRE_OK(answers.front().status);
  CHECK(answers.front().tag == 7);
  REQUIRE(queue.requests().size() == 1);
  return queue.requests().front();
}

TEST_CASE("what libcurl signs is what it sends: type, host with port, target, token and body") {
  const std::vector<std::string> bodies = {"{}", "{\"MessageBody\":\"\xC3\xA9 %2F + \\n\"}",
                                           std::string(300'000, 'x')};
  for (const std::string& body : bodies) {
    for (const std::string_view token : {std::string_view(), kToken}) {
      CAPTURE(body.size(), std::string(token));
      const Request request =
          SentWith({"AKIDEXAMPLE", std::string(kSecret), std::string(token)}, body);
      CHECK(request.line == "POST / HTTP/1.1");
      CHECK(request.body == body);
      CHECK(request.headers.at("content-type") == "application/x-amz-json-1.0");
      CHECK(request.headers.at("x-amz-target") == "AmazonSQS.SendMessageBatch");
      const Authorization found = Read(request.headers.at("authorization"));
      std::vector<std::string> expected = {"content-type", "host", "x-amz-date"};
      if (!token.empty()) expected.push_back("x-amz-security-token");
      expected.push_back("x-amz-target");
      CHECK(found.names == expected);
      testing::SignedRequest sent = {"POST", {}, request.body};
      for (const std::string& name : found.names) sent.headers[name] = request.headers.at(name);
      CHECK(found.scope == absl::StrCat(sent.headers["x-amz-date"].substr(0, 8), "/eu-west-1/sqs"));
      CHECK(found.signature == SignatureOf(sent, kSecret, found.scope));
    }
  }
}

}  // namespace
}  // namespace daybook::sqs
