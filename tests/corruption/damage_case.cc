#include "tests/corruption/damage_case.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "absl/strings/str_cat.h"

namespace daybook::testing {
namespace {

constexpr std::array<const char*, 6> kKinds = {"none", "flip", "cut", "zero", "copy", "swap"};

void Change(std::uint8_t file, std::uint64_t at, const std::string& old, std::string bytes,
            std::vector<ChangedBytes>* changes) {
  bytes.resize(std::min<std::size_t>(bytes.size(), old.size() - at));
  if (old.compare(at, bytes.size(), bytes) == 0) return;
  const std::uint64_t end = at + bytes.size();
  changes->push_back({file, at, std::move(bytes), end});
}

}  // namespace

std::vector<ChangedBytes> ChangesOf(const DamageCase& damage,
                                    const std::vector<std::string>& files) {
  std::vector<ChangedBytes> changes;
  const std::string& old = files[damage.file];
  const std::string& other = files[damage.other_file];
  switch (damage.kind) {
    case DamageKind::kNone:
      break;
    case DamageKind::kFlip:
      Change(damage.file, damage.at, old,
             std::string(1, static_cast<char>(old[damage.at] ^ (1 << damage.other_at))), &changes);
      break;
    case DamageKind::kCut:
      changes.push_back({damage.file, damage.at, {}, old.size()});
      break;
    case DamageKind::kZero:
      Change(damage.file, damage.at, old, std::string(kSectorBytes, '\0'), &changes);
      break;
    case DamageKind::kSwap:
      Change(damage.file, damage.at, old, other.substr(damage.other_at, kSectorBytes), &changes);
      [[fallthrough]];
    case DamageKind::kCopy:
      Change(damage.other_file, damage.other_at, other, old.substr(damage.at, kSectorBytes),
             &changes);
      break;
  }
  return changes;
}

std::string ToText(const DamageCase& damage, const std::string& shape,
                   const std::vector<std::string>& names) {
  std::string text = absl::StrCat(kKinds[static_cast<std::size_t>(damage.kind)], " ", shape, " ",
                                  names[damage.file], " ", damage.at);
  if (damage.kind == DamageKind::kFlip) absl::StrAppend(&text, " ", damage.other_at);
  if (damage.kind == DamageKind::kCopy || damage.kind == DamageKind::kSwap) {
    absl::StrAppend(&text, " ", names[damage.other_file], " ", damage.other_at);
  }
  return text;
}

std::optional<DamageCase> ParseDamage(const std::string& text,
                                      const std::vector<std::string>& names) {
  std::istringstream in(text);
  std::string kind, shape, file;
  DamageCase damage;
  if (!(in >> kind >> shape >> file >> damage.at)) return std::nullopt;
  const auto known = std::find(kKinds.begin(), kKinds.end(), kind);
  const auto number = [&](const std::string& name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  if (known == kKinds.end() || number(file) == names.size()) return std::nullopt;
  damage.kind = static_cast<DamageKind>(known - kKinds.begin());
  damage.file = damage.other_file = static_cast<std::uint8_t>(number(file));
  if (damage.kind == DamageKind::kCopy || damage.kind == DamageKind::kSwap) {
    if (!(in >> file) || number(file) == names.size()) return std::nullopt;
    damage.other_file = static_cast<std::uint8_t>(number(file));
  }
  if (damage.kind != DamageKind::kNone && damage.kind != DamageKind::kCut &&
      damage.kind != DamageKind::kZero && !(in >> damage.other_at)) {
    return std::nullopt;
  }
  return damage;
}

}  // namespace daybook::testing
