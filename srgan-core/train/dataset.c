/* train: training pictures and the patches that are cut from them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/dataset.h"

#include <math.h>
#include <string.h>

#include "train/codec.h"
#include "train/degraded.h"
#include "train/original.h"
#include "train/random.h"
#include "train/sources.h"

/* Validation sees so many output pixels a side of each picture, or what the
 * smallest has. */
#define VALIDATION_SIDE 192

/* Streams of random numbers that no training step uses. */
#define VALIDATION_STREAM G_MAXUINT64
#define DEGRADED_STREAM (G_MAXUINT64 - 1)
#define DEGRADED_VALIDATION_STREAM (G_MAXUINT64 - 2)

/* A picture as a codec left it: made by the first who asks. */
typedef struct {
  gsize made; /* 0: not yet; the others wait for it */
  SrganDegraded *degraded;
} Slot;

struct _SrganDataset {
  const SrganRecipe *recipe;
  GArray *training; /* of SrganOriginal */
  GArray *validation;
  Slot *slots;            /* [training][variants], or NULL */
  Slot *validation_slots; /* [validation], or NULL */
  GMutex mutex;           /* guards error */
  GError *error;          /* of the first codec that failed */
  guint channels;
  guint validation_patch;
  guint n_left_out;
};

SrganDataset *
srgan_dataset_new (const SrganRecipe *recipe, GCancellable *cancellable,
    SrganDatasetMessageFunc message, gpointer user_data, GError **error)
{
  g_autoptr (SrganDataset) dataset = NULL;

  if (recipe->x264 > 0 && !srgan_codec_check (SRGAN_CODEC_X264, error)) {
    g_prefix_error (error, "data.x264: ");
    return NULL;
  }
  if (recipe->jpeg > 0 && !srgan_codec_check (SRGAN_CODEC_JPEG, error)) {
    g_prefix_error (error, "data.jpeg: ");
    return NULL;
  }

  dataset = g_new0 (SrganDataset, 1);
  g_mutex_init (&dataset->mutex);
  dataset->recipe = recipe;
  dataset->channels = srgan_recipe_get_channels (recipe);
  dataset->training = g_array_new (FALSE, FALSE, sizeof (SrganOriginal));
  dataset->validation = g_array_new (FALSE, FALSE, sizeof (SrganOriginal));
  g_array_set_clear_func (dataset->training, srgan_original_clear);
  g_array_set_clear_func (dataset->validation, srgan_original_clear);
  dataset->validation_patch =
      MAX (VALIDATION_SIDE / recipe->scale, recipe->patch);

  if (!srgan_sources_read (recipe, dataset->training, dataset->validation,
          &dataset->n_left_out, cancellable, message, user_data, error))
    return NULL;
  for (guint i = 0; i < dataset->validation->len; i++) {
    const SrganOriginal *original =
        &g_array_index (dataset->validation, SrganOriginal, i);

    dataset->validation_patch = MIN (dataset->validation_patch,
        MIN (original->width, original->height) / recipe->scale);
  }
  if (srgan_recipe_degrades (recipe)) {
    dataset->slots =
        g_new0 (Slot, (gsize) dataset->training->len * recipe->variants);
    dataset->validation_slots = g_new0 (Slot, dataset->validation->len);
  }
  return g_steal_pointer (&dataset);
}

void
srgan_dataset_free (SrganDataset *dataset)
{
  if (dataset == NULL)
    return;
  for (gsize i = 0;
       dataset->slots != NULL &&
       i < (gsize) dataset->training->len * dataset->recipe->variants;
       i++)
    srgan_degraded_free (dataset->slots[i].degraded);
  for (guint i = 0;
       dataset->validation_slots != NULL && i < dataset->validation->len; i++)
    srgan_degraded_free (dataset->validation_slots[i].degraded);
  g_free (dataset->slots);
  g_free (dataset->validation_slots);
  g_clear_error (&dataset->error);
  g_mutex_clear (&dataset->mutex);
  g_array_unref (dataset->training);
  g_array_unref (dataset->validation);
  g_free (dataset);
}

guint
srgan_dataset_get_n_training (const SrganDataset *dataset)
{
  return dataset->training->len;
}

guint
srgan_dataset_get_n_validation (const SrganDataset *dataset)
{
  return dataset->validation->len;
}

guint
srgan_dataset_get_n_left_out (const SrganDataset *dataset)
{
  return dataset->n_left_out;
}

guint
srgan_dataset_get_validation_patch (const SrganDataset *dataset)
{
  return dataset->validation_patch;
}

/* Whether a codec failed; then what it should have made is clean. */
gboolean
srgan_dataset_check (SrganDataset *dataset, GError **error)
{
  gboolean good;

  g_mutex_lock (&dataset->mutex);
  good = dataset->error == NULL;
  if (!good && error != NULL)
    *error = g_error_copy (dataset->error);
  g_mutex_unlock (&dataset->mutex);
  return good;
}

/* What @slot holds, made now if it was not; NULL: clean. @smallest: the side of
 * an input that has to fit. */
static const SrganDegraded *
get_degraded (SrganDataset *dataset, Slot *slot, const SrganOriginal *original,
    guint smallest, gboolean varies, SrganRandom random)
{
  if (g_once_init_enter (&slot->made)) {
    GError *error = NULL;

    if (!srgan_degraded_new (dataset->recipe, original, smallest, varies,
            &random, &slot->degraded, &error)) {
      g_mutex_lock (&dataset->mutex);
      if (dataset->error == NULL)
        dataset->error = g_steal_pointer (&error);
      g_mutex_unlock (&dataset->mutex);
      g_clear_error (&error);
    }
    g_once_init_leave (&slot->made, 1);
  }
  return slot->degraded;
}

/* Where a patch of @side lies in @size pixels. */
static gint
draw_place (SrganRandom *random, guint size, guint side)
{
  return (gint) srgan_random_below (random, size - side + 1);
}

/* @output[y][x] = one of the eight images of the square @input; its pixels are
 * @step floats apart. */
static void
turn (const gfloat *input, guint stride, guint side, guint turning,
    gfloat factor, guint step, gfloat *output)
{
  for (guint y = 0; y < side; y++)
    for (guint x = 0; x < side; x++) {
      guint u = turning & 1 ? side - 1 - x : x;
      guint v = turning & 2 ? side - 1 - y : y;

      output[((gsize) y * side + x) * step] =
          factor * (turning & 4 ? input[(gsize) u * stride + v]
                                : input[(gsize) v * stride + u]);
    }
}

/* Which of the eight images: bit 0 mirrors left and right, bit 1 top and
 * bottom, bit 2 exchanges the axes. */
static guint
draw_turning (const SrganRecipe *recipe, SrganRandom *random)
{
  /* quarter turns alone: 0, 90, 180, 270 degrees */
  static const guint quarters[] = {0, 4 | 1, 1 | 2, 4 | 2};
  guint drawn = srgan_random_below (random, 8);

  switch (recipe->turns) {
  case 1 << SRGAN_TURN_ROTATION:
    return quarters[drawn & 3];
  case 1 << SRGAN_TURN_HORIZONTAL:
    return drawn & 1;
  case 1 << SRGAN_TURN_VERTICAL:
    return drawn & 2;
  case 1 << SRGAN_TURN_HORIZONTAL | 1 << SRGAN_TURN_VERTICAL:
    return drawn & 3;
  default: /* a mirror and a quarter turn make all eight */
    return drawn;
  }
}

static void
make_pair (const SrganDataset *dataset, const SrganOriginal *original,
    SrganRandom *random, guint patch, gboolean flips, gfloat *input,
    gfloat *target)
{
  const SrganRecipe *recipe = dataset->recipe;
  guint scale = recipe->scale;
  guint side = patch * scale;
  guint margin = srgan_downscale_get_reach (recipe) + SRGAN_BLUR_RADIUS;
  guint window = side + 2 * margin;
  guint channels = dataset->channels;
  gsize n_large = (gsize) window * window, n_small = (gsize) patch * patch;
  g_autofree gfloat *large = g_new (gfloat, n_large * channels);
  g_autofree gfloat *small = g_new (gfloat, n_small);
  g_autofree gfloat *scratch = g_new (gfloat, (gsize) patch * window);
  g_autoptr (SrganResampler) down = NULL;
  SrganSoftening softening;
  SrganResampleFilter filter;
  gint left, top;
  gboolean linear;
  guint turning = 0;

  srgan_softening_draw (&softening, recipe, original, side, random);
  left = draw_place (random,
      srgan_softening_get_size (&softening, original->width, side), side);
  top = draw_place (random,
      srgan_softening_get_size (&softening, original->height, side), side);
  for (guint c = 0; c < channels; c++)
    srgan_original_cut (original, c, &softening, left - (gint) margin,
        top - (gint) margin, window, large + c * n_large);
  filter = srgan_downscale_get_filter (
      srgan_random_choice (random, recipe->downscale), &linear);
  if (flips)
    turning = draw_turning (recipe, random);
  srgan_light_apply (
      srgan_light_draw (recipe, flips, random), large, n_large * channels);

  down = srgan_resampler_new (filter, window, patch, 1. / scale, margin);
  for (guint c = 0; c < channels; c++) {
    gfloat *plane_large = large + c * n_large;

    turn (plane_large + (gsize) margin * window + margin, window, side, turning,
        1 / 255.f, channels, target + c);
    if (linear)
      srgan_codes_to_linear (plane_large, n_large, channels == 1);
    srgan_resample (down, down, plane_large, small, scratch);
    if (linear)
      srgan_codes_from_linear (small, n_small, channels == 1);
    for (gsize i = 0; i < n_small; i++) {
      small[i] = CLAMP (small[i], 0, 255);
      if (recipe->rounded)
        small[i] = rintf (small[i]);
    }
    turn (small, patch, patch, turning, 1 / 255.f, channels, input + c);
  }
}

/* The same of what a codec left of @original. */
static void
cut_pair (const SrganDataset *dataset, const SrganOriginal *original,
    const SrganDegraded *degraded, SrganRandom *random, guint patch,
    gboolean flips, gfloat *input, gfloat *target)
{
  guint scale = dataset->recipe->scale;
  guint side = patch * scale;
  guint margin = SRGAN_BLUR_RADIUS, window = side + 2 * margin;
  guint channels = dataset->channels;
  gsize n = (gsize) window * window;
  g_autofree gfloat *large = g_new (gfloat, n);
  g_autofree gfloat *small = g_new (gfloat, (gsize) patch * patch);
  gint left = draw_place (random, degraded->side, patch);
  gint top = draw_place (random, degraded->side, patch);
  guint turning = flips ? draw_turning (dataset->recipe, random) : 0;

  for (guint c = 0; c < channels; c++) {
    const guint8 *codes = degraded->input +
                          ((gsize) c * degraded->side + top) * degraded->side +
                          left;

    srgan_original_cut (original, c, &degraded->softening,
        degraded->left + left * (gint) scale - (gint) margin,
        degraded->top + top * (gint) scale - (gint) margin, window, large);
    srgan_light_apply (degraded->light, large, n);
    turn (large + (gsize) margin * window + margin, window, side, turning,
        1 / 255.f, channels, target + c);
    for (guint y = 0; y < patch; y++)
      for (guint x = 0; x < patch; x++)
        small[y * patch + x] = codes[(gsize) y * degraded->side + x];
    turn (small, patch, patch, turning, 1 / 255.f, channels, input + c);
  }
}

/* The same of a pair, whose input is what it is. */
static void
take_pair (const SrganDataset *dataset, const SrganOriginal *original,
    SrganRandom *random, guint patch, gboolean flips, gfloat *input,
    gfloat *target)
{
  static const SrganSoftening none = {.kind = SRGAN_SOFTENING_NONE};
  const SrganRecipe *recipe = dataset->recipe;
  guint side = patch * recipe->scale, channels = dataset->channels;
  guint width = original->width / recipe->scale;
  guint height = original->height / recipe->scale;
  g_autofree gfloat *large = g_new (gfloat, (gsize) side * side);
  g_autofree gfloat *small = g_new (gfloat, (gsize) patch * patch);
  gint left = draw_place (random, width, patch);
  gint top = draw_place (random, height, patch);
  guint turning = flips ? draw_turning (recipe, random) : 0;
  SrganLight light = srgan_light_draw (recipe, flips, random);

  for (guint c = 0; c < channels; c++) {
    srgan_original_cut (original, c, &none, left * (gint) recipe->scale,
        top * (gint) recipe->scale, side, large);
    srgan_light_apply (light, large, (gsize) side * side);
    turn (large, side, side, turning, 1 / 255.f, channels, target + c);
    srgan_original_cut_input (
        original, c, recipe->scale, left, top, patch, small);
    srgan_light_apply (light, small, (gsize) patch * patch);
    for (gsize i = 0; recipe->rounded && i < (gsize) patch * patch; i++)
      small[i] = rintf (small[i]);
    turn (small, patch, patch, turning, 1 / 255.f, channels, input + c);
  }
}

void
srgan_dataset_make_patch (SrganDataset *dataset, guint step, guint index,
    gfloat *input, gfloat *target)
{
  const SrganRecipe *recipe = dataset->recipe;
  SrganRandom random = srgan_random_init (recipe->seed, step, index);
  guint picture = srgan_random_below (&random, dataset->training->len);
  const SrganOriginal *original =
      &g_array_index (dataset->training, SrganOriginal, picture);
  const SrganDegraded *degraded = NULL;

  if (dataset->slots != NULL && original->input == NULL) {
    gsize slot = (gsize) picture * recipe->variants +
                 srgan_random_below (&random, recipe->variants);

    degraded = get_degraded (dataset, dataset->slots + slot, original,
        recipe->patch, recipe->flips,
        srgan_random_init (recipe->seed, DEGRADED_STREAM, slot));
  }
  if (original->input != NULL)
    take_pair (dataset, original, &random, recipe->patch, recipe->flips, input,
        target);
  else if (degraded != NULL)
    cut_pair (dataset, original, degraded, &random, recipe->patch,
        recipe->flips, input, target);
  else
    make_pair (dataset, original, &random, recipe->patch, recipe->flips, input,
        target);
}

void
srgan_dataset_make_validation_patch (
    SrganDataset *dataset, guint index, gfloat *input, gfloat *target)
{
  SrganRandom random = srgan_random_init (0, VALIDATION_STREAM, index);
  const SrganOriginal *original =
      &g_array_index (dataset->validation, SrganOriginal, index);
  const SrganDegraded *degraded = NULL;

  if (dataset->validation_slots != NULL && original->input == NULL)
    degraded = get_degraded (dataset, dataset->validation_slots + index,
        original, dataset->validation_patch, FALSE,
        srgan_random_init (0, DEGRADED_VALIDATION_STREAM, index));
  if (original->input != NULL)
    take_pair (dataset, original, &random, dataset->validation_patch, FALSE,
        input, target);
  else if (degraded != NULL)
    cut_pair (dataset, original, degraded, &random, dataset->validation_patch,
        FALSE, input, target);
  else
    make_pair (dataset, original, &random, dataset->validation_patch, FALSE,
        input, target);
}

/* --- Ready ahead ------------------------------------------------------- */

#define BATCHES_AHEAD 4

typedef struct {
  gfloat *inputs;
  gfloat *targets;
  gboolean ready;
} Batch;

struct _SrganPrefetch {
  SrganDataset *dataset;
  guint batch;
  guint first_index;  /* of the patches of a step that are ours */
  gsize input_length; /* floats of one patch */
  gsize target_length;
  GMutex mutex;
  GCond cond;
  gboolean stop;
  guint next_made;  /* the step that the next free thread makes */
  guint next_taken; /* the step that srgan_prefetch_next() gives */
  guint n_slots;
  Batch *slots; /* step s in slot s % n_slots */
  guint n_threads;
  GThread **threads;
};

static gpointer
make_batches (gpointer data)
{
  SrganPrefetch *prefetch = data;

  g_mutex_lock (&prefetch->mutex);
  for (;;) {
    guint step;
    Batch *slot;

    /* the slot of the step last given is still being read */
    while (!prefetch->stop &&
           prefetch->next_made - prefetch->next_taken >= prefetch->n_slots - 1)
      g_cond_wait (&prefetch->cond, &prefetch->mutex);
    if (prefetch->stop)
      break;
    step = prefetch->next_made++;
    slot = prefetch->slots + step % prefetch->n_slots;
    g_mutex_unlock (&prefetch->mutex);

    for (guint i = 0; i < prefetch->batch; i++)
      srgan_dataset_make_patch (prefetch->dataset, step,
          prefetch->first_index + i, slot->inputs + i * prefetch->input_length,
          slot->targets + i * prefetch->target_length);

    g_mutex_lock (&prefetch->mutex);
    slot->ready = TRUE;
    g_cond_broadcast (&prefetch->cond);
  }
  g_mutex_unlock (&prefetch->mutex);
  return NULL;
}

SrganPrefetch *
srgan_prefetch_new (SrganDataset *dataset, const SrganRecipe *recipe,
    guint first_step, guint rank)
{
  SrganPrefetch *prefetch = g_new0 (SrganPrefetch, 1);

  prefetch->dataset = dataset;
  prefetch->batch = recipe->batch;
  prefetch->first_index = rank * recipe->batch;
  prefetch->input_length =
      (gsize) recipe->patch * recipe->patch * dataset->channels;
  prefetch->target_length =
      prefetch->input_length * recipe->scale * recipe->scale;
  prefetch->next_made = first_step;
  prefetch->next_taken = first_step;
  prefetch->n_threads = recipe->prefetch_threads;
  prefetch->n_slots = BATCHES_AHEAD + prefetch->n_threads;
  prefetch->slots = g_new0 (Batch, prefetch->n_slots);
  for (guint i = 0; i < prefetch->n_slots; i++) {
    prefetch->slots[i].inputs =
        g_new (gfloat, prefetch->input_length * recipe->batch);
    prefetch->slots[i].targets =
        g_new (gfloat, prefetch->target_length * recipe->batch);
  }
  g_mutex_init (&prefetch->mutex);
  g_cond_init (&prefetch->cond);
  prefetch->threads = g_new (GThread *, prefetch->n_threads);
  for (guint i = 0; i < prefetch->n_threads; i++)
    prefetch->threads[i] = g_thread_new ("patches", make_batches, prefetch);
  return prefetch;
}

void
srgan_prefetch_free (SrganPrefetch *prefetch)
{
  if (prefetch == NULL)
    return;
  g_mutex_lock (&prefetch->mutex);
  prefetch->stop = TRUE;
  g_cond_broadcast (&prefetch->cond);
  g_mutex_unlock (&prefetch->mutex);
  for (guint i = 0; i < prefetch->n_threads; i++)
    g_thread_join (prefetch->threads[i]);
  for (guint i = 0; i < prefetch->n_slots; i++) {
    g_free (prefetch->slots[i].inputs);
    g_free (prefetch->slots[i].targets);
  }
  g_free (prefetch->slots);
  g_free (prefetch->threads);
  g_mutex_clear (&prefetch->mutex);
  g_cond_clear (&prefetch->cond);
  g_free (prefetch);
}

void
srgan_prefetch_next (
    SrganPrefetch *prefetch, const gfloat **inputs, const gfloat **targets)
{
  Batch *slot;

  g_mutex_lock (&prefetch->mutex);
  slot = prefetch->slots + prefetch->next_taken % prefetch->n_slots;
  while (!slot->ready)
    g_cond_wait (&prefetch->cond, &prefetch->mutex);
  slot->ready = FALSE;
  prefetch->next_taken++;
  g_cond_broadcast (&prefetch->cond);
  g_mutex_unlock (&prefetch->mutex);
  *inputs = slot->inputs;
  *targets = slot->targets;
}
