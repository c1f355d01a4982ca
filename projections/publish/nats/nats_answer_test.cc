#include "projections/publish/nats/nats_answer.h"

#include "tests/catch.h"

namespace daybook {
namespace {

NatsAnswer Error(int err_code, const std::string& description) {
  return ParsePublishAnswer(R"({"type":"io.nats.jetstream.api.v1.pub_ack_response","error":{)"
                            R"("code":400,"err_code":)" +
                            std::to_string(err_code) + R"(,"description":")" + description +
                            R"("},"stream":"S","seq":0})");
}

TEST_CASE("an acknowledgement gives the sequence, and says where it is a duplicate") {
  NatsAnswer answer = ParsePublishAnswer(R"({"stream":"S", "seq":7})");
  CHECK(answer.outcome == Outcome::kDone);
  CHECK(answer.sequence == 7);
  answer = ParsePublishAnswer(R"({"stream":"S","domain":"hub","seq":8,"duplicate": true})");
  CHECK(answer.outcome == Outcome::kDuplicate);
  CHECK(answer.sequence == 8);
  CHECK(ParsePublishAnswer(R"({"stream":"S","seq":0,"duplicate":true})").outcome ==
        Outcome::kDuplicate);
}

TEST_CASE("what is no acknowledgement proves nothing") {
  for (const char* text : {"", "+OK", "{", R"({"stream":"S"})", R"({"stream":"S","seq":0})",
                           R"({"stream":"S","seq":-1})", R"({"stream":"S","seq":"7"})",
                           R"({"error":7})", R"({"error":{}})"}) {
    CAPTURE(text);
    const NatsAnswer answer = ParsePublishAnswer(text);
    CHECK(answer.outcome == Outcome::kRetry);
    CHECK(answer.status.code() == absl::StatusCode::kUnavailable);
  }
}

TEST_CASE("an error says what is to be done") {
  const auto is = [](const NatsAnswer& answer, Outcome outcome, absl::StatusCode code) {
    CAPTURE(answer.status);
    CHECK(answer.outcome == outcome);
    CHECK(answer.status.code() == code);
  };
  is(Error(10054, "message size exceeds maximum allowed"), Outcome::kPoison,
     absl::StatusCode::kOutOfRange);
  is(Error(10070, "wrong last msg ID: x"), Outcome::kRetry, absl::StatusCode::kAborted);
  is(Error(10071, "wrong last sequence: 5"), Outcome::kRetry, absl::StatusCode::kAborted);
  is(Error(10077, "maximum messages exceeded"), Outcome::kRetry,
     absl::StatusCode::kResourceExhausted);
  is(Error(10077, "maximum bytes exceeded"), Outcome::kRetry, absl::StatusCode::kResourceExhausted);
  is(Error(10077, "write failed"), Outcome::kRetry, absl::StatusCode::kUnavailable);
  is(Error(10023, "insufficient resources"), Outcome::kRetry, absl::StatusCode::kResourceExhausted);
  is(Error(10060, "expected stream does not match"), Outcome::kRetry, absl::StatusCode::kNotFound);
  is(Error(10109, "invalid operation on sealed stream"), Outcome::kRetry,
     absl::StatusCode::kFailedPrecondition);
  is(Error(19999, "something new"), Outcome::kRetry, absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace daybook
