// The line on which a suite says what it counted, for tests/report/reliability.py:
// counted: {"suite":"kill","kills":250,...}

#ifndef DAYBOOK_TESTS_COUNTED_H_
#define DAYBOOK_TESTS_COUNTED_H_

#include <concepts>
#include <cstddef>
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

namespace daybook::testing {

class Counted {
 public:
  explicit Counted(std::string_view suite) : text_("{\"suite\":\"" + std::string(suite) + "\"") {}

  Counted& Add(std::string_view name, std::integral auto number) {
    return AddText(name, std::to_string(number));
  }
  // With one decimal.
  Counted& AddSeconds(std::string_view name, double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f", seconds);
    return AddText(name, text);
  }
  // An object, whose names are `name_of` the places of the numbers.
  template <class Numbers, class Name>
  Counted& Add(std::string_view name, const Numbers& numbers, const Name& name_of) {
    std::string object = "{";
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      object +=
          (i == 0 ? "\"" : ",\"") + std::string(name_of(i)) + "\":" + std::to_string(numbers[i]);
    }
    return AddText(name, object + "}");
  }

  [[nodiscard]] std::string line() const { return "counted: " + text_ + "}"; }
  void Print() const { std::cout << line() << std::endl; }

 private:
  Counted& AddText(std::string_view name, const std::string& value) {
    text_ += ",\"" + std::string(name) + "\":" + value;
    return *this;
  }

  std::string text_;
};

}  // namespace daybook::testing

#endif  // DAYBOOK_TESTS_COUNTED_H_
