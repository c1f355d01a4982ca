// Catch2, version 2 or 3, under one roof, and how a status reads in a failed check.
//
// Tests include this and never a header of Catch2. Beside Catch2's own macros there are
//   REQUIRE_OK(expr) / CHECK_OK(expr)   the status (or the status of the StatusOr) is OK
//   daybook::testing::HasText(text)     a matcher: the string contains the text
//   DAYBOOK_SKIP(why)                   says "SKIPPED: why", which scripts/test counts, and leaves
//                                       the test case

#ifndef DAYBOOK_TESTS_CATCH_H_
#define DAYBOOK_TESTS_CATCH_H_

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <iostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace daybook::testing {

inline auto HasText(const std::string& text) {
#if __has_include(<catch2/catch_all.hpp>)
  return Catch::Matchers::ContainsSubstring(text);
#else
  return Catch::Matchers::Contains(text);
#endif
}

inline absl::Status StatusOf(absl::Status status) { return status; }
template <class T>
absl::Status StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

}  // namespace daybook::testing

template <>
struct Catch::StringMaker<absl::Status> {
  static std::string convert(const absl::Status& status) { return status.ToString(); }
};

// A StatusOr that failed a check reads as its status.
template <class T>
struct Catch::StringMaker<absl::StatusOr<T>> {
  static std::string convert(const absl::StatusOr<T>& result) { return result.status().ToString(); }
};

#define REQUIRE_OK(expr) REQUIRE(::daybook::testing::StatusOf(expr) == ::absl::OkStatus())
#define CHECK_OK(expr) CHECK(::daybook::testing::StatusOf(expr) == ::absl::OkStatus())

#define DAYBOOK_SKIP(why)                           \
  do {                                              \
    std::cout << "SKIPPED: " << (why) << std::endl; \
    SUCCEED(std::string("skipped: ") + (why));      \
    return;                                         \
  } while (false)

#endif  // DAYBOOK_TESTS_CATCH_H_
