#include "projections/publish/sqs/verdict.h"

#include <string>

#include "projections/publish/sqs/fake_queue_testing.h"
#include "tests/catch.h"

namespace daybook::sqs {
namespace {

using absl::StatusCode;

Answer Said(long code, const std::string& body) { return {1, absl::OkStatus(), code, body, {}}; }

Answer Named(long code, const std::string& name) {
  return Said(code, "{\"__type\":\"com.amazonaws.sqs#" + name + "\",\"message\":\"m\"}");
}

TEST_CASE("an error of SQS says what to do") {
  CHECK_OK(StatusOfAnswer(Said(200, "{}")));
  const std::vector<std::tuple<long, const char*, StatusCode>> known = {
      {400, "QueueDoesNotExist", StatusCode::kNotFound},
      {400, "AWS.SimpleQueueService.NonExistentQueue", StatusCode::kNotFound},
      {403, "AccessDeniedException", StatusCode::kPermissionDenied},
      {400, "KmsAccessDenied", StatusCode::kPermissionDenied},
      {400, "KmsThrottled", StatusCode::kResourceExhausted},
      {400, "KmsDisabled", StatusCode::kFailedPrecondition},
      {403, "SignatureDoesNotMatch", StatusCode::kUnauthenticated},
      {403, "InvalidClientTokenId", StatusCode::kUnauthenticated},
      {403, "UnrecognizedClientException", StatusCode::kUnauthenticated},
      {403, "ExpiredTokenException", StatusCode::kUnauthenticated},
      {400, "ThrottlingException", StatusCode::kResourceExhausted},
      {400, "RequestThrottled", StatusCode::kResourceExhausted},
      {400, "OverLimit", StatusCode::kResourceExhausted},
      {400, "InvalidMessageContents", StatusCode::kInvalidArgument},
      {400, "BatchRequestTooLong", StatusCode::kInvalidArgument},
      {400, "SomethingNew", StatusCode::kFailedPrecondition},
      {403, "SomethingNew", StatusCode::kPermissionDenied},
      {500, "InternalFailure", StatusCode::kUnavailable},
      {503, "ServiceUnavailable", StatusCode::kUnavailable},
  };
  for (const auto& [code, name, expected] : known) {
    CAPTURE(code, name);
    CHECK(StatusOfAnswer(Named(code, name)).code() == expected);
  }
  CHECK(StatusOfAnswer(Said(503, "")).code() == StatusCode::kUnavailable);
  CHECK(StatusOfAnswer(Said(429, "slow")).code() == StatusCode::kResourceExhausted);
  CHECK(StatusOfAnswer(Said(404, "<html>")).code() == StatusCode::kFailedPrecondition);
  CHECK(StatusOfAnswer(Said(301, "")).code() == StatusCode::kFailedPrecondition);
}

TEST_CASE("each entry of a batch has its own fate") {
  const std::string body = testing::BatchAnswer(6, {{1, {"InternalError", false}},
                                                    {2, {"InvalidMessageContents", true}},
                                                    {3, {"ThrottlingException", true}},
                                                    {4, {"KmsAccessDenied", true}}});
  const BatchVerdict verdict = JudgeBatch(Said(200, body), 6);
  CHECK_FALSE(verdict.is_unclear);
  CHECK(verdict.entries[0].outcome == Outcome::kDone);
  CHECK(verdict.entries[1].outcome == Outcome::kRetry);
  CHECK(verdict.entries[1].status.code() == StatusCode::kUnavailable);
  CHECK(verdict.entries[2].outcome == Outcome::kPoison);
  CHECK(verdict.entries[2].status.code() == StatusCode::kInvalidArgument);
  CHECK(verdict.entries[3].outcome == Outcome::kRetry);
  CHECK(verdict.entries[3].status.code() == StatusCode::kResourceExhausted);
  CHECK(verdict.entries[4].outcome == Outcome::kRetry);
  CHECK(verdict.entries[4].status.code() == StatusCode::kPermissionDenied);
  CHECK(verdict.entries[5].outcome == Outcome::kDone);
}

TEST_CASE("what an answer does not name is not stored as far as is known") {
  for (const char* body : {"", "{}", "<html>", "{\"Successful\":[{\"Id\":\"7\"},{\"Id\":\"x\"}]}",
                           "{\"Successful\":[{\"Id\":\"0\"}]", "{\"Successful\":\"0\"}",
                           "{\"Successful\":[{\"MessageId\":\"m\"},7,[]]}"}) {
    CAPTURE(body);
    for (const EntryVerdict& entry : JudgeBatch(Said(200, body), 2).entries) {
      CHECK(entry.outcome == Outcome::kRetry);
      CHECK(entry.status.code() == StatusCode::kUnavailable);
    }
  }
}

TEST_CASE("a request that is refused for what it holds is poison alone, and unclear in company") {
  const BatchVerdict alone = JudgeBatch(Named(400, "InvalidMessageContents"), 1);
  CHECK_FALSE(alone.is_unclear);
  CHECK(alone.entries[0].outcome == Outcome::kPoison);
  const BatchVerdict together = JudgeBatch(Named(400, "InvalidMessageContents"), 2);
  CHECK(together.is_unclear);
  CHECK(together.entries[0].outcome == Outcome::kRetry);
  const BatchVerdict throttled = JudgeBatch(Named(400, "ThrottlingException"), 2);
  CHECK_FALSE(throttled.is_unclear);
}

TEST_CASE("the limit of the queue is read, and an answer of something else is refused") {
  CHECK(*MessageBytesMaxOf(Said(200, R"({"Attributes":{"MaximumMessageSize":"2048"}})"), 5) ==
        2048);
  CHECK(*MessageBytesMaxOf(Said(200, R"({"Attributes":{}})"), 5) == 5);
  CHECK(MessageBytesMaxOf(Said(200, "<html>hello</html>"), 5).status().code() ==
        StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace daybook::sqs
