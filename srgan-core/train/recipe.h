/* train: every setting of a training run, and their one table.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <srgan/srgan-network.h>
#include <srgan/srgan-train.h>

#include "train/adversarial.h"
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
  SRGAN_DESIGN_CHAIN,
  SRGAN_DESIGN_SRRESNET,
} SrganDesign;

/* What a 3x3 convolution is while it is trained. */
typedef enum {
  SRGAN_BLOCKS_PLAIN,
  SRGAN_BLOCKS_ECB,
} SrganBlocks;

typedef enum {
  SRGAN_DISCRIMINATOR_SRGAN,
  SRGAN_DISCRIMINATOR_PATCH,
  SRGAN_DISCRIMINATOR_UNET,
} SrganDiscriminator;

/* What training computes in. */
typedef enum {
  SRGAN_TRAIN_FP32,
  SRGAN_TRAIN_INT8,
  SRGAN_TRAIN_BF16,
} SrganTrainPrecision;

/* In which ways a patch may be turned. */
typedef enum {
  SRGAN_TURN_HORIZONTAL,
  SRGAN_TURN_VERTICAL,
  SRGAN_TURN_ROTATION,
} SrganTurn;

/* What a phase of training weighs, in the order of the keys. */
typedef enum {
  SRGAN_TERM_PIXEL,
  SRGAN_TERM_SSIM,
  SRGAN_TERM_MS_SSIM,
  SRGAN_TERM_FOURIER,
  SRGAN_TERM_PERCEPTUAL,
  SRGAN_N_TERMS,
} SrganTerm;

typedef enum {
  SRGAN_DOWNSCALE_BICUBIC,
  SRGAN_DOWNSCALE_BOX,
  SRGAN_DOWNSCALE_BICUBIC_LINEAR,
  SRGAN_DOWNSCALE_BOX_LINEAR,
  SRGAN_DOWNSCALE_BILINEAR,
  SRGAN_DOWNSCALE_LANCZOS,
  SRGAN_DOWNSCALE_BILINEAR_LINEAR,
  SRGAN_DOWNSCALE_LANCZOS_LINEAR,
  SRGAN_N_DOWNSCALES,
} SrganDownscale;

/* Groups and keys as in the key file; recipe.c documents each. Fields that
 * hold a set of choices are masks, 1 << choice. */
struct _SrganRecipe {
  /* [network] */
  gchar *name;
  guint design;
  guint colour;
  gboolean batch_norm;
  guint scale;
  guint channels;
  guint layers;
  guint blocks;
  guint block_width;
  guint activation;
  guint skip;
  gchar *start;
  gboolean grow;
  /* [data] */
  gchar *folder;
  gchar *pairs;
  guint video_frames;
  guint video_crop;
  guint patch;
  gboolean flips;
  guint turns;
  gdouble brightness[2];
  gdouble contrast[2];
  guint downscale;
  gboolean rounded;
  gdouble softened;
  gdouble blurred;
  gdouble blur_sigma[2];
  gdouble reduction[2];
  guint reduction_filter;
  gdouble x264;
  gdouble x264_crf[2];
  gdouble x264_frames[2];
  guint x264_preset;
  gdouble x264_pan;
  gdouble x264_zoom;
  gdouble jpeg;
  gdouble jpeg_quality[2];
  guint variants;
  gdouble held_back;
  guint validation_pictures;
  guint prefetch_threads;
  /* [training] */
  guint steps;
  guint batch;
  guint seed;
  guint threads;
  guint precision;
  guint loss;
  gdouble charbonnier_epsilon;
  gdouble weights[SRGAN_N_TERMS];
  guint optimizer;
  gdouble learning_rate;
  gdouble other_learning_rate;
  guint warm_up;
  guint restarts;
  gdouble restart_length;
  gdouble restart_rate;
  gdouble first_moment;
  gdouble second_moment;
  gdouble other_second_moment;
  gdouble preconditioner_moment;
  guint basis_interval;
  gdouble clip;
  gdouble weight_decay;
  gdouble average;
  /* [distillation] */
  gchar *teacher;
  gdouble teacher_output;
  gdouble teacher_residual;
  /* [adversarial] */
  guint adversarial_steps;
  guint discriminator;
  guint discriminator_channels;
  guint adversarial_form;
  gdouble adversarial_weight;
  gdouble adversarial_weights[SRGAN_N_TERMS];
  gdouble adversarial_learning_rate;
  gdouble discriminator_learning_rate;
  /* [features] */
  gchar *features;
  gchar *feature_layers;
  guint feature_form;
  guint feature_channels;
  guint feature_seed;
  /* [validation] */
  gchar *validation_folder;
  guint patience;
  gchar *judge;
  gchar *judge_layers;
  /* [output] */
  gchar *output;
  gchar *checkpoint;
  guint checkpoint_interval;
  guint validation_interval;
  gchar *log_folder;
  guint log_interval;
  gboolean quantised;
  gchar *training_data;
  gchar *licence;
};

/* Of what goes in and comes out: 1 or 3. */
SRGAN_API
guint srgan_recipe_get_channels (const SrganRecipe *recipe);
/* Steps of all phases. */
SRGAN_API
guint srgan_recipe_get_n_steps (const SrganRecipe *recipe);

/* What x264 calls preset @choice. */
SRGAN_API
const gchar *srgan_recipe_get_x264_preset (guint choice);

/* Makes @recipe, a copy that will only be shown to an optimizer, say what the
 * adversarial phase wants: adam at @rate, for all of its steps. */
SRGAN_API
void srgan_recipe_set_adversarial_rates (SrganRecipe *recipe, gdouble rate);

/* A line for each setting that is not at its default and yet does nothing, on
 * account of which other. (transfer full) */
SRGAN_API
GStrv srgan_recipe_find_idle (const SrganRecipe *recipe);

/* Fails, naming group and key, on settings that contradict each other. */
SRGAN_API
gboolean srgan_recipe_check (const SrganRecipe *recipe, GError **error);

G_END_DECLS
