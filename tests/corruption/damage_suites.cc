#include "tests/corruption/damage_suites.h"

#include <algorithm>
#include <cstdlib>

namespace daybook::testing {
namespace {

using Jobs = std::vector<Job>;

bool IsSoak() { return std::getenv("DAYBOOK_SOAK") != nullptr; }

// Everybody about every case is for soaks; the rest of the time `levels` say who.
Levels Asked(const Levels& levels) {
  if (!IsSoak()) return levels;
  return {.decide = levels.decide, .verify = true, .reader = true, .store = true};
}

// Of what the suites list, soaks take all, and tests two of five: each bit of a byte equally often.
constexpr std::uint32_t kShortEvery = 97;
Jobs Shortened(Jobs jobs) {
  if (IsSoak()) return jobs;
  const bool is_short = std::getenv("DAYBOOK_TEST_SHORT") != nullptr;
  Jobs some;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (is_short ? i % kShortEvery == 0 : i % 5 == 0 || i % 5 == 3) some.push_back(jobs[i]);
  }
  return some;
}

template <class Use>
void ForEachFile(const std::vector<Shape>& shapes, const Use& use) {
  for (std::size_t s = 0; s < shapes.size(); ++s) {
    if (shapes[s].is_cheat) continue;
    for (std::size_t f = 0; f < shapes[s].names.size(); ++f) {
      DamageCase damage;
      damage.shape = static_cast<std::uint8_t>(s);
      damage.file = damage.other_file = static_cast<std::uint8_t>(f);
      use(shapes[s], damage, shapes[s].names[f],
          static_cast<std::uint32_t>(shapes[s].files[f].size()));
    }
  }
}

// Every file in the first shape; in the others what is not the same there as in the first.
bool IsCovered(const Shape& shape, const DamageCase& damage, const std::string& name) {
  if (damage.shape == 0) return false;
  if (shape.name == "sealed") return damage.file != shape.last_log && !name.ends_with(".idx");
  return damage.file != shape.last_log && name != "WAKE";
}

bool IsHeaderBit(const Shape& shape, const DamageCase& damage) {
  if (damage.at < 256) return true;
  const std::uint64_t begin = shape.FrameBegin(damage.file, damage.at);
  if (damage.at >= begin && damage.at < begin + 128 + 32) return true;
  return std::any_of(shape.records.begin(), shape.records.end(), [&](const RecordPlace& record) {
    return record.file == shape.names[damage.file] && record.begin <= damage.at &&
           damage.at < record.begin + 72;
  });
}

// Whether this byte is one of those that are asked of a reader and of verify: every one for a soak.
bool IsPicked(std::uint32_t at) { return IsSoak() || at % 3 == 0; }

// Every bit of the log is decided in memory. In the store that was closed three bits of a byte that
// is not zero are asked of a reader. One bit of every third byte is asked of a reader and of
// verify, and one of each 64th byte, and of each fourth of a header, of a writer.
Jobs LogBits(const std::vector<Shape>& shapes) {
  Jobs jobs;
  ForEachFile(shapes, [&](const Shape& shape, DamageCase damage, const std::string& name,
                          std::uint32_t size) {
    if ((!IsLogFile(name) && name != "STORE") || IsCovered(shape, damage, name)) return;
    damage.kind = DamageKind::kFlip;
    for (damage.at = 0; damage.at < size; ++damage.at) {
      for (damage.other_at = 0; damage.other_at < 8; ++damage.other_at) {
        const bool chosen = damage.other_at == damage.at % 8;
        const bool picked = chosen && IsPicked(damage.at);
        const bool first = damage.shape == 0 && (damage.other_at + damage.at) % 3 == 0;
        const bool zero = shape.files[damage.file][damage.at] == 0;
        jobs.push_back(
            {damage,
             Asked({.decide = IsLogFile(name),
                    .verify = picked,
                    .reader = picked || (first && !zero),
                    .store = chosen && (damage.at % 64 == 0 ||
                                        (damage.at % 4 == 0 && IsHeaderBit(shape, damage))),
                    .depth = chosen && damage.at % 8 == 0 ? Depth::kAll : Depth::kEvents})});
      }
    }
  });
  return Shortened(std::move(jobs));
}

// Every bit of what is derived: of sidecars and of the LMDB file all are asked of the code that
// checks them, and where that passes what LMDB would read otherwise, of everybody. One bit of each
// third byte of a sidecar, and of each twelfth of the rest, is asked of verify and of a reader, and
// of each 64th byte of a writer.
Jobs DerivedBits(const std::vector<Shape>& shapes) {
  Jobs jobs;
  ForEachFile(shapes, [&](const Shape& shape, DamageCase damage, const std::string& name,
                          std::uint32_t size) {
    if (IsLogFile(name) || name == "STORE" || IsCovered(shape, damage, name)) return;
    damage.kind = DamageKind::kFlip;
    for (damage.at = 0; damage.at < size; ++damage.at) {
      for (damage.other_at = 0; damage.other_at < 8; ++damage.other_at) {
        const bool chosen = damage.other_at == damage.at % 8;
        const bool judged = name.ends_with(".idx") || name == "index/data.mdb";
        const bool asked =
            chosen && IsPicked(damage.at) && (damage.at % 4 == 0 || name.ends_with(".idx"));
        jobs.push_back(
            {damage, Asked({.decide = judged,
                            .verify = asked,
                            .reader = asked && !name.starts_with("index/"),
                            .store = chosen && damage.at % 64 == 0,
                            .depth = damage.at % 8 == 0 ? Depth::kAll : Depth::kEvents})});
      }
    }
  });
  return Shortened(std::move(jobs));
}

// Every length, of the LMDB file and of sidecars, asked of the code that checks them; every third
// of the log, of sidecars and of STORE asked of verify and of a reader, and every eighth of all.
Jobs Cuts(const std::vector<Shape>& shapes) {
  Jobs jobs;
  ForEachFile(shapes, [&](const Shape& shape, DamageCase damage, const std::string& name,
                          std::uint32_t size) {
    if (IsCovered(shape, damage, name)) return;
    damage.kind = DamageKind::kCut;
    for (damage.at = 0; damage.at < size; ++damage.at) {
      if (damage.shape != 0 && damage.at % 8 != 0 && !IsSoak()) continue;
      const bool often = IsLogFile(name) || name.ends_with(".idx") || name == "STORE";
      const bool asked = (often && IsPicked(damage.at)) || damage.at % 8 == 0;
      const bool last = damage.at + 1 == size;
      jobs.push_back(
          {damage, Asked({.decide = name.ends_with(".idx") || name == "index/data.mdb",
                          .verify = asked,
                          .reader = asked,
                          .store = damage.at % 128 == 0 || last,
                          .depth = damage.at % 16 == 0 ? Depth::kAll : Depth::kEvents})});
    }
  });
  return Shortened(std::move(jobs));
}

Jobs Sectors(const std::vector<Shape>& shapes) {
  Jobs jobs;
  const auto add = [&](const DamageCase& damage, bool store) {
    jobs.push_back({damage, Asked({.verify = true, .reader = true, .store = store})});
  };
  ForEachFile(shapes, [&](const Shape& shape, DamageCase damage, const std::string& name,
                          std::uint32_t size) {
    if (IsCovered(shape, damage, name)) return;
    for (damage.at = 0; damage.at < size; damage.at += kSectorBytes) {
      damage.kind = DamageKind::kZero;
      add(damage, true);
      damage.kind = DamageKind::kCopy;
      for (std::uint32_t other = 0; other < size; other += kSectorBytes) {
        const bool neighbour =
            other + kSectorBytes == damage.at || damage.at + kSectorBytes == other;
        damage.other_at = other;
        if (other != damage.at && (neighbour || IsSoak())) add(damage, true);
      }
    }
  });
  return Shortened(std::move(jobs));
}

// All pairs of sectors of a file, and of all files of the log.
Jobs Swaps(const std::vector<Shape>& shapes) {
  Jobs jobs;
  ForEachFile(shapes, [&](const Shape& shape, DamageCase damage, const std::string& name,
                          std::uint32_t size) {
    if (IsCovered(shape, damage, name)) return;
    damage.kind = DamageKind::kSwap;
    for (damage.at = 0; damage.at < size; damage.at += kSectorBytes) {
      for (std::size_t other = damage.file; other < shape.names.size(); ++other) {
        if (other != damage.file && (!IsLogFile(name) || !IsLogFile(shape.names[other]))) continue;
        damage.other_file = static_cast<std::uint8_t>(other);
        damage.other_at = other == damage.file ? damage.at + kSectorBytes : 0;
        for (; damage.other_at < shape.files[other].size(); damage.other_at += kSectorBytes) {
          jobs.push_back(
              {damage, Asked({.verify = true, .reader = true, .store = jobs.size() % 8 == 0})});
        }
      }
    }
  });
  return Shortened(std::move(jobs));
}

// Each must fail: what the judge looks at is shown to be looked at.
Jobs MustFail(const std::vector<Shape>& shapes) {
  Jobs jobs;
  const Levels reader{.reader = true};
  for (std::size_t s = 0; s < shapes.size(); ++s) {
    DamageCase damage;
    damage.kind = DamageKind::kFlip;
    damage.shape = static_cast<std::uint8_t>(s);
    damage.file = shapes[s].last_log;
    damage.at = static_cast<std::uint32_t>(shapes[s].frames.back().begin + 64);
    if (shapes[s].name == "lied") jobs.push_back({damage, reader});
    if (shapes[s].name == "overclaimed") {
      jobs.push_back({damage, {.verify = true, .reader = true}});
      jobs.push_back({damage, {.store = true}});
    }
    if (s != 0) continue;
    jobs.push_back({damage, {.sabotage = Sabotage::kLookAway, .decide = true}});
    const auto log = std::find_if(shapes[s].names.begin(), shapes[s].names.end(), IsLogFile);
    damage.file = static_cast<std::uint8_t>(log - shapes[s].names.begin());
    damage.at = 5000;
    for (const Sabotage sabotage : {Sabotage::kCrash, Sabotage::kHang, Sabotage::kBlameAnother}) {
      jobs.push_back({damage, {.sabotage = sabotage, .verify = true, .reader = true}});
    }
    jobs.push_back({damage, {.sabotage = Sabotage::kBlameAnother, .reader = true}});
    damage.at = 10;  // the header of a segment: the writer refuses
    jobs.push_back({damage, {.sabotage = Sabotage::kBlameAnother, .store = true}});
  }
  return jobs;
}

}  // namespace

const std::vector<Suite>& AllSuites() {
  static const std::vector<Suite> kSuites = {
      {"log_bits", LogBits}, {"derived_bits", DerivedBits}, {"cuts", Cuts}, {"sectors", Sectors},
      {"swaps", Swaps},      {"must_fail", MustFail, true},
  };
  return kSuites;
}

}  // namespace daybook::testing
