// The fault build of the plugin, for tests alone: the released sources, and around them what makes an error
// happen at the n-th allocation, call or callback. Linked with --wrap for every function of fault_points.inc,
// so that the sources stay as they are; wal2arrow.so is built without this file.
//
//   wal2arrow_faults.at      which point it is; 0: none
//   wal2arrow_faults.points  what counts: allocation; call (and allocations); catalog (of the calls those
//                            that read it); callback (beginning and end)
//   wal2arrow_faults.action  error; rollback, the error that says that the transaction which is decoded has
//                            been rolled back; cancel or terminate, as a signal that arrives there
//   wal2arrow_faults.seen    how many points the last session passed
#include "plugin/pg.h"

#include <signal.h>

#include <type_traits>

// The released entry points, by the names that CMakeLists.txt gives them in this build.
extern "C" {
void wal2arrow_init(void);
void wal2arrow_output_plugin_init(OutputPluginCallbacks* callbacks);
}
#undef _PG_init
#undef _PG_output_plugin_init

namespace {

enum Points { kAllocations, kCalls, kCatalog, kCallbacks };
constexpr config_enum_entry kPointsNames[] = {{"allocation", kAllocations, false},
                                              {"call", kCalls, false},
                                              {"catalog", kCatalog, false},
                                              {"callback", kCallbacks, false},
                                              {nullptr, 0, false}};
enum Action { kError, kRollback, kCancel, kTerminate };
constexpr config_enum_entry kActionNames[] = {{"error", kError, false},
                                              {"rollback", kRollback, false},
                                              {"cancel", kCancel, false},
                                              {"terminate", kTerminate, false},
                                              {nullptr, 0, false}};

int fault_at = 0;
int fault_points = kAllocations;
int fault_action = kError;
int seen = 0;
bool session_started = false;  // registering the callbacks of a library is not tried

void Pass(Points points, const char* name) {
  if (!session_started) return;
  if (fault_points == kCalls ? points == kCallbacks : points != fault_points) return;
  if (++seen != fault_at) return;
  switch (fault_action) {
    case kError:
    case kRollback:
      ereport(ERROR, (errcode(fault_action == kError ? ERRCODE_OUT_OF_MEMORY : ERRCODE_TRANSACTION_ROLLBACK),
                      errmsg("wal2arrow_faults: error at point %d, %s", seen, name)));
      break;
    case kCancel:
      kill(MyProcPid, SIGINT);
      break;
    case kTerminate:
      kill(MyProcPid, SIGTERM);
      break;
  }
}

}  // namespace

extern "C" {

void wal2arrow_fault_allocation(const char* name) { Pass(kAllocations, name); }
void wal2arrow_fault_call(const char* name) { Pass(kCalls, name); }
void wal2arrow_fault_catalog(const char* name) { Pass(kCatalog, name); }

decltype(AllocSetContextCreateInternal) __real_AllocSetContextCreateInternal,
    __wrap_AllocSetContextCreateInternal;
decltype(hash_search) __real_hash_search, __wrap_hash_search;

// With blocks too small to be shared every chunk is a malloc of its own, so that valgrind sees where each
// ends and when it is freed. 104 is the least for which aset.c finds a limit: below that it would look for
// ever.
MemoryContext __wrap_AllocSetContextCreateInternal(MemoryContext parent, const char* name, Size, Size, Size) {
  constexpr Size kBlock = 104;
  Pass(kAllocations, "AllocSetContextCreateInternal");
  return __real_AllocSetContextCreateInternal(parent, name, 0, kBlock, kBlock);
}

// Looking up alone allocates nothing; invalidation callbacks, which may not raise, do that.
void* __wrap_hash_search(HTAB* table, const void* key, HASHACTION action, bool* found) {
  if (action == HASH_ENTER) Pass(kAllocations, "hash_search");
  return __real_hash_search(table, key, action, found);
}

}  // extern "C"

// __wrap_NAME: counts, then goes on to the function with all arguments as they came, whatever their number
// and types.
#ifndef __x86_64__
#error "the fault build knows x86-64 only"
#endif
#define TRAMPOLINE(name, counter)                                                                   \
  asm(".pushsection .rodata\n.Lfault_" #name ": .asciz \"" #name                                    \
      "\"\n.popsection\n"                                                                           \
      ".pushsection .text\n.globl __wrap_" #name "\n.hidden __wrap_" #name                          \
      "\n"                                                                                          \
      ".type __wrap_" #name ", @function\n__wrap_" #name                                            \
      ":\n"                                                                                         \
      "push %rbp\nmov %rsp, %rbp\n"                                                                 \
      "push %rdi\npush %rsi\npush %rdx\npush %rcx\npush %r8\npush %r9\npush %rax\nsub $136, %rsp\n" \
      "movups %xmm0, (%rsp)\nmovups %xmm1, 16(%rsp)\nmovups %xmm2, 32(%rsp)\n"                      \
      "movups %xmm3, 48(%rsp)\nmovups %xmm4, 64(%rsp)\nmovups %xmm5, 80(%rsp)\n"                    \
      "movups %xmm6, 96(%rsp)\nmovups %xmm7, 112(%rsp)\n"                                           \
      "lea .Lfault_" #name "(%rip), %rdi\ncall " #counter                                           \
      "\n"                                                                                          \
      "movups (%rsp), %xmm0\nmovups 16(%rsp), %xmm1\nmovups 32(%rsp), %xmm2\n"                      \
      "movups 48(%rsp), %xmm3\nmovups 64(%rsp), %xmm4\nmovups 80(%rsp), %xmm5\n"                    \
      "movups 96(%rsp), %xmm6\nmovups 112(%rsp), %xmm7\nadd $136, %rsp\n"                           \
      "pop %rax\npop %r9\npop %r8\npop %rcx\npop %rdx\npop %rsi\npop %rdi\npop %rbp\n"              \
      "jmp *__real_" #name "@GOTPCREL(%rip)\n.size __wrap_" #name ", . - __wrap_" #name "\n.popsection\n");
#define ALLOCATION(name) TRAMPOLINE(name, wal2arrow_fault_allocation)
#define CALL(name) TRAMPOLINE(name, wal2arrow_fault_call)
#define LOOKUP(name) TRAMPOLINE(name, wal2arrow_fault_catalog)
#define SPECIAL(name)
#include "plugin/testing/fault_points.inc"

namespace {

OutputPluginCallbacks released;

// A callback in whose place Call stands: both its beginning and its end are points.
template <auto kCallback, typename Function>
struct Counted;
template <auto kCallback, typename Result, typename... Arguments>
struct Counted<kCallback, Result (*)(Arguments...)> {
  static Result Call(Arguments... arguments) {
    Pass(kCallbacks, "beginning of a callback");
    if constexpr (std::is_void_v<Result>) {
      (released.*kCallback)(arguments...);
      Pass(kCallbacks, "end of a callback");
    } else {
      return (released.*kCallback)(arguments...);
    }
  }
};

template <auto kCallback>
void Count(OutputPluginCallbacks* callbacks) {
  auto& callback = callbacks->*kCallback;
  if (callback != nullptr) callback = Counted<kCallback, std::remove_reference_t<decltype(callback)>>::Call;
}

void OnStartup(LogicalDecodingContext* decoding, OutputPluginOptions* options, bool is_init) {
  session_started = true;
  seen = 0;
  Counted<&OutputPluginCallbacks::startup_cb, LogicalDecodeStartupCB>::Call(decoding, options, is_init);
}

}  // namespace

extern "C" {

__attribute__((visibility("default"))) void _PG_init(void);
__attribute__((visibility("default"))) void _PG_output_plugin_init(OutputPluginCallbacks* callbacks);

void _PG_init(void) {
  DefineCustomIntVariable("wal2arrow_faults.at", "The point that fails.", nullptr, &fault_at, 0, 0, INT_MAX,
                          PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("wal2arrow_faults.seen", "Points that the last session passed.", nullptr, &seen, 0,
                          0, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("wal2arrow_faults.points", "What is counted.", nullptr, &fault_points,
                           kAllocations, kPointsNames, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomEnumVariable("wal2arrow_faults.action", "What happens there.", nullptr, &fault_action, kError,
                           kActionNames, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  wal2arrow_init();
}

void _PG_output_plugin_init(OutputPluginCallbacks* callbacks) {
  wal2arrow_output_plugin_init(&released);
  *callbacks = released;
  callbacks->startup_cb = OnStartup;
  Count<&OutputPluginCallbacks::begin_cb>(callbacks);
  Count<&OutputPluginCallbacks::change_cb>(callbacks);
  Count<&OutputPluginCallbacks::truncate_cb>(callbacks);
  Count<&OutputPluginCallbacks::commit_cb>(callbacks);
  Count<&OutputPluginCallbacks::message_cb>(callbacks);
  Count<&OutputPluginCallbacks::filter_by_origin_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_start_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_change_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_truncate_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_message_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_stop_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_abort_cb>(callbacks);
  Count<&OutputPluginCallbacks::stream_commit_cb>(callbacks);
  Count<&OutputPluginCallbacks::shutdown_cb>(callbacks);
}

}  // extern "C"
