// What a process is at, in memory that it shares with the parent that forked it: there it stays
// when the process dies of it.

#ifndef DAYBOOK_TESTS_SIMULATION_LAST_WORDS_H_
#define DAYBOOK_TESTS_SIMULATION_LAST_WORDS_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace daybook::simulation {

class LastWords {
 public:
  LastWords();
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  // In words; what is being looked at is forgotten.
  void Say(std::string_view what);
  // The bytes that replay what is being looked at; without them where they are too many.
  void LookAt(std::string_view state);

  [[nodiscard]] std::string what() const;
  // Empty: it was between two.
  [[nodiscard]] std::string state() const;

 private:
  struct Page;
  Page* page_ = nullptr;  // nullptr where there is no memory: then nothing is kept
};

}  // namespace daybook::simulation

#endif  // DAYBOOK_TESTS_SIMULATION_LAST_WORDS_H_
