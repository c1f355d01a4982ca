#include "base/status.h"

#include <memory>
#include <string>

#include "tests/catch.h"

namespace daybook {
namespace {

TEST_CASE("a conflict of versions says stream, expected and actual, and gives them back") {
  const Conflict conflict{.stream = "account-42",
                          .expected = ExpectedVersion::Exactly(Version(3)),
                          .actual = Version(5),
                          .matched = Position(0)};
  const absl::Status status = ConflictStatus(conflict);
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK_THAT(std::string(status.message()),
             testing::HasText("'account-42': expected version 3, it has 5"));
  const auto detail = ConflictOf(status);
  REQUIRE(detail.has_value());
  CHECK(detail->stream == "account-42");
  CHECK(detail->expected == ExpectedVersion::Exactly(Version(3)));
  CHECK(detail->actual == Version(5));
  CHECK(detail->matched == Position(0));
}

TEST_CASE("every kind of expectation survives the way through a status") {
  for (const ExpectedVersion expected :
       {ExpectedVersion::Any(), ExpectedVersion::NoStream(), ExpectedVersion::StreamExists(),
        ExpectedVersion::Exactly(Version(kCountMax))}) {
    const auto detail = ConflictOf(ConflictStatus(
        {.stream = "s", .expected = expected, .actual = Version(kCountMax), .matched = {}}));
    REQUIRE(detail.has_value());
    CHECK(detail->expected == expected);
    CHECK(detail->actual == Version(kCountMax));
  }
}

TEST_CASE("a condition that does not hold names the event that matches") {
  const absl::Status status =
      ConflictStatus({.stream = "", .expected = {}, .actual = {}, .matched = Position(77)});
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK_THAT(std::string(status.message()), testing::HasText("position 77"));
  const auto detail = ConflictOf(status);
  REQUIRE(detail.has_value());
  CHECK(detail->stream.empty());
  CHECK(detail->matched == Position(77));
}

TEST_CASE("damage says what, file, offset, positions and what to do, and gives them back") {
  const Damage damage{.file = "log/00000000000000000001.log",
                      .offset = 4096,
                      .first_position = Position(7),
                      .last_position = Position(9)};
  const absl::Status status = DataLossAt(damage, "frame hash");
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(status.message() ==
        "frame hash: log/00000000000000000001.log at offset 4096, position 7 to 9; run `daybook "
        "verify`, then `daybook repair`");
  const auto detail = DamageOf(status);
  REQUIRE(detail.has_value());
  CHECK(detail->file == damage.file);
  CHECK(detail->offset == 4096);
  CHECK(detail->first_position == Position(7));
  CHECK(detail->last_position == Position(9));
}

TEST_CASE("the message about damage leaves out positions that are not known") {
  const auto message = [](std::uint64_t first, std::uint64_t last) {
    return std::string(DataLossAt({.file = "f",
                                   .offset = 1,
                                   .first_position = Position(first),
                                   .last_position = Position(last)},
                                  "w")
                           .message());
  };
  CHECK_THAT(message(0, 0), testing::HasText("w: f at offset 1;"));
  CHECK_THAT(message(7, 7), testing::HasText("w: f at offset 1, position 7;"));
  CHECK_THAT(message(7, 0), testing::HasText("w: f at offset 1, position 7;"));
}

TEST_CASE("a status without a detail, or with another's, has none") {
  CHECK_FALSE(ConflictOf(absl::OkStatus()).has_value());
  CHECK_FALSE(ConflictOf(absl::AbortedError("other")).has_value());
  CHECK_FALSE(DamageOf(ConflictStatus({})).has_value());
  CHECK_FALSE(ConflictOf(DataLossAt({}, "w")).has_value());
  absl::Status foreign = absl::AbortedError("payload of another");
  foreign.SetPayload(ToAbsl(kConflictPayloadUrl), absl::Cord("short"));
  CHECK_FALSE(ConflictOf(foreign).has_value());
  foreign.SetPayload(ToAbsl(kConflictPayloadUrl), absl::Cord(std::string(40, '\x7F')));
  CHECK_FALSE(ConflictOf(foreign).has_value());
}

absl::Status Twice(const absl::Status& first, const absl::Status& second, int* reached) {
  DAYBOOK_RETURN_IF_ERROR(first);
  ++*reached;
  DAYBOOK_RETURN_IF_ERROR(second);
  ++*reached;
  return absl::OkStatus();
}

TEST_CASE("RETURN_IF_ERROR goes on after OK and returns an error as it is") {
  int reached = 0;
  CHECK_OK(Twice(absl::OkStatus(), absl::OkStatus(), &reached));
  CHECK(reached == 2);
  reached = 0;
  const absl::Status error = DataLossAt({.file = "f"}, "w");
  CHECK(Twice(absl::OkStatus(), error, &reached) == error);
  CHECK(reached == 1);
}

absl::StatusOr<int> Sum(absl::StatusOr<std::unique_ptr<int>> a, absl::StatusOr<int> b) {
  DAYBOOK_ASSIGN_OR_RETURN(const std::unique_ptr<int> first, std::move(a));
  int second = 0;
  DAYBOOK_ASSIGN_OR_RETURN(second, b);
  return *first + second;
}

TEST_CASE("ASSIGN_OR_RETURN declares or assigns, moves, and returns an error as it is") {
  CHECK(*Sum(std::make_unique<int>(2), 3) == 5);
  CHECK(Sum(absl::NotFoundError("a"), 3).status() == absl::NotFoundError("a"));
  CHECK(Sum(std::make_unique<int>(2), absl::NotFoundError("b")).status() ==
        absl::NotFoundError("b"));
}

TEST_CASE("string views cross to Abseil and back with every byte") {
  const std::string_view text("a\0b", 3);
  CHECK(ToStd(ToAbsl(text)) == text);
  CHECK(ToAbsl(text).size() == 3);
}

}  // namespace
}  // namespace daybook
