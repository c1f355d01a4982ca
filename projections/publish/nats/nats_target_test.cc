#include "projections/publish/nats/nats_target.h"

#include <string>
#include <string_view>

#include "daybook/cloud_event.h"
#include "daybook/nats_sink.h"
#include "tests/catch.h"
#include "tests/temp_folder.h"

namespace daybook {
namespace {

SinkSettings WithUrl(std::string url) {
  SinkSettings settings;
  settings.url = std::move(url);
  return settings;
}

std::string Refusal(const SinkSettings& settings) {
  const absl::StatusOr<NatsTarget> target = ParseNatsTarget(settings);
  if (target.ok()) return "";
  CHECK(target.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(target.status().message().find('\n') == absl::string_view::npos);
  return std::string(target.status().message());
}

TEST_CASE("a URL names servers, a stream, and whether the connection is by TLS") {
  absl::StatusOr<NatsTarget> target = ParseNatsTarget(WithUrl("nats://a:1,b,[::1]:7/LEDGER"));
  REQUIRE_OK(target);
  CHECK(target->servers ==
        std::vector<std::string>{"nats://a:1", "nats://b:4222", "nats://[::1]:7"});
  CHECK(target->stream == "LEDGER");
  CHECK_FALSE(target->tls);
  CHECK(target->url == "nats://a:1,b:4222,[::1]:7/LEDGER");
  CHECK(target->subject.text() == "ledger.{category}.{type}");
  CHECK(target->filter == "ledger.*.*");

  target = ParseNatsTarget(WithUrl("nats://a:1,nats://b/LEDGER"));
  REQUIRE_OK(target);
  CHECK(target->url == "nats://a:1,b:4222/LEDGER");

  target = ParseNatsTarget(WithUrl("tls://broker.example.com"));
  REQUIRE_OK(target);
  CHECK(target->tls);
  CHECK(target->stream.empty());
  CHECK(target->url == "tls://broker.example.com:4222");

  SinkSettings by_file = WithUrl("nats://a/S");
  by_file.tls_ca_file = "ca.pem";
  target = ParseNatsTarget(by_file);
  REQUIRE_OK(target);
  CHECK(target->tls);
}

TEST_CASE("a URL that is none is refused, and one with a password without repeating it") {
  for (const char* url : {"", "http://a", "nats://", "nats://a:0/S", "nats://a:70000", "nats://a:x",
                          "nats://a,/S", "nats://a/S.T", "nats://a/S,b", "nats://a,tls://b/S",
                          "nats://a/S/T", "nats://[::1/S", "nats://a b/S", "nats://a/>"}) {
    CAPTURE(url);
    CHECK_FALSE(Refusal(WithUrl(url)).empty());
  }
  const std::string refusal = Refusal(WithUrl("nats://joe:secret@a:4222/S"));
  CHECK_THAT(refusal, testing::HasText("DAYBOOK_NATS_USER"));
  CHECK(refusal.find("secret") == refusal.npos);
}

TEST_CASE("a template that makes no subject is refused") {
  SinkSettings settings = WithUrl("nats://a/S");
  for (const char* subject : {"a..b", ".a", "a.", "a b", "a.>", "a.*", "{type}.*", "$JS.{type}",
                              "a.{{b}}", "{nothing}", "a.{type"}) {
    CAPTURE(subject);
    settings.destination = subject;
    CHECK_FALSE(Refusal(settings).empty());
  }
  settings.destination = "books.x{category}y.{tag:a.b}.new";
  const absl::StatusOr<NatsTarget> target = ParseNatsTarget(settings);
  REQUIRE_OK(target);
  CHECK(target->filter == "books.*.*.new");
}

TEST_CASE("what means nothing to the sink is refused") {
  SinkSettings settings = WithUrl("nats://a/S");
  CHECK(Refusal(settings).empty());
  settings.key = "{stream}";
  CHECK_THAT(Refusal(settings), testing::HasText("no key"));
  settings.key.clear();
  settings.unordered = true;
  CHECK_THAT(Refusal(settings), testing::HasText("unordered"));
  settings.unordered = false;
  settings.options = {{"linger", "5"}};
  CHECK_THAT(Refusal(settings), testing::HasText("domain, inbox_prefix"));
  settings.options = {{"domain", "a.b"}};
  CHECK_FALSE(Refusal(settings).empty());
  settings.options = {{"domain", "hub"}, {"inbox_prefix", "_INBOX_ledger.x"}};
  CHECK(Refusal(settings).empty());
  settings.tls_key_file = "key.pem";
  CHECK_THAT(Refusal(settings), testing::HasText("come together"));
}

TEST_CASE("headers of the envelope and of the broker cannot be taken") {
  SinkSettings settings = WithUrl("nats://a/S");
  for (const char* name :
       {"", "a b", "a:b", "Nats-Msg-Id", "nats-ttl", "CE-type", "Content-Type"}) {
    CAPTURE(name);
    settings.headers = {{name, "x"}};
    CHECK_FALSE(Refusal(settings).empty());
  }
  settings.headers = {{"X-Tenant", "{tag:tenant}"}};
  CHECK(Refusal(settings).empty());
}

TEST_CASE("files that are missing are found before anything is connected") {
  const testing::TempFolder folder;
  SinkSettings settings = WithUrl("tls://127.0.0.1:1/S");
  settings.tls_ca_file = folder / "none.pem";
  absl::Status opened = OpenNatsSink(settings).status();
  CHECK(opened.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(opened.message()), testing::HasText("none.pem"));
  settings.tls_ca_file.clear();
  CHECK_OK(OpenNatsSink(settings));
}

TEST_CASE("a subject matches a pattern token by token") {
  CHECK(SubjectMatches("a.b", "a.b"));
  CHECK(SubjectMatches("a.*", "a.b"));
  CHECK(SubjectMatches("a.>", "a.b.c"));
  CHECK(SubjectMatches(">", "a"));
  CHECK_FALSE(SubjectMatches("a.b", "a"));
  CHECK_FALSE(SubjectMatches("a", "a.b"));
  CHECK_FALSE(SubjectMatches("a.>", "a"));
  CHECK_FALSE(SubjectMatches("a.*", "a.b.c"));
  CHECK_FALSE(SubjectMatches("a.*", "b.b"));
  CHECK_FALSE(SubjectMatches("a.*", "a.>"));
}

TEST_CASE("percent-encoding is undone, and what is none of it stays") {
  std::string encoded;
  const std::string text = std::string("a \"%\xc3\xa9\n") + '\0' + "%41";
  AppendPercentEncoded(text, &encoded);
  CHECK(PercentDecoded(encoded) == text);
  CHECK(PercentDecoded("100%") == "100%");
  CHECK(PercentDecoded("%zz%4") == "%zz%4");
  CHECK(PercentDecoded("%4x%20") == "%4x ");
}

}  // namespace
}  // namespace daybook
