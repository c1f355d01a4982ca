#include "cli/health.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/open_store.h"
#include "cli/progress.h"
#include "daybook/json_fold.h"
#include "daybook/rebuild.h"
#include "daybook/snapshots.h"
#include "daybook/store.h"

namespace daybook::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const Finding& finding) {
  Json positions = Json::array();
  if (finding.first_position > Position(0)) {
    positions = {finding.first_position.value(), finding.last_position.value()};
  }
  return {{"kind", finding.kind},
          {"file", finding.file},
          {"offset", finding.offset},
          {"positions", positions},
          {"hint", finding.hint}};
}

void PrintReport(const VerifyReport& report, Console& console) {
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kJson) {
    Json findings = Json::array();
    for (const Finding& finding : report.findings) findings.push_back(ToJson(finding));
    const Json json = {
        {"ok", report.ok()}, {"positions", report.positions}, {"findings", findings}};
    out.append(json.dump(-1, ' ', false, Json::error_handler_t::replace)).push_back('\n');
    return;
  }
  for (const Finding& finding : report.findings) {
    absl::StrAppend(&out, finding.kind, "  ", finding.file, ":", finding.offset);
    if (finding.first_position > Position(0)) {
      absl::StrAppend(&out, "  positions ", finding.first_position.value(), "..",
                      finding.last_position.value());
    }
    absl::StrAppend(&out, "  ", finding.hint, "\n");
  }
  absl::StrAppend(&out, report.ok() ? "ok, " : "damaged, ", report.positions,
                  " positions verified, ", report.findings.size(), " findings\n");
}

// Adds what is wrong in a folder of what is derived. It is looked at by way of the log: where that
// cannot be opened, its own findings say why.
absl::Status VerifyDerived(const VerifyFlags& flags, const char* folder, Console& console,
                           VerifyReport& report,
                           const std::function<absl::Status(const Reader& reader)>& verify) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(flags.store) / folder, error)) {
    return absl::OkStatus();
  }
  const absl::StatusOr<std::unique_ptr<Reader>> reader =
      OpenForRead(flags.store, flags.no_mmap, console);
  if (!reader.ok()) return report.ok() ? reader.status() : absl::OkStatus();
  return verify(**reader);
}

void AddFindings(const std::vector<Finding>& findings, VerifyReport& report) {
  report.findings.insert(report.findings.end(), findings.begin(), findings.end());
}

absl::Status VerifySnapshotsOf(const VerifyFlags& flags, Console& console, VerifyReport& report) {
  return VerifyDerived(flags, "snapshots", console, report, [&](const Reader& reader) {
    const absl::StatusOr<SnapshotVerifyReport> snapshots = VerifySnapshots(reader, JsonFold::Find);
    if (!snapshots.ok()) return snapshots.status();
    AddFindings(snapshots->findings, report);
    if (snapshots->checked > 0) {
      console.PrintNotice(
          Notice::Severity::kInfo,
          absl::StrCat(snapshots->checked, " snapshots are of folds that this command does not ",
                       "know, ", flags.store, ", their states were not held against a replay"));
    }
    return absl::OkStatus();
  });
}

absl::Status VerifyProjectionsOf(const VerifyFlags& flags, Console& console, VerifyReport& report) {
  return VerifyDerived(flags, "projections", console, report, [&](const Reader& reader) {
    const absl::StatusOr<ProjectionVerifyReport> projections = VerifyProjections(reader);
    if (!projections.ok()) return projections.status();
    AddFindings(projections->findings, report);
    return absl::OkStatus();
  });
}

}  // namespace

absl::Status RunVerify(const VerifyFlags& flags, Console& console) {
  Progress progress(console, "verifying", "");
  VerifyOptions options;
  options.fast = flags.fast;
  options.access = flags.no_mmap ? FileAccess::kRead : FileAccess::kMap;
  options.on_progress = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.Update(done, total, 0);
  };
  absl::StatusOr<VerifyReport> report = Verify(flags.store, options);
  if (!report.ok()) return report.status();
  if (flags.snapshots) {
    DAYBOOK_CLI_RETURN_IF_ERROR(VerifySnapshotsOf(flags, console, *report));
  }
  if (flags.projections) {
    DAYBOOK_CLI_RETURN_IF_ERROR(VerifyProjectionsOf(flags, console, *report));
  }
  PrintReport(*report, console);
  if (report->ok()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(report->findings.size(), " findings, ", flags.store,
                                          ", look at each hint, then `daybook repair`"));
}

// Read models are made by handlers, which are no part of the log: a repair says what is wrong with
// them, and what to do.
absl::Status TellOfProjections(const RepairFlags& flags, Console& console) {
  const absl::StatusOr<std::unique_ptr<Reader>> reader = Reader::Open(flags.store, {});
  // Where a dry run leaves what cannot be opened the report says so.
  if (!reader.ok()) return flags.dry_run ? absl::OkStatus() : reader.status();
  const absl::StatusOr<ProjectionVerifyReport> report = VerifyProjections(**reader);
  if (!report.ok()) return report.status();
  for (const Finding& finding : report->findings) {
    console.PrintNotice(Notice::Severity::kWarning, absl::StrCat(finding.file, ", ", finding.hint));
  }
  return absl::OkStatus();
}

absl::Status RunRepair(const RepairFlags& flags, Console& console) {
  RepairOptions options;
  options.dry_run = flags.dry_run;
  options.accept_loss = flags.accept_loss;
  options.from_backup = flags.from_backup;
  options.on_notice = console.notice_handler();
  const absl::StatusOr<RepairReport> report = Repair(flags.store, options);
  if (!report.ok()) return report.status();
  std::string& out = console.out().buffer();
  if (console.mode() == OutputMode::kText) {
    absl::StrAppend(&out, flags.dry_run ? "would be: " : "", report->rebuilt,
                    " derived files rebuilt, ", report->quarantined,
                    " damaged ranges moved aside, ", report->restored, " events restored, ",
                    report->lost, " lost\n");
    return TellOfProjections(flags, console);
  }
  const Json json = {{"rebuilt", report->rebuilt},
                     {"quarantined", report->quarantined},
                     {"restored", report->restored},
                     {"lost", report->lost}};
  out.append(json.dump()).push_back('\n');
  return TellOfProjections(flags, console);
}

}  // namespace daybook::cli
