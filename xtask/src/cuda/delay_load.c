// Stands in for a shared library at link time, and opens it when the first of its functions is called.
//
// Compiled once for each library, with
//   LIBRARY    the file to open, such as "libcuda.so.1"
//   STATUS     what a call returns that says how it went, when the library or the function is not there
//   FUNCTIONS  a file with a line for each function: RETURNS_STATUS(name), RETURNS_TEXT(name) or RETURNS_OTHER(name)
//
// A function is one jump through a pointer. The pointer leads to `open_and_go` first, which finds the function, puts it into
// the pointer and goes there with every argument as it came. Two threads that do so at once write the same value.
#ifndef __x86_64__
#error "written for x86-64"
#endif
#include <dlfcn.h>
#include <stddef.h>

struct function {
    void *target;
    void *absent;
    char name[];
};

__attribute__((used)) static long absent_status(void) { return STATUS; }
__attribute__((used)) static const char *absent_text(void) { return LIBRARY " is not there"; }
__attribute__((used)) static long absent_other(void) { return 0; }

// A library that is open already is only counted once more.
__attribute__((used)) static void *find(struct function *function)
{
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    void *found = library ? dlsym(library, function->name) : NULL;
    void *target = found ? found : function->absent;
    __atomic_store_n(&function->target, target, __ATOMIC_RELEASE);
    return target;
}

// r11 holds the address of a `struct function`. The registers that can hold arguments are kept: six of whole numbers, eight
// of floating-point ones, and rax, which counts the latter for some calls.
__asm__(
    ".pushsection .text.open_and_go,\"ax\",@progbits\n"
    ".type open_and_go,@function\n"
    ".p2align 4\n"
    "open_and_go:\n"
    "    pushq %rbp\n"
    "    movq %rsp, %rbp\n"
    "    subq $192, %rsp\n"
    "    movq %rdi, 128(%rsp)\n"
    "    movq %rsi, 136(%rsp)\n"
    "    movq %rdx, 144(%rsp)\n"
    "    movq %rcx, 152(%rsp)\n"
    "    movq %r8, 160(%rsp)\n"
    "    movq %r9, 168(%rsp)\n"
    "    movq %rax, 176(%rsp)\n"
    "    movaps %xmm0, (%rsp)\n"
    "    movaps %xmm1, 16(%rsp)\n"
    "    movaps %xmm2, 32(%rsp)\n"
    "    movaps %xmm3, 48(%rsp)\n"
    "    movaps %xmm4, 64(%rsp)\n"
    "    movaps %xmm5, 80(%rsp)\n"
    "    movaps %xmm6, 96(%rsp)\n"
    "    movaps %xmm7, 112(%rsp)\n"
    "    movq %r11, %rdi\n"
    "    call find\n"
    "    movq %rax, %r11\n"
    "    movaps (%rsp), %xmm0\n"
    "    movaps 16(%rsp), %xmm1\n"
    "    movaps 32(%rsp), %xmm2\n"
    "    movaps 48(%rsp), %xmm3\n"
    "    movaps 64(%rsp), %xmm4\n"
    "    movaps 80(%rsp), %xmm5\n"
    "    movaps 96(%rsp), %xmm6\n"
    "    movaps 112(%rsp), %xmm7\n"
    "    movq 128(%rsp), %rdi\n"
    "    movq 136(%rsp), %rsi\n"
    "    movq 144(%rsp), %rdx\n"
    "    movq 152(%rsp), %rcx\n"
    "    movq 160(%rsp), %r8\n"
    "    movq 168(%rsp), %r9\n"
    "    movq 176(%rsp), %rax\n"
    "    leave\n"
    "    jmp *%r11\n"
    ".size open_and_go, .-open_and_go\n"
    ".popsection\n");

// A section for each function, so that the linker drops what nobody calls. Hidden: the real library must find its own.
#define FUNCTION(NAME, ABSENT)                          \
    __asm__(                                            \
        ".pushsection .text." #NAME ",\"ax\",@progbits\n" \
        ".globl " #NAME "\n"                            \
        ".hidden " #NAME "\n"                           \
        ".type " #NAME ",@function\n"                   \
        ".p2align 4\n"                                  \
        #NAME ":\n"                                     \
        "    endbr64\n"                                 \
        "    jmp *" #NAME ".function(%rip)\n"           \
        #NAME ".first:\n"                               \
        "    endbr64\n"                                 \
        "    leaq " #NAME ".function(%rip), %r11\n"     \
        "    jmp open_and_go\n"                         \
        ".size " #NAME ", .-" #NAME "\n"                \
        ".popsection\n"                                 \
        ".pushsection .data.rel." #NAME ",\"aw\",@progbits\n" \
        ".p2align 3\n"                                  \
        #NAME ".function:\n"                            \
        "    .quad " #NAME ".first\n"                   \
        "    .quad " ABSENT "\n"                        \
        "    .asciz \"" #NAME "\"\n"                    \
        ".popsection\n");
#define RETURNS_STATUS(NAME) FUNCTION(NAME, "absent_status")
#define RETURNS_TEXT(NAME) FUNCTION(NAME, "absent_text")
#define RETURNS_OTHER(NAME) FUNCTION(NAME, "absent_other")
#include FUNCTIONS
