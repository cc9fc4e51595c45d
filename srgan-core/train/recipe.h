/* train: every setting of a training run, and their one table.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>
#include <srgan/srgan-train.h>

#include "train/loss.h"
#include "train/resample.h"

G_BEGIN_DECLS

typedef enum {
  SRGAN_OPTIMIZER_ADAM,
  SRGAN_OPTIMIZER_SOAP,
} SrganOptimizerKind;

/* The bicubic skip is left to SRGAN_FILTER_BICUBIC; this adds "none". */
#define SRGAN_SKIP_NONE SRGAN_N_FILTERS

typedef enum {
  SRGAN_DOWNSCALE_BICUBIC,
  SRGAN_DOWNSCALE_BOX,
  SRGAN_DOWNSCALE_BICUBIC_LINEAR,
  SRGAN_DOWNSCALE_BOX_LINEAR,
  SRGAN_N_DOWNSCALES,
} SrganDownscale;

/* Groups and keys as in the key file; recipe.c documents each. Fields that
 * hold a set of choices are masks, 1 << choice. */
struct _SrganRecipe {
  /* [network] */
  gchar *name;
  guint scale;
  guint channels;
  guint layers;
  guint activation;
  guint skip;
  gchar *start;
  /* [data] */
  gchar *folder;
  guint patch;
  gboolean flips;
  guint downscale;
  gboolean rounded;
  gdouble softened;
  gdouble blurred;
  gdouble blur_sigma[2];
  gdouble reduction[2];
  guint reduction_filter;
  gdouble held_back;
  guint validation_pictures;
  guint prefetch_threads;
  /* [training] */
  guint steps;
  guint batch;
  guint seed;
  guint threads;
  guint loss;
  gdouble charbonnier_epsilon;
  guint optimizer;
  gdouble learning_rate;
  gdouble other_learning_rate;
  guint warm_up;
  gdouble first_moment;
  gdouble second_moment;
  gdouble other_second_moment;
  gdouble preconditioner_moment;
  guint basis_interval;
  gdouble clip;
  gdouble average;
  /* [output] */
  gchar *output;
  gchar *checkpoint;
  guint checkpoint_interval;
  guint validation_interval;
  gchar *training_data;
  gchar *licence;
};

/* Fails, naming group and key, on settings that contradict each other. */
SRGAN_API
gboolean srgan_recipe_check (const SrganRecipe *recipe, GError **error);

G_END_DECLS
