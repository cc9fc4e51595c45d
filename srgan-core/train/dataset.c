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
#include "train/picture.h"
#include "train/random.h"

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

/* A number, 0 .. 1, that says whether a picture is held back: a hash of its
 * name without the _NUMBER that tells crops of one source apart, so that no
 * source is on both sides. */
static gdouble
draw_lot (const gchar *path)
{
  g_autofree gchar *stem = g_path_get_basename (path);
  gchar *end = strrchr (stem, '.');
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325); /* FNV-1a */
  SrganRandom random;

  if (end == NULL)
    end = stem + strlen (stem);
  for (gchar *digit = end; digit > stem; digit--)
    if (digit[-1] == '_') {
      if (digit < end)
        end = digit - 1;
      break;
    } else if (!g_ascii_isdigit (digit[-1])) {
      break;
    }
  for (const gchar *c = stem; c < end; c++)
    hash = (hash ^ (guint8) *c) * G_GUINT64_CONSTANT (0x100000001b3);
  random = srgan_random_init (hash, 0, 0);
  return srgan_random_unit (&random);
}

/* Which side of the dataset a folder's pictures go to. */
typedef enum {
  READ_BY_LOT, /* a share is held back */
  READ_FOR_TRAINING,
  READ_FOR_VALIDATION,
} ReadTo;

static gboolean
read_pictures (SrganDataset *dataset, GPtrArray *paths, ReadTo to,
    GCancellable *cancellable, SrganDatasetMessageFunc message,
    gpointer user_data, GError **error)
{
  const SrganRecipe *recipe = dataset->recipe;
  guint smallest = recipe->patch * recipe->scale;
  gdouble held_back_below = recipe->held_back;
  gdouble lowest = 1;

  /* of a few pictures one at least is held back */
  for (guint i = 0; i < paths->len; i++)
    lowest = MIN (lowest, draw_lot (paths->pdata[i]));
  held_back_below = MAX (held_back_below, lowest + 1e-9);

  for (guint i = 0; i < paths->len; i++) {
    const gchar *path = paths->pdata[i];
    gboolean held_back = to == READ_BY_LOT ? draw_lot (path) < held_back_below
                                           : to == READ_FOR_VALIDATION;
    GError *cause = NULL;
    SrganOriginal original;

    if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
          "stopped while the pictures were read");
      return FALSE;
    }
    if (held_back && dataset->validation->len >= recipe->validation_pictures)
      continue;
    if (srgan_original_read (
            &original, path, dataset->channels, smallest, &cause)) {
      if (held_back)
        dataset->validation_patch = MIN (dataset->validation_patch,
            MIN (original.width, original.height) / recipe->scale);
      g_array_append_val (
          held_back ? dataset->validation : dataset->training, original);
    } else {
      dataset->n_left_out++;
      if (message != NULL) {
        g_autofree gchar *text =
            g_strdup_printf ("left out: %s", cause->message);

        message (text, user_data);
      }
      g_error_free (cause);
    }
  }
  return TRUE;
}

SrganDataset *
srgan_dataset_new (const SrganRecipe *recipe, GCancellable *cancellable,
    SrganDatasetMessageFunc message, gpointer user_data, GError **error)
{
  g_autoptr (SrganDataset) dataset = NULL;
  g_autoptr (GPtrArray) paths = NULL;
  guint smallest = recipe->patch * recipe->scale;

  if (recipe->x264 > 0 && !srgan_codec_check (SRGAN_CODEC_X264, error)) {
    g_prefix_error (error, "data.x264: ");
    return NULL;
  }
  if (recipe->jpeg > 0 && !srgan_codec_check (SRGAN_CODEC_JPEG, error)) {
    g_prefix_error (error, "data.jpeg: ");
    return NULL;
  }
  paths = srgan_picture_list (recipe->folder, TRUE, error);
  if (paths == NULL)
    return NULL;

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

  if (recipe->validation_folder[0] != '\0') {
    g_autoptr (GPtrArray) others =
        srgan_picture_list (recipe->validation_folder, TRUE, error);

    if (others == NULL ||
        !read_pictures (dataset, others, READ_FOR_VALIDATION, cancellable,
            message, user_data, error) ||
        !read_pictures (dataset, paths, READ_FOR_TRAINING, cancellable, message,
            user_data, error))
      return NULL;
  } else if (!read_pictures (dataset, paths, READ_BY_LOT, cancellable, message,
                 user_data, error)) {
    return NULL;
  }

  if (dataset->training->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "no picture of %s can be trained on: %u of %u could not be read or "
        "are smaller than %ux%u (data.patch x network.scale), %u are held back",
        recipe->folder, dataset->n_left_out, paths->len, smallest, smallest,
        dataset->validation->len);
    return NULL;
  }
  if (dataset->validation->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "no picture of %s is left to choose the weights by: those held back "
        "could not be read or are smaller than %ux%u; raise data.held-back",
        recipe->folder, smallest, smallest);
    return NULL;
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

  if (dataset->slots != NULL) {
    gsize slot = (gsize) picture * recipe->variants +
                 srgan_random_below (&random, recipe->variants);

    degraded = get_degraded (dataset, dataset->slots + slot, original,
        recipe->patch, recipe->flips,
        srgan_random_init (recipe->seed, DEGRADED_STREAM, slot));
  }
  if (degraded != NULL)
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

  if (dataset->validation_slots != NULL)
    degraded = get_degraded (dataset, dataset->validation_slots + index,
        original, dataset->validation_patch, FALSE,
        srgan_random_init (0, DEGRADED_VALIDATION_STREAM, index));
  if (degraded != NULL)
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
