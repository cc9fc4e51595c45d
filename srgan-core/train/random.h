/* train: random numbers that are a function of a few counters.
 *
 * SplitMix64 (Steele, Lea, Flood 2014), started from a hash of the counters.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <glib.h>
#include <math.h>

G_BEGIN_DECLS

typedef struct {
  guint64 state;
} SrganRandom;

static inline guint64
srgan_random_next (SrganRandom *random)
{
  guint64 z = random->state += G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT (0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static inline SrganRandom
srgan_random_init (guint64 seed, guint64 a, guint64 b)
{
  SrganRandom random = {seed};

  random.state = srgan_random_next (&random) ^ a;
  random.state = srgan_random_next (&random) ^ b;
  random.state = srgan_random_next (&random);
  return random;
}

/* 0 <= x < 1 */
static inline gdouble
srgan_random_unit (SrganRandom *random)
{
  return (srgan_random_next (random) >> 11) * 0x1p-53;
}

static inline gdouble
srgan_random_between (SrganRandom *random, gdouble low, gdouble high)
{
  return low + (high - low) * srgan_random_unit (random);
}

/* 0 .. n - 1 */
static inline guint
srgan_random_below (SrganRandom *random, guint n)
{
  return (guint) (((srgan_random_next (random) >> 32) * n) >> 32);
}

/* One of the choices in @mask, 1 << choice each. */
static inline guint
srgan_random_choice (SrganRandom *random, guint mask)
{
  guint n = 0, drawn, choice;

  for (guint rest = mask; rest != 0; rest &= rest - 1)
    n++;
  drawn = srgan_random_below (random, n);
  for (choice = 0;; choice++)
    if (mask & 1u << choice && drawn-- == 0)
      return choice;
}

G_END_DECLS
