// The projection that the workloads of projections run: AmountOf() added up by stream.

#ifndef DAYBOOK_BENCH_COMPARE_SUMS_H_
#define DAYBOOK_BENCH_COMPARE_SUMS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "compare/rival.h"
#include "daybook/projections.h"

namespace daybook::bench {

inline constexpr Table<std::string, std::uint64_t> kSums{"sums"};

Projection SumByStream(std::string_view name);

// Calls `visit` with each stream and its sum in the read model of this name.
template <class Visit>
void VisitSums(Projections* projections, std::string_view name, const Visit& visit) {
  const auto model = projections->OpenModel(name);
  CheckDaybook(model.status());
  const auto snapshot = (*model)->Read();
  CheckDaybook(snapshot.status());
  CheckDaybook(
      kSums.Scan(*snapshot, KeyRange::All(), [&](const std::string& stream, std::uint64_t sum) {
        visit(stream, sum);
        return true;
      }));
}

}  // namespace daybook::bench

#endif  // DAYBOOK_BENCH_COMPARE_SUMS_H_
