#include "simulation/last_words.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace daybook::simulation {

struct LastWords::Page {
  std::size_t what_bytes, state_bytes;
  std::array<char, 1024> what;
  std::array<char, std::size_t{64} << 20> state;  // memory is taken for what is written only
};

LastWords::LastWords() {
  void* const memory = mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory != MAP_FAILED) page_ = static_cast<Page*>(memory);
}

LastWords::~LastWords() {
  if (page_ != nullptr) munmap(page_, sizeof(Page));
}

void LastWords::Say(std::string_view what) {
  if (page_ == nullptr) return;
  page_->state_bytes = 0;
  page_->what_bytes = std::min(what.size(), page_->what.size());
  std::memcpy(page_->what.data(), what.data(), page_->what_bytes);
}

void LastWords::LookAt(std::string_view state) {
  if (page_ == nullptr) return;
  page_->state_bytes = 0;
  if (state.size() > page_->state.size()) return;
  std::memcpy(page_->state.data(), state.data(), state.size());
  page_->state_bytes = state.size();
}

std::string LastWords::what() const {
  return page_ == nullptr ? "" : std::string(page_->what.data(), page_->what_bytes);
}

std::string LastWords::state() const {
  return page_ == nullptr ? "" : std::string(page_->state.data(), page_->state_bytes);
}

}  // namespace daybook::simulation
