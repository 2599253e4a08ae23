// Fibers: stacks that one thread of the host changes between. A block's threads are fibers, since all of them must be
// on their way at once and changing takes a few nanoseconds.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if (defined(__x86_64__) || defined(__aarch64__)) && !defined(ASAP_UCONTEXT)

// Where a stack that is not running goes on: its stack pointer, below it the registers that calls preserve.
typedef void *Context;

// Leaves the running stack, keeping in `*from` where it goes on, and goes on at `to`.
extern "C" void asap_switch(Context *from, Context to) __asm__("asap_switch");

#if defined(__x86_64__)
__asm__(
    ".text\n"
    ".globl asap_switch\n"
    "asap_switch:\n"
    "  pushq %rbp\n"
    "  pushq %rbx\n"
    "  pushq %r12\n"
    "  pushq %r13\n"
    "  pushq %r14\n"
    "  pushq %r15\n"
    "  movq %rsp, (%rdi)\n"
    "  movq %rsi, %rsp\n"
    "  popq %r15\n"
    "  popq %r14\n"
    "  popq %r13\n"
    "  popq %r12\n"
    "  popq %rbx\n"
    "  popq %rbp\n"
    "  ret\n");

// A stack, given by its end, that begins with `entry`, which never returns.
inline Context fresh_context(unsigned char *end, size_t, void (*entry)()) {
    uintptr_t *top = reinterpret_cast<uintptr_t *>(end) - 2;
    // As after a call: the stack is 8 bytes off a multiple of 16 when `entry` begins, and nothing lies behind it.
    top[1] = 0;
    top[0] = reinterpret_cast<uintptr_t>(entry);
    memset(top - 6, 0, 6 * sizeof *top);
    return top - 6;
}
#else
__asm__(
    ".text\n"
    ".p2align 2\n"
    ".globl asap_switch\n"
    "asap_switch:\n"
    "  sub sp, sp, #160\n"
    "  stp x19, x20, [sp]\n"
    "  stp x21, x22, [sp, #16]\n"
    "  stp x23, x24, [sp, #32]\n"
    "  stp x25, x26, [sp, #48]\n"
    "  stp x27, x28, [sp, #64]\n"
    "  stp x29, x30, [sp, #80]\n"
    "  stp d8, d9, [sp, #96]\n"
    "  stp d10, d11, [sp, #112]\n"
    "  stp d12, d13, [sp, #128]\n"
    "  stp d14, d15, [sp, #144]\n"
    "  mov x9, sp\n"
    "  str x9, [x0]\n"
    "  mov sp, x1\n"
    "  ldp x19, x20, [sp]\n"
    "  ldp x21, x22, [sp, #16]\n"
    "  ldp x23, x24, [sp, #32]\n"
    "  ldp x25, x26, [sp, #48]\n"
    "  ldp x27, x28, [sp, #64]\n"
    "  ldp x29, x30, [sp, #80]\n"
    "  ldp d8, d9, [sp, #96]\n"
    "  ldp d10, d11, [sp, #112]\n"
    "  ldp d12, d13, [sp, #128]\n"
    "  ldp d14, d15, [sp, #144]\n"
    "  add sp, sp, #160\n"
    "  ret\n");

// A stack, given by its end, that begins with `entry`, which never returns.
inline Context fresh_context(unsigned char *end, size_t, void (*entry)()) {
    uintptr_t *top = reinterpret_cast<uintptr_t *>(end) - 20;
    memset(top, 0, 20 * sizeof *top);
    top[11] = reinterpret_cast<uintptr_t>(entry); // x30
    return top;
}
#endif

#else

#include <ucontext.h>

typedef ucontext_t *Context;

// Leaves the running stack, keeping in `*from` where it goes on, and goes on at `to`.
inline void asap_switch(Context *from, Context to) {
    ucontext_t here; // on the stack that is left, which stays as it is until it goes on
    *from = &here;
    swapcontext(&here, to);
}

// A stack, given by its end, that begins with `entry`, which never returns.
inline Context fresh_context(unsigned char *end, size_t bytes, void (*entry)()) {
    const size_t kept = (sizeof(ucontext_t) + 63) & ~static_cast<size_t>(63);
    Context context = reinterpret_cast<Context>(end - kept);
    getcontext(context);
    context->uc_stack.ss_sp = end - bytes;
    context->uc_stack.ss_size = bytes - kept;
    context->uc_link = nullptr;
    makecontext(context, entry, 0);
    return context;
}

#endif
