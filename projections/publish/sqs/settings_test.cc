#include "projections/publish/sqs/settings.h"

#include <stdlib.h>

#include <fstream>
#include <string>

#include "daybook/sqs_sink.h"
#include "projections/publish/sqs/credentials.h"
#include "projections/publish/sqs/queue_url.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook::sqs {
namespace {

using daybook::testing::HasText;

constexpr const char* kUrl = "sqs://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo";

SinkSettings Given(const std::string& url) {
  SinkSettings settings;
  settings.url = url;
  return settings;
}

std::string Refusal(const SinkSettings& settings) {
  const auto read = ReadSettings(settings);
  REQUIRE(read.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(read.status().message());
}

TEST_CASE("a URL names the host, the account and the queue, and FIFO by its end") {
  const auto url = ParseQueueUrl(kUrl);
  REQUIRE_OK(url);
  CHECK(url->is_fifo());
  CHECK(url->Endpoint() == "https://sqs.eu-west-1.amazonaws.com/");
  CHECK(url->ForRequests() == "https://sqs.eu-west-1.amazonaws.com/123456789012/orders.fifo");
  CHECK(url->ToString() == kUrl);
  const auto plain = ParseQueueUrl("sqs+http://[::1]:4566/000000000000/orders");
  REQUIRE_OK(plain);
  CHECK_FALSE(plain->is_fifo());
  CHECK(plain->host == "[::1]");
  CHECK(plain->Endpoint() == "http://[::1]:4566/");
}

TEST_CASE("a URL that is none of a queue is refused") {
  for (const char* url :
       {"", "https://h/1/q", "sqs://", "sqs://h", "sqs://h/q", "sqs:///1/q", "sqs://h/1/",
        "sqs://h//q", "sqs://h/1/q/r", "sqs://h/1/q?x=1", "sqs://h/1/q.fif", "sqs://h/1/.fifo",
        "sqs://h:0/1/q", "sqs://h:65536/1/q", "sqs://h:x/1/q", "sqs://h h/1/q", "sqs://h/1/a%2f"}) {
    CAPTURE(url);
    CHECK(ParseQueueUrl(url).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_OK(ParseQueueUrl("sqs://h/1/" + std::string(75, 'q') + ".fifo"));
  CHECK_FALSE(ParseQueueUrl("sqs://h/1/" + std::string(76, 'q') + ".fifo").ok());
}

TEST_CASE("a password in a URL is refused, and not repeated") {
  for (const char* url :
       {"sqs://me:s3cr3t@h/1/q", "sqs://me:s3/cr3t@h/1/q", "sqs://s3cr3t@h/1/q"}) {
    const std::string refusal = Refusal(Given(url));
    CHECK_THAT(refusal, HasText("AWS_ACCESS_KEY_ID"));
    CHECK(refusal.find("cr3t") == std::string::npos);
  }
}

TEST_CASE("the region is the option's, the host's, or the environment's") {
  CHECK(RegionOfHost("sqs.eu-west-1.amazonaws.com") == "eu-west-1");
  CHECK(RegionOfHost("sqs.cn-north-1.amazonaws.com.cn") == "cn-north-1");
  CHECK(RegionOfHost("sqs-fips.us-gov-west-1.amazonaws.com") == "us-gov-west-1");
  CHECK(RegionOfHost("vpce-1-a.sqs.eu-central-1.vpce.amazonaws.com") == "eu-central-1");
  CHECK(RegionOfHost("us-east-2.queue.amazonaws.com") == "us-east-2");
  CHECK(RegionOfHost("sqs.eu-west-1.api.aws") == "eu-west-1");
  CHECK(RegionOfHost("queue.example.com").empty());
  unsetenv("AWS_REGION");
  unsetenv("AWS_DEFAULT_REGION");
  SinkSettings given = Given("sqs://queue.example.com/1/q");
  CHECK_THAT(Refusal(given), HasText("AWS_REGION"));
  setenv("AWS_DEFAULT_REGION", "eu-north-1", 1);
  CHECK(ReadSettings(given)->client.region == "eu-north-1");
  CHECK(ReadSettings(Given(kUrl))->client.region == "eu-west-1");
  given.options = {{"region", "sa-east-1"}};
  CHECK(ReadSettings(given)->client.region == "sa-east-1");
  given.options = {{"region", "a/b"}};
  CHECK_THAT(Refusal(given), HasText("no region"));
  unsetenv("AWS_DEFAULT_REGION");
}

TEST_CASE("a key that splits a stream is refused unless it is meant") {
  SinkSettings given = Given(kUrl);
  CHECK(ReadSettings(given)->form.group.text() == "{stream}");
  for (const char* key : {"{stream}-{type}", "{tag:region}", "{id}"}) {
    given.key = key;
    given.unordered = false;
    CHECK_THAT(Refusal(given), HasText("unordered"));
    given.unordered = true;
    CHECK_OK(ReadSettings(given));
  }
  given.unordered = false;
  given.key = "{category}";
  CHECK_OK(ReadSettings(given));
  given.url = "sqs://sqs.eu-west-1.amazonaws.com/1/orders";
  CHECK_THAT(Refusal(given), HasText("standard queue"));
}

TEST_CASE("what does not concern the sink is refused") {
  SinkSettings given = Given(kUrl);
  given.destination = "x";
  CHECK_THAT(Refusal(given), HasText("destination"));
  given = Given(kUrl);
  given.tls_certificate_file = "x";
  CHECK_THAT(Refusal(given), HasText("certificates"));
  given = Given(kUrl);
  given.options = {{"regoin", "x"}};
  CHECK_THAT(Refusal(given), HasText("regoin"));
  for (const char* number : {"0", "65", "x", "1x", ""}) {
    given.options = {{"requests", number}};
    CHECK_THAT(Refusal(given), HasText("1 to 64"));
  }
  for (const char* name : {"", "dedupe_key", "a b", ".a", "aws.x", "Amazon.x"}) {
    given = Given(kUrl);
    given.headers = {{name, "x"}};
    CAPTURE(name);
    Refusal(given);
  }
  given.headers.assign(9, {"h", "x"});
  CHECK_THAT(Refusal(given), HasText("at most 8"));
}

TEST_CASE("credentials come from a profile of a file, or from the environment") {
  const std::string text =
      "# c\n[default]\naws_access_key_id = AK\r\naws_secret_access_key=S=/+\n"
      "[profile two]\naws_access_key_id=AK2\naws_secret_access_key=S2\naws_session_token = T\n"
      "[half]\naws_access_key_id=AK3\n[odd]\naws_access_key_id=A K\naws_secret_access_key=S4\n";
  CHECK(ParseCredentials(text, "f", "default")->secret == "S=/+");
  CHECK(ParseCredentials(text, "f", "default")->session_token.empty());
  CHECK(ParseCredentials(text, "f", "two")->session_token == "T");
  for (const char* profile : {"half", "odd", "none"}) {
    const auto read = ParseCredentials(text, "f", profile);
    CHECK(read.status().code() == absl::StatusCode::kUnauthenticated);
    CHECK(read.status().message().find("AK3") == absl::string_view::npos);
  }
  const daybook::testing::TempFolder folder;
  const std::string path = folder / "credentials";
  CHECK(ReadCredentials(path, "default").status().code() == absl::StatusCode::kNotFound);
  std::ofstream(path) << text;
  CHECK(ReadCredentials(path, "default")->key_id == "AK");
  unsetenv("AWS_SESSION_TOKEN");
  unsetenv("AWS_SECRET_ACCESS_KEY");
  setenv("AWS_ACCESS_KEY_ID", "AKE", 1);
  CHECK(OpenSqsSink(Given(kUrl)).status().code() == absl::StatusCode::kUnauthenticated);
  setenv("AWS_SECRET_ACCESS_KEY", "SE", 1);
  CHECK(ReadCredentials("", "")->key_id == "AKE");
  const auto sink = OpenSqsSink(Given(kUrl));
  REQUIRE_OK(sink);
  CHECK((*sink)->kind() == "sqs");
  CHECK((*sink)->destination() == kUrl);
}

}  // namespace
}  // namespace daybook::sqs
