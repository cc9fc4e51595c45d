/* base: what the processor can do and how much of it this process may use.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-error.h>

G_BEGIN_DECLS

typedef enum {
  SRGAN_CPU_AVX2 = 1 << 0,   /* AVX2 and FMA */
  SRGAN_CPU_AVX512 = 1 << 1, /* AVX-512 F, BW, DQ, VL (and AVX2) */
  SRGAN_CPU_NEON = 1 << 2,   /* AArch64's */
  /* Dot products of bytes: of 256 bits, VEX-encoded; of 512; AArch64's. */
  SRGAN_CPU_AVX_VNNI = 1 << 3,    /* (and AVX2) */
  SRGAN_CPU_AVX512_VNNI = 1 << 4, /* (and AVX512) */
  SRGAN_CPU_DOTPROD = 1 << 5,     /* (and NEON) */
  /* Tiles; ask srgan_cpu_request_amx(). */
  SRGAN_CPU_AMX_INT8 = 1 << 6,
  SRGAN_CPU_AMX_BF16 = 1 << 7, /* (and AVX-512's conversion to bfloat16) */
} SrganCpuFlags;

/* What this CPU and its operating system offer, masked by the environment
 * variable SRGAN_CPU: the best that may be used of "scalar" (or "c"), "avx2",
 * "avxvnni", "avx512", "avx512vnni", "amx" or of "scalar", "neon", "dotprod".
 * An unknown value is warned of once and ignored. Read anew at each call, so
 * that a test can change it. */
SRGAN_API
SrganCpuFlags srgan_cpu_get_flags (void);

/* Asks the system to let this process use AMX's tiles, as Linux wants it
 * (arch_prctl with ARCH_REQ_XCOMP_PERM, Documentation/arch/x86/xstate.rst).
 * TRUE when it may. The right counts for all threads, stays, and makes the
 * kernel refuse small alternative signal stacks from then on; it is refused
 * itself where a thread has such a one. So it is asked for only when something
 * is about to use tiles, and everything must go on without. Harmless again. */
SRGAN_API
gboolean srgan_cpu_request_amx (void);

/* Bytes of this CPU's second-level cache; a sound guess where the system does
 * not tell. */
SRGAN_API
gsize srgan_cpu_get_l2_size (void);

/* CPUs that this process may use: affinity mask and cgroup (v1 and v2) quota,
 * rounded up; at least 1. */
SRGAN_API
guint srgan_cpu_get_n_allowed (void);

G_END_DECLS
