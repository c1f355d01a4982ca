#include "projections/publish/kafka/kafka_settings.h"

#include <stdlib.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "daybook/kafka_sink.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

using testing::HasText;

SinkSettings WithUrl(const std::string& url) {
  unsetenv("DAYBOOK_KAFKA_USERNAME");
  unsetenv("DAYBOOK_KAFKA_PASSWORD");
  SinkSettings settings;
  settings.url = url;
  return settings;
}

std::string Refusal(const SinkSettings& settings) {
  const auto opened = OpenKafkaSink(settings);
  REQUIRE_FALSE(opened.ok());
  CHECK(absl::IsInvalidArgument(opened.status()));
  const std::string message(opened.status().message());
  CHECK(message.find('\n') == std::string::npos);
  return message;
}

std::string Property(const KafkaSettings& settings, std::string_view name) {
  // The last one wins, as in librdkafka.
  const auto found = std::find_if(settings.security.rbegin(), settings.security.rend(),
                                  [&](auto& property) { return property.first == name; });
  return found == settings.security.rend() ? std::string() : found->second;
}

TEST_CASE("a URL names brokers, and the destination is the same in whatever order") {
  auto one = ParseKafkaSettings(WithUrl("kafka://b:2,a:1,[::1]:3,plain"));
  REQUIRE_OK(one);
  CHECK(one->brokers == "b:2,a:1,[::1]:3,plain:9092");
  auto other = ParseKafkaSettings(WithUrl("kafka://plain:9092,[::1]:3,a:1,b:2/"));
  REQUIRE_OK(other);
  CHECK(one->destination == other->destination);
  CHECK(one->destination == "kafka://[::1]:3,a:1,b:2,plain:9092/ledger.{category}");
  CHECK(one->transactional);
  CHECK(one->TransactionalId("inc") == "daybook-inc-ledger.{category}");
  CHECK(Property(*one, "security.protocol") == "plaintext");
}

TEST_CASE("what is no URL of Kafka is refused, and no password is repeated") {
  CHECK_THAT(Refusal(WithUrl("http://a:1")), HasText("kafka://HOST:PORT"));
  CHECK_THAT(Refusal(WithUrl("kafka://")), HasText("no broker"));
  CHECK_THAT(Refusal(WithUrl("kafka://a:0")), HasText("no broker"));
  CHECK_THAT(Refusal(WithUrl("kafka://a:65536")), HasText("no broker"));
  CHECK_THAT(Refusal(WithUrl("kafka://a:1,,b:2")), HasText("no broker"));
  CHECK_THAT(Refusal(WithUrl("kafka://a:1/topic")), HasText("brokers and nothing else"));
  const std::string refusal = Refusal(WithUrl("kafka://me:secret@a:1"));
  CHECK_THAT(refusal, HasText("DAYBOOK_KAFKA_USERNAME"));
  CHECK(refusal.find("secret") == std::string::npos);
}

TEST_CASE("options are known by name and by value") {
  SinkSettings settings = WithUrl("kafka://a:1");
  settings.options = {{"mode", "idempotent"},
                      {"name", "crm"},
                      {"cursor-topic", "c"},
                      {"compression", "none"},
                      {"commit-ms", "1500"}};
  auto parsed = ParseKafkaSettings(settings);
  REQUIRE_OK(parsed);
  CHECK_FALSE(parsed->transactional);
  CHECK(parsed->TransactionalId("inc") == "daybook-inc-crm");
  CHECK(parsed->cursor_topic == "c");
  CHECK(parsed->compression == "none");
  CHECK(parsed->commit_interval == std::chrono::milliseconds(1500));
  for (const auto& [name, value] :
       {std::pair("mode", "exactly"), std::pair("name", ""), std::pair("cursor-topic", "a b"),
        std::pair("commit-ms", "0"), std::pair("compression", "zip"), std::pair("acks", "0"),
        std::pair("sasl-mechanism", "GSSAPI")}) {
    settings.options = {{name, value}};
    CHECK_THAT(Refusal(settings), HasText(name));
  }
}

TEST_CASE("a topic or a key that splits a stream is refused unless it is meant") {
  SinkSettings settings = WithUrl("kafka://a:1");
  settings.destination = "ledger.{type}";
  CHECK_THAT(Refusal(settings), HasText("splits a stream"));
  settings.unordered = true;
  CHECK_OK(OpenKafkaSink(settings));
  settings = WithUrl("kafka://a:1");
  settings.key = "{tag:customer}";
  CHECK_THAT(Refusal(settings), HasText("splits a stream"));
  settings.key = "{category}";
  CHECK_OK(OpenKafkaSink(settings));
  settings.destination = "led ger";
  CHECK_THAT(Refusal(settings), HasText("no name of a topic"));
  settings.destination = "ledger";
  settings.headers = {{"ce_id", "x"}};
  CHECK_THAT(Refusal(settings), HasText("header of the envelope"));
}

TEST_CASE("credentials come from the environment or from a file, and are never repeated") {
  SinkSettings settings = WithUrl("kafka+tls://a:1");
  settings.options = {{"sasl-mechanism", "SCRAM-SHA-512"}};
  CHECK_THAT(Refusal(settings), HasText("DAYBOOK_KAFKA_PASSWORD"));
  setenv("DAYBOOK_KAFKA_USERNAME", "me", 1);
  setenv("DAYBOOK_KAFKA_PASSWORD", "secret", 1);
  auto parsed = ParseKafkaSettings(settings);
  REQUIRE_OK(parsed);
  CHECK(Property(*parsed, "security.protocol") == "sasl_ssl");
  CHECK(Property(*parsed, "sasl.mechanism") == "SCRAM-SHA-512");
  CHECK(Property(*parsed, "sasl.password") == "secret");
  CHECK(Property(*parsed, "ssl.endpoint.identification.algorithm") == "https");
  CHECK(parsed->destination.find("me") == std::string::npos);

  testing::TempFolder folder;
  const std::string path = (folder.path() / "kafka.properties").string();
  settings = WithUrl("kafka://a:1");
  settings.credentials_file = path;
  std::ofstream(path) << "# mine\n\nsasl.username = you\nsasl.password=a=b#c\n";
  parsed = ParseKafkaSettings(settings);
  REQUIRE_OK(parsed);
  CHECK(Property(*parsed, "sasl.username") == "you");
  CHECK(Property(*parsed, "sasl.password") == "a=b#c");
  CHECK(Property(*parsed, "security.protocol") == "sasl_plaintext");
  settings.url = "kafka+tls://a:1";
  std::ofstream(path) << "security.protocol=PLAINTEXT\n";
  parsed = ParseKafkaSettings(settings);
  REQUIRE_OK(parsed);
  CHECK(Property(*parsed, "security.protocol") == "ssl");  // TLS is never taken away
  settings.url = "kafka://a:1";
  std::ofstream(path) << "acks=0\n";
  CHECK_THAT(Refusal(settings), HasText("line 1"));
  std::ofstream(path) << "security.protocol=secret\n";
  const std::string refusal = Refusal(settings);
  CHECK_THAT(refusal, HasText("security.protocol"));
  CHECK(refusal.find("secret") == std::string::npos);
  settings.credentials_file = path + ".none";
  CHECK(absl::IsNotFound(OpenKafkaSink(settings).status()));
}

}  // namespace
}  // namespace daybook
