// What almost every test includes, compiled once for all test programs: Catch2 2 is one header of
// 18,000 lines. A test still includes what it uses.

#ifndef DAYBOOK_TESTS_TEST_HEADERS_H_
#define DAYBOOK_TESTS_TEST_HEADERS_H_

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tests/catch.h"

#endif  // DAYBOOK_TESTS_TEST_HEADERS_H_
