// Signals: an interrupt lets the work in hand end cleanly, and a closed pipe is seen as EPIPE.

#ifndef DAYBOOK_CLI_SIGNALS_H_
#define DAYBOOK_CLI_SIGNALS_H_

namespace daybook::cli {

// Ignores SIGPIPE; from now on the first SIGINT or SIGTERM is noted, a second one ends the process.
void InstallSignalHandlers();

// Whether a signal asked to end. Any thread may ask.
bool Interrupted();

// A descriptor that becomes readable with the first such signal, for poll(); -1 before the handlers
// stand.
int InterruptDescriptor();

}  // namespace daybook::cli

#endif  // DAYBOOK_CLI_SIGNALS_H_
