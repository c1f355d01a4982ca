#include "projections/publish/kafka/kafka_status.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace daybook {
namespace {

struct Meaning {
  absl::StatusCode code;
  std::string_view advice;
};

Meaning MeaningOf(rd_kafka_resp_err_t code) {
  using enum absl::StatusCode;
  switch (code) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
      return {kOutOfRange, "the topic's max.message.bytes is the limit"};
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
      return {kInvalidArgument, ""};
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      return {kNotFound, "create the topic: the publisher creates none"};
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
      return {kPermissionDenied, "the broker's ACLs do not let this user do it"};
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      return {kUnauthenticated, "check the credentials"};
    case RD_KAFKA_RESP_ERR__SSL:
      return {kUnauthenticated, "check the certificate, and the authority that is trusted"};
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE:
      return {kFailedPrecondition, ""};
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
      return {kAborted, "another publisher has the same transactional id, or it expired"};
    case RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
    case RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE:
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__PURGE_QUEUE:
    case RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      return {kAborted, ""};
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
    case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
      return {kResourceExhausted, ""};
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      return {kDeadlineExceeded, ""};
    default:
      return {kUnavailable, ""};
  }
}

}  // namespace

absl::Status KafkaStatus(rd_kafka_resp_err_t code, std::string_view about, std::string_view what) {
  const Meaning meaning = MeaningOf(code);
  std::string text = absl::StrCat("kafka: ", ToAbsl(about), ": ",
                                  what.empty() ? rd_kafka_err2str(code) : ToAbsl(what));
  if (!meaning.advice.empty()) absl::StrAppend(&text, "; ", ToAbsl(meaning.advice));
  std::replace(text.begin(), text.end(), '\n', ' ');
  return {meaning.code, text};
}

absl::Status KafkaStatus(const rd_kafka_error_t* error, std::string_view about) {
  return KafkaStatus(rd_kafka_error_code(error), about, rd_kafka_error_string(error));
}

bool IsAboutTheEvent(rd_kafka_resp_err_t code) {
  return code != RD_KAFKA_RESP_ERR__INVALID_ARG &&
         code != RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE &&
         (MeaningOf(code).code == absl::StatusCode::kOutOfRange ||
          MeaningOf(code).code == absl::StatusCode::kInvalidArgument);
}

}  // namespace daybook
