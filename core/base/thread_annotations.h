// Clang's thread-safety attributes (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html); nothing
// elsewhere.

#ifndef DAYBOOK_BASE_THREAD_ANNOTATIONS_H_
#define DAYBOOK_BASE_THREAD_ANNOTATIONS_H_

#if defined(__clang__)
#define DAYBOOK_THREAD_ATTRIBUTE_(x) __attribute__((x))
#else
#define DAYBOOK_THREAD_ATTRIBUTE_(x)
#endif

#define DAYBOOK_CAPABILITY(name) DAYBOOK_THREAD_ATTRIBUTE_(capability(name))
#define DAYBOOK_SCOPED_CAPABILITY DAYBOOK_THREAD_ATTRIBUTE_(scoped_lockable)
#define DAYBOOK_GUARDED_BY(mutex) DAYBOOK_THREAD_ATTRIBUTE_(guarded_by(mutex))
#define DAYBOOK_PT_GUARDED_BY(mutex) DAYBOOK_THREAD_ATTRIBUTE_(pt_guarded_by(mutex))
#define DAYBOOK_ACQUIRED_AFTER(...) DAYBOOK_THREAD_ATTRIBUTE_(acquired_after(__VA_ARGS__))
#define DAYBOOK_ACQUIRED_BEFORE(...) DAYBOOK_THREAD_ATTRIBUTE_(acquired_before(__VA_ARGS__))
#define DAYBOOK_REQUIRES(...) DAYBOOK_THREAD_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define DAYBOOK_REQUIRES_SHARED(...) \
  DAYBOOK_THREAD_ATTRIBUTE_(requires_shared_capability(__VA_ARGS__))
#define DAYBOOK_EXCLUDES(...) DAYBOOK_THREAD_ATTRIBUTE_(locks_excluded(__VA_ARGS__))
#define DAYBOOK_ACQUIRE(...) DAYBOOK_THREAD_ATTRIBUTE_(acquire_capability(__VA_ARGS__))
#define DAYBOOK_ACQUIRE_SHARED(...) \
  DAYBOOK_THREAD_ATTRIBUTE_(acquire_shared_capability(__VA_ARGS__))
#define DAYBOOK_TRY_ACQUIRE(...) DAYBOOK_THREAD_ATTRIBUTE_(try_acquire_capability(__VA_ARGS__))
#define DAYBOOK_RELEASE(...) DAYBOOK_THREAD_ATTRIBUTE_(release_capability(__VA_ARGS__))
#define DAYBOOK_RELEASE_SHARED(...) \
  DAYBOOK_THREAD_ATTRIBUTE_(release_shared_capability(__VA_ARGS__))
#define DAYBOOK_ASSERT_CAPABILITY(x) DAYBOOK_THREAD_ATTRIBUTE_(assert_capability(x))
#define DAYBOOK_RETURN_CAPABILITY(x) DAYBOOK_THREAD_ATTRIBUTE_(lock_returned(x))
#define DAYBOOK_NO_THREAD_SAFETY_ANALYSIS DAYBOOK_THREAD_ATTRIBUTE_(no_thread_safety_analysis)

#endif  // DAYBOOK_BASE_THREAD_ANNOTATIONS_H_
