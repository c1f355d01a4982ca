// Nothing but its precompiled header (test_headers.h) is of use.
