/* train: training pictures and the patches that are cut from them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/dataset.h"

#include <math.h>
#include <string.h>

#include "train/picture.h"
#include "train/random.h"

/* Samples are kept in 1/256 of an 8-bit code. */
#define FRACTION 256

/* The Gaussian's cut-off; at sigma 1.5, the largest allowed, what lies beyond
 * is a hundredth. */
#define BLUR_RADIUS 4

/* Validation sees so many output pixels a side of each picture, or what the
 * smallest has. */
#define VALIDATION_SIDE 192

/* Streams of random numbers that no training step uses. */
#define VALIDATION_STREAM G_MAXUINT64

/* A picture: luma, or R'G'B' plane by plane. */
typedef struct {
  guint width;
  guint height;
  guint16 *samples;
} Plane;

struct _SrganDataset {
  const SrganRecipe *recipe;
  GArray *training; /* of Plane */
  GArray *validation;
  guint channels;
  guint validation_patch;
  guint n_left_out;
};

static void
plane_clear (gpointer plane)
{
  g_free (((Plane *) plane)->samples);
}

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

static gboolean
read_plane (const gchar *path, guint channels, guint smallest, Plane *plane,
    GError **error)
{
  g_autoptr (SrganPicture) picture = srgan_picture_load (path, error);
  gsize n;

  if (picture == NULL)
    return FALSE;
  if (picture->width < smallest || picture->height < smallest) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is %ux%u: a patch needs %ux%u", path, picture->width,
        picture->height, smallest, smallest);
    return FALSE;
  }
  n = (gsize) picture->width * picture->height;
  plane->width = picture->width;
  plane->height = picture->height;
  plane->samples = g_new (guint16, n * channels);
  if (channels == 1) {
    g_autofree gdouble *luma = g_new (gdouble, n);

    srgan_picture_get_luma (picture, luma);
    for (gsize i = 0; i < n; i++)
      plane->samples[i] = (guint16) (luma[i] * FRACTION + .5);
  } else {
    for (gsize i = 0; i < n; i++)
      for (guint c = 0; c < channels; c++)
        plane->samples[c * n + i] = picture->rgb[3 * i + c] * FRACTION;
  }
  return TRUE;
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
    Plane plane;

    if (g_cancellable_is_cancelled (cancellable)) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
          "stopped while the pictures were read");
      return FALSE;
    }
    if (held_back && dataset->validation->len >= recipe->validation_pictures)
      continue;
    if (read_plane (path, dataset->channels, smallest, &plane, &cause)) {
      if (held_back)
        dataset->validation_patch = MIN (dataset->validation_patch,
            MIN (plane.width, plane.height) / recipe->scale);
      g_array_append_val (
          held_back ? dataset->validation : dataset->training, plane);
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

  paths = srgan_picture_list (recipe->folder, TRUE, error);
  if (paths == NULL)
    return NULL;

  dataset = g_new0 (SrganDataset, 1);
  dataset->recipe = recipe;
  dataset->channels = srgan_recipe_get_channels (recipe);
  dataset->training = g_array_new (FALSE, FALSE, sizeof (Plane));
  dataset->validation = g_array_new (FALSE, FALSE, sizeof (Plane));
  g_array_set_clear_func (dataset->training, plane_clear);
  g_array_set_clear_func (dataset->validation, plane_clear);
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
  return g_steal_pointer (&dataset);
}

void
srgan_dataset_free (SrganDataset *dataset)
{
  if (dataset == NULL)
    return;
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

/* A window of a plane in 8-bit codes; what lies outside is mirrored. */
static void
cut_window (const Plane *plane, guint channel, gint left, gint top, guint width,
    guint height, gfloat *output)
{
  const guint16 *samples =
      plane->samples + (gsize) channel * plane->width * plane->height;

  for (guint y = 0; y < height; y++) {
    const guint16 *row = samples + (gsize) srgan_resample_mirror (
                                       top + (gint) y, plane->height) *
                                       plane->width;

    if (left >= 0 && left + width <= plane->width) {
      for (guint x = 0; x < width; x++)
        output[x] = row[left + x] * (1.f / FRACTION);
    } else {
      for (guint x = 0; x < width; x++)
        output[x] = row[srgan_resample_mirror (left + (gint) x, plane->width)] *
                    (1.f / FRACTION);
    }
    output += width;
  }
}

/* One of the choices in @mask. */
static guint
draw_choice (SrganRandom *random, guint mask)
{
  guint n = 0, drawn, choice;

  for (guint rest = mask; rest != 0; rest &= rest - 1)
    n++;
  drawn = srgan_random_below (random, n);
  for (choice = 0;; choice++)
    if (mask & 1u << choice && drawn-- == 0)
      return choice;
}

/* Where a patch of @side lies in @size pixels. */
static gint
draw_place (SrganRandom *random, guint size, guint side)
{
  return (gint) srgan_random_below (random, size - side + 1);
}

/* The target with @margin pixels around it, softened or not: @output is
 * side + 2 margin squared, in codes. */
static void
make_window (const SrganRecipe *recipe, const Plane *plane, guint channel,
    SrganRandom *random, guint side, guint margin, gfloat *output)
{
  guint window = side + 2 * margin;
  guint smaller = MIN (plane->width, plane->height);
  gboolean softened = srgan_random_unit (random) < recipe->softened;
  gboolean blurred = srgan_random_unit (random) < recipe->blurred;
  g_autofree gfloat *input = NULL, *scratch = NULL;

  if (!softened || (!blurred && smaller == side)) {
    gint left = draw_place (random, plane->width, side);
    gint top = draw_place (random, plane->height, side);

    cut_window (plane, channel, left - (gint) margin, top - (gint) margin,
        window, window, output);
  } else if (blurred) {
    gdouble sigma = srgan_random_between (
        random, recipe->blur_sigma[0], recipe->blur_sigma[1]);
    gint left = draw_place (random, plane->width, side);
    gint top = draw_place (random, plane->height, side);
    g_autoptr (SrganResampler) blur =
        srgan_resampler_new_gaussian (window, sigma, BLUR_RADIUS);

    input = g_new (gfloat, (gsize) window * window);
    scratch = g_new (gfloat, (gsize) window * window);
    cut_window (plane, channel, left - (gint) margin, top - (gint) margin,
        window, window, input);
    srgan_resample (blur, blur, input, output, scratch);
  } else {
    gdouble ratio = srgan_random_between (
        random, recipe->reduction[0], recipe->reduction[1]);
    SrganResampleFilter filter = draw_choice (random, recipe->reduction_filter);
    /* pixels around the window that the widest filter reaches */
    const guint reach = 6;
    g_autoptr (SrganResampler) horizontal = NULL;
    g_autoptr (SrganResampler) vertical = NULL;
    gdouble left, top;
    gint first_x, first_y;
    guint n_in;

    /* a small picture keeps enough for a patch */
    ratio = MIN (MAX (ratio, (gdouble) side / smaller), 1);
    left = draw_place (
        random, MAX ((guint) floor (plane->width * ratio + 1e-6), side), side);
    top = draw_place (
        random, MAX ((guint) floor (plane->height * ratio + 1e-6), side), side);
    left = (left - margin) / ratio;
    top = (top - margin) / ratio;
    first_x = (gint) floor (left) - (gint) reach;
    first_y = (gint) floor (top) - (gint) reach;
    n_in = (guint) ceil (window / ratio) + 2 * reach + 1;

    input = g_new (gfloat, (gsize) n_in * n_in);
    scratch = g_new (gfloat, (gsize) window * n_in);
    horizontal =
        srgan_resampler_new (filter, n_in, window, ratio, left - first_x);
    vertical = srgan_resampler_new (filter, n_in, window, ratio, top - first_y);
    cut_window (plane, channel, first_x, first_y, n_in, n_in, input);
    srgan_resample (horizontal, vertical, input, output, scratch);
  }
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

/* Light is added up in linear light, a channel's codes there and back. */
static void
to_linear (gfloat *samples, gsize n, gboolean luma)
{
  for (gsize i = 0; i < n; i++)
    samples[i] = srgan_luma_to_linear (
        luma ? samples[i] : 16 + samples[i] * (219 / 255.f));
}

static void
from_linear (gfloat *samples, gsize n, gboolean luma)
{
  for (gsize i = 0; i < n; i++) {
    gfloat code = srgan_linear_to_luma (MAX (samples[i], 0));

    samples[i] = luma ? code : (code - 16) * (255 / 219.f);
  }
}

static void
make_pair (const SrganDataset *dataset, const Plane *plane, SrganRandom *random,
    guint patch, gboolean flips, gfloat *input, gfloat *target)
{
  const SrganRecipe *recipe = dataset->recipe;
  guint scale = recipe->scale;
  guint side = patch * scale;
  guint margin = 2 * scale + BLUR_RADIUS;
  guint window = side + 2 * margin;
  guint channels = dataset->channels;
  gsize n_large = (gsize) window * window, n_small = (gsize) patch * patch;
  g_autofree gfloat *large = g_new (gfloat, n_large * channels);
  g_autofree gfloat *small = g_new (gfloat, n_small);
  g_autofree gfloat *scratch = g_new (gfloat, (gsize) patch * window);
  g_autoptr (SrganResampler) down = NULL;
  SrganRandom start = *random;
  SrganDownscale downscale;
  gboolean linear;
  guint turning = 0;

  /* the same lots for each channel */
  for (guint c = 0; c < channels; c++) {
    *random = start;
    make_window (recipe, plane, c, random, side, margin, large + c * n_large);
  }
  downscale = draw_choice (random, recipe->downscale);
  linear = downscale == SRGAN_DOWNSCALE_BICUBIC_LINEAR ||
           downscale == SRGAN_DOWNSCALE_BOX_LINEAR;
  if (flips)
    turning = draw_turning (recipe, random);
  if (flips && (recipe->brightness[0] != 0 || recipe->brightness[1] != 0 ||
                   recipe->contrast[0] != 1 || recipe->contrast[1] != 1)) {
    gfloat factor = (gfloat) srgan_random_between (
        random, recipe->contrast[0], recipe->contrast[1]);
    gfloat offset =
        (gfloat) (255 * srgan_random_between (random, recipe->brightness[0],
                            recipe->brightness[1]));

    for (gsize i = 0; i < n_large * channels; i++)
      large[i] = CLAMP ((large[i] - 127.5f) * factor + 127.5f + offset, 0, 255);
  }

  down = srgan_resampler_new (downscale == SRGAN_DOWNSCALE_BOX ||
                                      downscale == SRGAN_DOWNSCALE_BOX_LINEAR
                                  ? SRGAN_RESAMPLE_BOX
                                  : SRGAN_RESAMPLE_BICUBIC,
      window, patch, 1. / scale, margin);
  for (guint c = 0; c < channels; c++) {
    gfloat *plane_large = large + c * n_large;

    turn (plane_large + (gsize) margin * window + margin, window, side, turning,
        1 / 255.f, channels, target + c);
    if (linear)
      to_linear (plane_large, n_large, channels == 1);
    srgan_resample (down, down, plane_large, small, scratch);
    if (linear)
      from_linear (small, n_small, channels == 1);
    for (gsize i = 0; i < n_small; i++) {
      small[i] = CLAMP (small[i], 0, 255);
      if (recipe->rounded)
        small[i] = rintf (small[i]);
    }
    turn (small, patch, patch, turning, 1 / 255.f, channels, input + c);
  }
}

void
srgan_dataset_make_patch (const SrganDataset *dataset, guint step, guint index,
    gfloat *input, gfloat *target)
{
  const SrganRecipe *recipe = dataset->recipe;
  SrganRandom random = srgan_random_init (recipe->seed, step, index);
  guint picture = srgan_random_below (&random, dataset->training->len);

  make_pair (dataset, &g_array_index (dataset->training, Plane, picture),
      &random, recipe->patch, recipe->flips, input, target);
}

void
srgan_dataset_make_validation_patch (
    const SrganDataset *dataset, guint index, gfloat *input, gfloat *target)
{
  SrganRandom random = srgan_random_init (0, VALIDATION_STREAM, index);

  make_pair (dataset, &g_array_index (dataset->validation, Plane, index),
      &random, dataset->validation_patch, FALSE, input, target);
}

/* --- Ready ahead ------------------------------------------------------- */

#define BATCHES_AHEAD 4

typedef struct {
  gfloat *inputs;
  gfloat *targets;
  gboolean ready;
} Batch;

struct _SrganPrefetch {
  const SrganDataset *dataset;
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
srgan_prefetch_new (const SrganDataset *dataset, const SrganRecipe *recipe,
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
