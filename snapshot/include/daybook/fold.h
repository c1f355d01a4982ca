// A fold: how the events of one stream become the state of an aggregate.
//
//   struct AccountFold {
//     using State = Account;  // default-constructed it is the empty stream's; copyable
//     static constexpr std::string_view id() { return "account"; }
//     static constexpr std::uint32_t revision() { return 1; }
//     absl::Status Apply(Account& account, const daybook::EventView& event) const;
//
//     // With these two its states can be kept in snapshots:
//     void Save(const Account& account, std::string& out) const;
//     absl::StatusOr<Account> Restore(std::string_view bytes) const;
//   };
//
// Apply is deterministic: the same events in the same order give the same state, on every machine,
// with no clock and no I/O; and Save writes the same bytes for it, by which snapshots are verified
// (so what it walks has an order). Apply may return void. An error, or an exception, ends the load
// that called it, with the event named. Where what Apply does or what Save writes changes, the
// revision changes with it: snapshots of another revision are never used.
//
// A fold is called by several threads at the same time: its methods are const, and share nothing
// that they change.

#ifndef DAYBOOK_FOLD_H_
#define DAYBOOK_FOLD_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daybook/event.h"

namespace daybook {

// The longest id of a fold, in bytes. It is UTF-8 without control characters, and not empty.
inline constexpr std::size_t kFoldIdBytesMax = 200;

template <class F>
concept Fold = std::copy_constructible<F> && std::default_initializable<typename F::State> &&
    std::copyable<typename F::State> &&
    requires(const F& fold, typename F::State& state, const EventView& event) {
  { fold.id() } -> std::convertible_to<std::string_view>;
  { fold.revision() } -> std::convertible_to<std::uint32_t>;
  fold.Apply(state, event);
  requires std::same_as<decltype(fold.Apply(state, event)), void> ||
      std::same_as<decltype(fold.Apply(state, event)), absl::Status>;
};

template <class F>
concept SnapshotFold = Fold<F> && requires(const F& fold, const typename F::State& state,
                                           std::string& out, std::string_view bytes) {
  { fold.Save(state, out) } -> std::same_as<void>;
  { fold.Restore(bytes) } -> std::same_as<absl::StatusOr<typename F::State>>;
};

// A fold without its type, for code that is compiled once. Thread-safe as a fold is. Exceptions end
// here: they become kFailedPrecondition with what() in the message.
class AnyFold {
 public:
  using StatePtr = std::shared_ptr<void>;
  virtual ~AnyFold() = default;
  [[nodiscard]] virtual std::string_view id() const = 0;
  [[nodiscard]] virtual std::uint32_t revision() const = 0;
  [[nodiscard]] virtual StatePtr NewState() const = 0;
  [[nodiscard]] virtual StatePtr CopyState(const void* state) const = 0;
  virtual absl::Status Apply(void* state, const EventView& event) const = 0;
  // Whether Save and Restore may be called.
  [[nodiscard]] virtual bool has_snapshots() const = 0;
  virtual absl::Status Save(const void* state, std::string& out) const = 0;
  [[nodiscard]] virtual absl::StatusOr<StatePtr> Restore(std::string_view bytes) const = 0;
};

// The AnyFold of a fold, which it keeps a copy of.
template <Fold F>
class FoldAdapter final : public AnyFold {
 public:
  using State = typename F::State;
  explicit FoldAdapter(F fold) : fold_(std::move(fold)) {}

  [[nodiscard]] const F& fold() const { return fold_; }
  [[nodiscard]] std::string_view id() const override { return fold_.id(); }
  [[nodiscard]] std::uint32_t revision() const override { return fold_.revision(); }
  [[nodiscard]] StatePtr NewState() const override { return std::make_shared<State>(); }
  [[nodiscard]] StatePtr CopyState(const void* state) const override {
    return std::make_shared<State>(*static_cast<const State*>(state));
  }
  absl::Status Apply(void* state, const EventView& event) const override {
    return Guarded([&]() -> absl::Status {
      if constexpr (std::is_void_v<decltype(fold_.Apply(*static_cast<State*>(state), event))>) {
        fold_.Apply(*static_cast<State*>(state), event);
        return absl::OkStatus();
      } else {
        return fold_.Apply(*static_cast<State*>(state), event);
      }
    });
  }
  [[nodiscard]] bool has_snapshots() const override { return SnapshotFold<F>; }
  absl::Status Save([[maybe_unused]] const void* state,
                    [[maybe_unused]] std::string& out) const override {
    if constexpr (SnapshotFold<F>) {
      return Guarded([&] {
        fold_.Save(*static_cast<const State*>(state), out);
        return absl::OkStatus();
      });
    }
    return absl::UnimplementedError("the fold has no Save");
  }
  [[nodiscard]] absl::StatusOr<StatePtr> Restore(
      [[maybe_unused]] std::string_view bytes) const override {
    StatePtr restored;
    absl::Status status = absl::UnimplementedError("the fold has no Restore");
    if constexpr (SnapshotFold<F>) {
      status = Guarded([&]() -> absl::Status {
        absl::StatusOr<State> state = fold_.Restore(bytes);
        if (!state.ok()) return state.status();
        restored = std::make_shared<State>(*std::move(state));
        return absl::OkStatus();
      });
    }
    if (!status.ok()) return status;
    return restored;
  }

 private:
  template <class Call>
  static absl::Status Guarded(const Call& call) {
    try {
      return call();
    } catch (const std::exception& error) {
      return absl::FailedPreconditionError(error.what());
    } catch (...) {
      return absl::FailedPreconditionError("an exception that is no std::exception");
    }
  }

  const F fold_;
};

}  // namespace daybook

#endif  // DAYBOOK_FOLD_H_
